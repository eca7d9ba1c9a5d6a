//! WebSockets to a server.

use bytes::Bytes;

use super::session::ClientSession;
use crate::{
    combine::wait_for,
    error::{ClientError, ClientErrorKind, ClientPhase},
    http::{
        WebSocket, WebSocketOptions,
        websocket::{Role, accept_key, agreed, new_key, offer},
    },
};

impl ClientSession {
    /// Connects a WebSocket: `ws://`, `wss://`, or what is relative to the session's base URL. Cookies and default headers
    /// of the session are sent along; redirects are not followed.
    ///
    /// # Errors
    ///
    /// [`ClientErrorKind::Handshake`] when the server does not answer as it must,
    /// [`ClientErrorKind::NoRandomness`] when the system gives no random bytes for the key; otherwise as
    /// [`ClientRequest::send`](super::ClientRequest::send).
    ///
    /// ```
    /// use aio::http::{App, ClientSession, Message, Request, TestServer, WebSocket, WebSocketError};
    ///
    /// aio::run(async {
    ///     let app = App::new().get("/ws", async |request: Request| {
    ///         WebSocket::upgrade(request, async |mut socket: WebSocket| {
    ///             socket.send("welcome").await
    ///         })
    ///     });
    ///     let server = TestServer::start(app).await?;
    ///     let mut socket = ClientSession::new()?.ws_connect(&server.url("/ws")).await?;
    ///     assert_eq!(socket.receive().await?, Some(Message::Text("welcome".to_owned())));
    ///     assert_eq!(socket.receive().await?, None);
    ///     Ok::<(), Box<dyn std::error::Error>>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn ws_connect(&self, url: &str) -> Result<WebSocket, ClientError> {
        self.ws_connect_with(url, WebSocketOptions::default()).await
    }

    /// As [`ws_connect`](ClientSession::ws_connect), with other limits, compression, or subprotocols.
    ///
    /// # Errors
    ///
    /// As [`ws_connect`](ClientSession::ws_connect).
    pub async fn ws_connect_with(
        &self,
        url: &str,
        options: WebSocketOptions,
    ) -> Result<WebSocket, ClientError> {
        let http = match url.split_once("://") {
            Some(("ws", rest)) => format!("http://{rest}"),
            Some(("wss", rest)) => format!("https://{rest}"),
            _ => url.to_owned(),
        };
        let target = self.shared.resolve(&http)?;
        let failed = |kind| ClientError::new(kind, url);
        let wrong = |why: &str| failed(ClientErrorKind::Handshake(why.to_owned()));
        let key =
            new_key().map_err(|error| failed(ClientErrorKind::NoRandomness(error.to_string())))?;
        let mut request = self
            .shared
            .upgrading
            .get(target)
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", &key);
        if !options.protocols.is_empty() {
            request = request.header("sec-websocket-protocol", options.protocols.join(", "));
        }
        if options.deflate {
            request = request.header("sec-websocket-extensions", offer());
        }
        let shaking = async {
            let response = request.send().await?;
            let (status, headers) = (response.status(), response.headers().clone());
            let stream = match status.as_u16() {
                101 => Some(response.upgrade().await?),
                _ => None,
            };
            Ok::<_, reqwest::Error>((status, headers, stream))
        };
        let shaken = wait_for(shaking, self.shared.limits.read).await;
        let shaken = shaken.map_err(|_| failed(ClientErrorKind::TimedOut(ClientPhase::Head)))?;
        let (status, headers, stream) =
            shaken.map_err(|error| ClientError::from_reqwest(error, url, ClientPhase::Head))?;
        let stream = stream.ok_or_else(|| failed(ClientErrorKind::Status(status)))?;
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if text("sec-websocket-accept") != Some(&*accept_key(&key)) {
            return Err(wrong("its key does not fit"));
        }
        let terms = agreed(&headers, options.deflate)
            .map_err(|()| wrong("it agrees to what was not offered"))?;
        let protocol = text("sec-websocket-protocol").map(str::to_owned);
        if protocol
            .as_ref()
            .is_some_and(|name| !options.protocols.contains(name))
        {
            return Err(wrong("it speaks a subprotocol that was not offered"));
        }
        Ok(WebSocket::new(
            Box::new(stream),
            Bytes::new(),
            Role::Client,
            terms,
            options,
            protocol,
            None,
        ))
    }
}
