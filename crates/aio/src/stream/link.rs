//! What a transport and the task of its connection share.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use super::{
    outbox::{HIGH_WATER, LOW_WATER},
    socket::{Socket, poll_unconstrained},
    unsent::Unsent,
};
use crate::current;

/// After this many writes to a connection that is gone, it is reported once.
const LOST_WRITES: u32 = 5;

/// The state of one connection.
pub(super) struct Shared {
    pub(super) socket: Rc<dyn Socket>,
    /// The socket keeps bytes until they are flushed.
    pub(super) is_session: bool,
    /// It is open and reads, nothing is unsent, nothing failed. One look at this is all that most messages cost.
    pub(super) calm: Cell<bool>,
    pub(super) unsent: RefCell<Unsent>,
    pub(super) course: Cell<Course>,
    /// A session holds bytes back that must be flushed.
    pub(super) unflushed: Cell<bool>,
    pub(super) paused_reading: Cell<bool>,
    pub(super) failure: RefCell<Option<io::Error>>,
    pub(super) lost_writes: Cell<u32>,
    pub(super) high: Cell<usize>,
    pub(super) low: Cell<usize>,
    /// How to make the connection's task look again.
    pub(super) driver: RefCell<Option<Waker>>,
}

/// How far a connection has come. Later ones do not go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Course {
    Open,
    /// No more will be written; the peer is to be told.
    Eof,
    EofSent,
    /// To be closed when everything is sent.
    Closing,
    Closed,
}

impl Shared {
    pub(super) fn new(socket: Rc<dyn Socket>) -> Self {
        Shared {
            is_session: socket.is_session(),
            calm: Cell::new(true),
            socket,
            unsent: RefCell::default(),
            course: Cell::new(Course::Open),
            unflushed: Cell::new(false),
            paused_reading: Cell::new(false),
            failure: RefCell::new(None),
            lost_writes: Cell::new(0),
            high: Cell::new(HIGH_WATER),
            low: Cell::new(LOW_WATER),
            driver: RefCell::new(None),
        }
    }

    /// Writes after what was written before.
    pub(super) fn write_in_turn(&self, bytes: &[u8]) {
        if self.course.get() != Course::Open || self.failure.borrow().is_some() {
            return self.lost_write();
        }
        let mut unsent = self.unsent.borrow_mut();
        if !unsent.is_empty() {
            return unsent.push(bytes);
        }
        drop(unsent);
        let outcome = self.socket.try_write(bytes);
        self.keep(bytes, outcome);
    }

    /// Keeps what the system did not take.
    pub(super) fn keep(&self, bytes: &[u8], outcome: io::Result<usize>) {
        let mut unsent = self.unsent.borrow_mut();
        match outcome {
            Ok(count) => unsent.push(&bytes[count..]),
            Err(error) if is_for_now(&error) => unsent.push(bytes),
            Err(error) => self.fail(error),
        }
        drop(unsent);
        if self.is_session {
            let flushed = poll_unconstrained(|cx| self.socket.poll_flush(cx));
            self.unflushed.set(flushed.is_pending());
        }
        if self.has_work() {
            self.calm.set(false);
            self.wake();
        }
    }

    pub(super) fn fail(&self, error: io::Error) {
        self.calm.set(false);
        self.failure.borrow_mut().get_or_insert(error);
    }

    pub(super) fn has_work(&self) -> bool {
        let course = self.course.get();
        !self.unsent.borrow().is_empty()
            || self.unflushed.get()
            || (course != Course::Open && course != Course::EofSent)
            || self.failure.borrow().is_some()
    }

    pub(super) fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut unsent = self.unsent.borrow_mut();
            if unsent.is_empty() {
                break;
            }
            match ready!(self.socket.poll_write(cx, unsent.bytes()))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => unsent.advance(count),
            }
            self.unflushed.set(self.is_session);
        }
        if self.unflushed.get() {
            ready!(self.socket.poll_flush(cx))?;
            self.unflushed.set(false);
        }
        if self.course.get() == Course::Eof {
            ready!(self.socket.poll_shutdown(cx))?;
            self.course.set(Course::EofSent);
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn close_now(&self) {
        self.course.set(Course::Closed);
        self.calm.set(false);
        self.unsent.take();
        self.unflushed.set(false);
        self.socket.close();
    }

    pub(super) fn wake(&self) {
        if let Some(driver) = &*self.driver.borrow() {
            driver.wake_by_ref();
        }
    }

    pub(super) fn lost_write(&self) {
        self.lost_writes
            .set(self.lost_writes.get().saturating_add(1));
        if self.lost_writes.get() == LOST_WRITES
            && let Ok(engine) = current::engine()
        {
            let advice = "ask is_closing(), or stop at connection_lost";
            engine.reporter.report(
                "a protocol goes on writing to a connection that is closed",
                None,
                &advice,
            );
        }
    }
}

fn is_for_now(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
