//! Wakes a supervising thread out of its poll, with a system call only when it sleeps.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use crate::sys::EventFd;
use crate::sys::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// Wakes one thread that polls.
///
/// The sleeper calls [`prepare`](Self::prepare), looks once more for work, polls, and calls [`awake`](Self::awake). A
/// caller makes work visible under a lock first and calls [`wake`](Self::wake) then; the sleeper looks under the same lock.
/// So either the sleeper sees the work or the caller sees the sleeper: no wake-up is lost.
///
/// The flag is only ever exchanged, never stored. Each exchange then reads the one before, and the flag has one order of
/// changes that all threads agree on, even where no lock orders them. `tests/loom` explores it.
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

    pub(crate) fn prepare(&self) {
        self.asleep.swap(true, SeqCst);
    }

    /// `fired`: whether the poll found the event readable. A caller that writes it later causes one poll for nothing.
    pub(crate) fn awake(&self, fired: bool) {
        self.asleep.swap(false, SeqCst);
        if fired {
            self.event.clear();
        }
    }

    /// Wakes it also when it sleeps for something else.
    pub(crate) fn nudge(&self) {
        self.event.notify();
    }

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
