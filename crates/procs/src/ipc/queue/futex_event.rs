//! An event in shared memory: threads of several processes sleep until another thread notifies them.
//!
//! | part | meaning |
//! |---|---|
//! | sequence (32 bits) | the futex; incremented by every notification that finds registered waiters |
//! | epoch and count (32 bits each) | number of threads that have registered since the epoch began |
//!
//! A waiter registers, reads the sequence, checks its condition, and sleeps on the sequence. A notifier changes the
//! condition, passes a full memory barrier, and reads the count. Either it sees the waiter's registration, or the waiter
//! sees the new condition.
//!
//! Waiters deregister themselves, but a killed one cannot. Therefore a notification that wakes no thread although the count
//! is not zero begins a new epoch with a count of zero. It wakes all threads of the old epoch, which register again. So a
//! dead waiter costs at most two system calls.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

use crate::sys::{self, SharedMap};

const SEQUENCE: usize = 0;
const REGISTERED: usize = 8;

const COUNT: u64 = u32::MAX as u64;
const EPOCH: u64 = COUNT + 1;

/// The event at an offset of a map. It takes 16 bytes, which are zero at first.
#[derive(Clone, Copy)]
pub(super) struct FutexEvent<'a> {
    map: &'a SharedMap,
    offset: usize,
}

/// Registration of a waiting thread. Dropping it deregisters.
pub(super) struct Waiter<'a> {
    event: FutexEvent<'a>,
    epoch: u64,
    sequence: u32,
}

impl<'a> FutexEvent<'a> {
    pub(super) fn new(map: &'a SharedMap, offset: usize) -> Self {
        Self { map, offset }
    }

    fn registered(self) -> &'a AtomicU64 {
        self.map.word(self.offset + REGISTERED)
    }

    /// Registers the calling thread. The caller checks its condition afterwards, and sleeps only if that is not met.
    pub(super) fn register(self) -> Waiter<'a> {
        let epoch = self.registered().fetch_add(1, SeqCst) & !COUNT;
        let sequence = self.map.half_word(self.offset + SEQUENCE).load(SeqCst);
        Waiter {
            event: self,
            epoch,
            sequence,
        }
    }

    /// Wakes up to `count` waiters. Returns whether there were any. The caller has changed the condition, and then passed a
    /// full memory barrier.
    #[inline]
    pub(super) fn notify(self, count: i32) -> bool {
        self.registered().load(SeqCst) & COUNT != 0 && self.wake(count)
    }

    #[cold]
    fn wake(self, count: i32) -> bool {
        let sequence = self.map.half_word(self.offset + SEQUENCE);
        sequence.fetch_add(1, SeqCst);
        if sys::futex_wake_up(sequence, count) > 0 {
            return true;
        }
        // The registered threads are dead, or awake and about to check their condition.
        let seen = self.registered().load(SeqCst);
        let next = (seen & !COUNT).wrapping_add(EPOCH);
        if self
            .registered()
            .compare_exchange(seen, next, SeqCst, Relaxed)
            .is_ok()
        {
            // A thread may have fallen asleep before the epoch changed.
            sequence.fetch_add(1, SeqCst);
            sys::futex_wake_up(sequence, i32::MAX);
        }
        false
    }
}

impl Waiter<'_> {
    /// Sleeps until the first notification after the registration, at most for `time`. May return early.
    pub(super) fn sleep(&self, time: Duration) {
        let sequence = self.event.map.half_word(self.event.offset + SEQUENCE);
        sys::futex_sleep(sequence, self.sequence, time);
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let registered = self.event.registered();
        let mut seen = registered.load(Relaxed);
        while seen & !COUNT == self.epoch && seen & COUNT != 0 {
            match registered.compare_exchange_weak(seen, seen - 1, SeqCst, Relaxed) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }
}
