//! The handle of a WebSocket.

use std::{fmt, future::poll_fn, rc::Rc};

use bytes::Bytes;

use super::{
    core::Core,
    deflate::{Deflater, Inflater, Terms},
    frame::{BINARY, PING, TEXT},
    inbound::Inbound,
    options::WebSocketOptions,
    outbound::{Outbound, Random},
};
use crate::{
    combine::wait_for,
    error::WebSocketError,
    http::{connection::Course, socket::Duplex},
};

pub(crate) type Stream = Box<dyn Duplex + Unpin>;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Bytes),
}

/// Why a peer has closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseFrame {
    /// 1000 for a normal end, 1001 for one who goes away; 1005 when the peer gave no code.
    pub code: u16,
    /// For people; often empty.
    pub reason: String,
}

/// Which side we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    #[cfg(feature = "client")]
    Client,
}

/// A WebSocket, made by [`WebSocket::upgrade`] or, with the feature `client`, by `ClientSession::ws_connect`.
///
/// While [`receive`](WebSocket::receive) is awaited, pings are answered and sent, and a peer that has fallen silent is
/// noticed. Dropping it closes the connection; on a server that is done in good order.
///
/// An example is at [`WebSocket::upgrade`].
pub struct WebSocket {
    core: Rc<Core>,
}

impl WebSocket {
    pub(crate) fn new(
        stream: Stream,
        early: Bytes,
        role: Role,
        terms: Option<Terms>,
        options: WebSocketOptions,
        protocol: Option<String>,
        course: Option<Rc<Course>>,
    ) -> Self {
        let is_server = role == Role::Server;
        let (own, peers) = match terms {
            Some(terms) if is_server => (terms.server_forgets, terms.client_forgets),
            Some(terms) => (terms.client_forgets, terms.server_forgets),
            None => (false, false),
        };
        let inflater = terms.map(|_| Inflater::new(peers));
        let deflater = terms.map(|_| Deflater::new(own));
        let inbound = Inbound::new(early, is_server, inflater, &options);
        let masks: Option<Random> = (!is_server).then_some(getrandom::fill);
        let outbound = Outbound::new(masks, deflater);
        WebSocket {
            core: Core::new(stream, inbound, outbound, options, protocol, course),
        }
    }

    /// The next message; `None` when the peer has closed, or is gone: [`close_frame`](WebSocket::close_frame) tells
    /// which. Dropped before its end, it has lost nothing.
    ///
    /// # Errors
    ///
    /// [`WebSocketError::Fault`] when the peer breaks the protocol or a limit: it has been told. And
    /// [`WebSocketError::TimedOut`] when it has fallen silent or takes nothing any more.
    pub async fn receive(&mut self) -> Result<Option<Message>, WebSocketError> {
        let _wake = WakeOthers(&self.core);
        poll_fn(|cx| self.core.poll_receive(cx)).await
    }

    /// Sends a message, and waits until the system has taken it. Dropped before its end, it may have sent it all the
    /// same.
    ///
    /// # Errors
    ///
    /// [`WebSocketError::Closed`] when either side has closed, [`WebSocketError::TimedOut`] when the peer takes nothing
    /// any more, [`WebSocketError::NoRandomness`] when a client's system gives no random bytes.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), WebSocketError> {
        self.sender().send(message).await
    }

    /// A handle that sends, for other tasks.
    pub fn sender(&self) -> WebSocketSender {
        WebSocketSender {
            core: self.core.clone(),
        }
    }

    /// The subprotocol that was agreed on.
    pub fn protocol(&self) -> Option<&str> {
        self.core.protocol.as_deref()
    }

    /// The peer's close frame; `None` while there is none, and when the connection broke without one.
    pub fn close_frame(&self) -> Option<CloseFrame> {
        self.core.close_frame.borrow().clone()
    }

    /// Closes with a code and a reason, of which 123 bytes are sent; waits for the peer to do the same, for at most
    /// [`WebSocketOptions::close`]. Messages that still come are thrown away. Use 1000 for a normal end, or a code of your
    /// own from 3000 on.
    pub async fn close(self, code: u16, reason: &str) {
        self.core.queue_close(code, reason);
        self.sender().close_quietly().await;
    }

    pub(crate) fn closer(&self) -> WebSocketSender {
        self.sender()
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("protocol", &self.protocol())
            .field("ended", &self.core.ended.get())
            .finish_non_exhaustive()
    }
}

/// Sends messages on a [`WebSocket`] that another task receives from.
#[derive(Clone)]
pub struct WebSocketSender {
    core: Rc<Core>,
}

impl WebSocketSender {
    /// As [`WebSocket::send`].
    ///
    /// # Errors
    ///
    /// As [`WebSocket::send`].
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), WebSocketError> {
        match message.into() {
            Message::Text(text) => self.queue(TEXT, text.as_bytes())?,
            Message::Binary(bytes) => self.queue(BINARY, &bytes)?,
        }
        self.drain().await
    }

    /// Asks the peer for a sign of life: it answers, and what [`receive`](WebSocket::receive) gives tells nothing of it.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::send`].
    pub async fn ping(&self) -> Result<(), WebSocketError> {
        self.queue(PING, b"")?;
        self.drain().await
    }

    fn queue(&self, code: u8, payload: &[u8]) -> Result<(), WebSocketError> {
        if self.core.close_sent.get() || self.core.ended.get() {
            return Err(WebSocketError::Closed);
        }
        let mut outbound = self.core.outbound.borrow_mut();
        if code == PING {
            outbound.frame(code, false, payload);
        } else {
            outbound.message(code, payload);
        }
        Ok(())
    }

    async fn drain(&self) -> Result<(), WebSocketError> {
        // The timer is only set when the socket takes nothing at once.
        let mut alarm = None;
        let _wake = WakeOthers(&self.core);
        poll_fn(|cx| {
            use std::{pin::Pin, task::Poll};
            if let Poll::Ready(drained) = self.core.poll_drain(cx) {
                return Poll::Ready(drained);
            }
            let patience = self.core.patience_to_write();
            let alarm = alarm.get_or_insert_with(|| crate::sleep::sleep(patience));
            Pin::new(alarm)
                .poll(cx)
                .map(|()| Err(WebSocketError::TimedOut))
        })
        .await
    }

    /// Says goodbye, unless that was done, and waits a while for the peer to do so, too.
    pub(crate) async fn close_quietly(&self) {
        self.core.queue_close(1000, "");
        let goodbye = async {
            // Whatever goes wrong now, the connection ends.
            while let Ok(Some(_)) = poll_fn(|cx| self.core.poll_receive(cx)).await {}
            poll_fn(|cx| self.core.poll_shutdown(cx)).await;
        };
        let _ = wait_for(goodbye, self.core.options.close).await;
        self.core.ended.set(true);
    }
}

impl fmt::Debug for WebSocketSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketSender").finish_non_exhaustive()
    }
}

/// The socket wakes only the last who has waited to write. When that one stops waiting, the others must look again.
struct WakeOthers<'a>(&'a Core);

impl Drop for WakeOthers<'_> {
    fn drop(&mut self) {
        self.0.wake_waiting();
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Message::Text(text)
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Message::Text(text.to_owned())
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Message::Binary(bytes.into())
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Message::Binary(bytes)
    }
}

#[cfg(all(test, feature = "client"))]
mod tests {
    use super::*;

    /// No test can take the system's randomness away, so a source that fails stands in for it.
    #[test]
    fn without_randomness_a_client_sends_nothing_and_the_connection_ends() {
        crate::run(async {
            let (ours, mut theirs) = tokio::io::duplex(1024);
            let options = WebSocketOptions::default();
            let ours = Box::new(ours);
            let mut socket =
                WebSocket::new(ours, Bytes::new(), Role::Client, None, options, None, None);
            let fails: Random = |_| Err(getrandom::Error::UNSUPPORTED);
            *socket.core.outbound.borrow_mut() = Outbound::new(Some(fails), None);
            let sent = socket.send("chosen by somebody else").await;
            assert_eq!(sent, Err(WebSocketError::NoRandomness));
            assert_eq!(socket.send("more").await, Err(WebSocketError::Closed));
            assert_eq!(socket.receive().await, Ok(None));
            drop(socket);
            let mut came = Vec::new();
            tokio::io::AsyncReadExt::read_to_end(&mut theirs, &mut came)
                .await
                .unwrap();
            assert_eq!(came, b"");
        })
        .unwrap();
    }
}
