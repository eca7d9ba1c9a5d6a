//! The task of a protocol's connection: from what the system tells straight to the callback.

use std::{
    cell::Cell,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use tokio::io::ReadBuf;

use super::{protocol::Protocol, transport::Transport};
use crate::{error::Panicked, executor::Engine};

/// The most that is given to `data_received` at once, in bytes.
const LARGEST: usize = 64 * 1024;

thread_local! {
    /// Where bytes land. One for all connections of a thread, for it is only used within a call.
    static SCRATCH: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// Ends when the connection is lost. Dropped before, it closes the connection.
pub(super) struct Connection<P: Protocol> {
    transport: Transport,
    protocol: P,
    engine: Rc<Engine>,
    /// The peer sends nothing more.
    at_end: bool,
    /// `pause_writing` was called.
    paused: bool,
    lost: bool,
}

impl<P: Protocol> Connection<P> {
    /// Tells the protocol that the connection is made.
    pub(super) fn begin(transport: Transport, protocol: P, engine: Rc<Engine>) -> Self {
        let mut connection = Connection {
            transport,
            protocol,
            engine,
            at_end: false,
            paused: false,
            lost: false,
        };
        connection.call(P::connection_made);
        connection
    }

    /// Calls the protocol. A panic is reported, and ends the connection; `None` then.
    fn call<R>(&mut self, callback: impl FnOnce(&mut P, &Transport) -> R) -> Option<R> {
        let (protocol, transport) = (&mut self.protocol, &self.transport);
        match catch_unwind(AssertUnwindSafe(|| callback(protocol, transport))) {
            Ok(result) => Some(result),
            Err(payload) => {
                let panicked = Panicked::new(payload);
                self.engine
                    .reporter
                    .report("a protocol's callback panicked", None, &panicked);
                self.transport.fail(io::Error::other(panicked));
                None
            }
        }
    }

    /// Reads once, and hands over what came. False when the task will be woken for more.
    fn read(&mut self, cx: &mut Context<'_>) -> bool {
        let scratch = SCRATCH.take();
        // Not zeroed anew: what a read leaves beyond its count is never looked at.
        let mut scratch = scratch.unwrap_or_else(|| vec![0; LARGEST].into_boxed_slice());
        let mut buffer = ReadBuf::new(&mut scratch);
        let polled = self.transport.socket().poll_read(cx, &mut buffer);
        let count = buffer.filled().len();
        let came = polled.is_ready();
        match polled {
            Poll::Pending => {}
            Poll::Ready(Ok(())) if count == 0 => self.end(),
            Poll::Ready(Ok(())) => {
                self.call(|protocol, transport| {
                    protocol.data_received(transport, &scratch[..count]);
                });
            }
            Poll::Ready(Err(error)) => self.transport.fail(error),
        }
        SCRATCH.set(Some(scratch));
        if count == LARGEST {
            // Others have their turn before the rest of it.
            cx.waker().wake_by_ref();
            return false;
        }
        came
    }

    fn end(&mut self) {
        self.at_end = true;
        if self.call(P::eof_received) != Some(true) {
            self.transport.close();
        }
    }

    /// Tells the protocol to pause or to go on writing.
    fn tell_limits(&mut self) {
        let unsent = self.transport.write_buffer_size();
        let (high, low) = self.transport.write_buffer_limits();
        if !self.paused && unsent > high {
            self.paused = true;
            self.call(P::pause_writing);
        } else if self.paused && unsent <= low {
            self.paused = false;
            self.call(P::resume_writing);
        }
    }

    fn lose(&mut self, error: Option<&io::Error>) {
        if !std::mem::replace(&mut self.lost, true) {
            self.transport.close_now();
            self.call(|protocol, transport| protocol.connection_lost(transport, error));
        }
    }
}

impl<P: Protocol> Unpin for Connection<P> {}

impl<P: Protocol> Future for Connection<P> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.transport.drive_with(cx.waker());
        loop {
            if !this.transport.is_calm() {
                let worked = this.transport.poll_work(cx);
                this.tell_limits();
                if let Poll::Ready(error) = worked {
                    this.lose(error.as_ref());
                    return Poll::Ready(());
                }
                this.transport.settle();
            }
            if this.at_end || !(this.transport.is_calm() || this.transport.is_reading()) {
                return Poll::Pending;
            }
            if !this.read(cx) {
                return Poll::Pending;
            }
        }
    }
}

impl<P: Protocol> Drop for Connection<P> {
    fn drop(&mut self) {
        self.lose(None);
    }
}
