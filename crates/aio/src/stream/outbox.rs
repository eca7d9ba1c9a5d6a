//! What a writer still has to send.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use super::{socket::Socket, unsent::Unsent};
use crate::{current, task};

/// Above this many unsent bytes `drain` waits.
pub(super) const HIGH_WATER: usize = 64 * 1024;

/// And until no more than this many are left.
pub(super) const LOW_WATER: usize = 16 * 1024;

/// What is still to be sent. Shared with the callback or the task that sends it.
pub(super) struct Outbox {
    pub(super) socket: Rc<dyn Socket>,
    state: RefCell<State>,
    /// A callback is queued that sends what is here.
    queued: Cell<bool>,
    /// A task is under way that sends what is here.
    background: Cell<bool>,
    /// How to make that task look again.
    sender: RefCell<Option<Waker>>,
    pub(super) high: Cell<usize>,
    pub(super) low: Cell<usize>,
}

struct State {
    unsent: Unsent,
    end: End,
    failure: Option<(io::ErrorKind, String)>,
    waiting: Vec<Waker>,
}

/// What is to happen, or has happened, when everything is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Open,
    Eof,
    EofSent,
    Close,
    Closed,
}

impl State {
    fn fail(&mut self, kind: io::ErrorKind, text: &str) {
        if self.failure.is_none() {
            self.failure = Some((kind, text.to_owned()));
        }
        self.unsent = Unsent::default();
    }
}

impl Outbox {
    pub(super) fn new(socket: Rc<dyn Socket>) -> Rc<Self> {
        let state = State {
            unsent: Unsent::default(),
            end: End::Open,
            failure: None,
            waiting: Vec::new(),
        };
        Rc::new(Outbox {
            socket,
            state: RefCell::new(state),
            queued: Cell::new(false),
            background: Cell::new(false),
            sender: RefCell::new(None),
            high: Cell::new(HIGH_WATER),
            low: Cell::new(LOW_WATER),
        })
    }

    pub(super) fn write(self: &Rc<Self>, bytes: &[u8]) {
        let mut state = self.state.borrow_mut();
        if state.end != End::Open {
            let why = "written after close() or write_eof()";
            return state.fail(io::ErrorKind::BrokenPipe, why);
        }
        if state.failure.is_some() {
            return;
        }
        state.unsent.push(bytes);
        drop(state);
        self.send_soon();
    }

    pub(super) fn finish(self: &Rc<Self>, end: End) {
        let mut state = self.state.borrow_mut();
        let closing = matches!(state.end, End::Close | End::Closed);
        if closing || (end == End::Eof && state.end == End::EofSent) {
            return;
        }
        state.end = end;
        drop(state);
        self.send_now();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.borrow().end == End::Closed
    }

    pub(super) fn is_closing(&self) -> bool {
        let state = self.state.borrow();
        matches!(state.end, End::Close | End::Closed) || state.failure.is_some()
    }

    /// Nothing is left to send, and no task is about to.
    #[cfg(feature = "tls")]
    pub(super) fn is_idle(&self) -> bool {
        self.unsent() == 0 && !self.background.get()
    }

    pub(super) fn unsent(&self) -> usize {
        self.state.borrow().unsent.len()
    }

    pub(super) fn outcome(&self) -> io::Result<()> {
        match &self.state.borrow().failure {
            Some((kind, text)) => Err(io::Error::new(*kind, text.clone())),
            None => Ok(()),
        }
    }

    /// Sends in the loop's next iteration, together with what is written until then.
    fn send_soon(self: &Rc<Self>) {
        if self.queued.replace(true) {
            return;
        }
        let outbox = self.clone();
        let queued = current::with_engine(outbox, |outbox, engine| {
            engine.call_soon(move || {
                outbox.queued.set(false);
                outbox.send_now();
            });
        });
        if queued.is_err() {
            self.queued.set(false);
            self.send_now();
        }
    }

    /// Sends what the system takes at once; a task sends the rest.
    pub(super) fn send_now(self: &Rc<Self>) {
        if self.background.get() {
            return;
        }
        loop {
            let mut state = self.state.borrow_mut();
            if state.unsent.is_empty() {
                break;
            }
            match self.socket.try_write(state.unsent.bytes()) {
                Ok(count) => state.unsent.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    drop(state);
                    return self.send_in_background();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => state.fail(error.kind(), &error.to_string()),
            }
        }
        if self
            .poll_end(&mut Context::from_waker(Waker::noop()))
            .is_pending()
        {
            self.send_in_background();
        }
        self.notify();
    }

    /// What follows when everything is sent.
    fn poll_end(&self, cx: &mut Context<'_>) -> Poll<()> {
        let (end, mut failed) = {
            let state = self.state.borrow();
            (state.end, state.failure.is_some())
        };
        if !failed && let Err(error) = ready!(self.socket.poll_flush(cx)) {
            let mut state = self.state.borrow_mut();
            state.fail(error.kind(), &error.to_string());
            failed = true;
        }
        match end {
            End::Eof if !failed => {
                let ended = ready!(self.socket.poll_shutdown(cx));
                let mut state = self.state.borrow_mut();
                state.end = End::EofSent;
                if let Err(error) = ended {
                    state.fail(error.kind(), &error.to_string());
                }
            }
            End::Close => {
                ready!(self.socket.poll_close(cx));
                self.state.borrow_mut().end = End::Closed;
            }
            _ => {}
        }
        Poll::Ready(())
    }

    pub(super) fn abort(&self) {
        let mut state = self.state.borrow_mut();
        if state.end == End::Closed {
            return;
        }
        if !state.unsent.is_empty() {
            state.fail(
                io::ErrorKind::ConnectionAborted,
                "aborted with bytes unsent",
            );
        }
        state.end = End::Closed;
        drop(state);
        self.socket.close();
        self.notify();
        let sender = self.sender.take();
        if let Some(sender) = sender {
            sender.wake();
        }
    }

    fn send_in_background(self: &Rc<Self>) {
        let Ok(engine) = current::engine() else {
            return;
        };
        self.background.set(true);
        let sending = Background(self.clone());
        let sender = task::spawn(&engine, async move {
            poll_fn(|cx| sending.0.poll_send(cx)).await
        });
        sender.set_name("stream writer");
        sender.detach();
    }

    fn poll_send(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.sender.replace(Some(cx.waker().clone()));
        loop {
            let mut state = self.state.borrow_mut();
            if state.unsent.is_empty() {
                drop(state);
                let ended = self.poll_end(cx);
                self.notify();
                return ended;
            }
            let written = ready!(self.socket.poll_write(cx, state.unsent.bytes()));
            match written {
                Ok(0) => state.fail(io::ErrorKind::WriteZero, "the system takes no more bytes"),
                Ok(count) => state.unsent.advance(count),
                Err(error) => state.fail(error.kind(), &error.to_string()),
            }
            drop(state);
            self.notify();
        }
    }

    fn notify(&self) {
        let waiting = std::mem::take(&mut self.state.borrow_mut().waiting);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Waits for `reached`, or for the connection's failure.
    pub(super) async fn wait(&self, reached: impl Fn(&Self) -> bool) {
        poll_fn(|cx| {
            if reached(self) || self.state.borrow().failure.is_some() {
                return Poll::Ready(());
            }
            let waiting = &mut self.state.borrow_mut().waiting;
            if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}

/// Says, however the sending task ends, that none is under way.
struct Background(Rc<Outbox>);

impl Drop for Background {
    fn drop(&mut self) {
        self.0.background.set(false);
        self.0.notify();
    }
}
