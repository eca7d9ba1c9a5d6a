//! Wakes a supervising thread from its poll, with a system call only if it sleeps.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use crate::sys::EventFd;
use crate::sys::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// Wakes one thread that polls.
///
/// The sleeper calls [`prepare`](Self::prepare), checks once more for work, polls, and calls [`awake`](Self::awake). A
/// caller first makes work visible under a lock and then calls [`wake`](Self::wake). The sleeper checks under the same lock.
/// So either the sleeper sees the work or the caller sees the flag: no wake-up is lost.
///
/// The flag is changed by exchanges only, never by a plain store. Each exchange reads the one before, so all threads agree
/// on one order of its changes, even where no lock orders them. `tests/loom` explores it.
pub(crate) struct Notifier {
    event: EventFd,
    asleep: AtomicBool,
}

impl Notifier {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            event: EventFd::new()?,
            asleep: AtomicBool::new(false),
        })
    }

    /// Announces that the calling thread is about to poll.
    pub(crate) fn prepare(&self) {
        self.asleep.swap(true, SeqCst);
    }

    /// Ends the sleep. `fired`: whether the poll found the event readable. A later notification makes the next poll return
    /// at once, without work.
    pub(crate) fn awake(&self, fired: bool) {
        self.asleep.swap(false, SeqCst);
        if fired {
            self.event.clear();
        }
    }

    /// Makes the event readable, whether or not a thread sleeps.
    pub(crate) fn nudge(&self) {
        self.event.notify();
    }

    /// Wakes the sleeper, if there is one.
    pub(crate) fn wake(&self) {
        if self.asleep.load(SeqCst) && self.asleep.swap(false, SeqCst) {
            self.event.notify();
        }
    }
}

impl AsFd for Notifier {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}
