//! What a pool has done so far, in numbers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a pool has done so far, in numbers that are counted since it was made. See [`Pool::stats`](crate::Pool::stats).
///
/// They are read one after the other, while the pool goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Workers that were started.
    pub started: u64,
    /// Those among them that took the place of one that died, timed out or had done its share of tasks.
    pub restarted: u64,
    /// Tasks that returned.
    pub completed: u64,
    /// Tasks that ended otherwise: in a panic, with their worker, cancelled, at the end of the pool.
    pub failed: u64,
    /// Tasks that wait in the pool.
    pub waiting: u64,
    /// Tasks that workers have been handed: those that run, and those that wait behind them.
    pub in_flight: u64,
    /// Bytes of arguments that workers were handed.
    pub bytes_sent: u64,
    /// Bytes of results that came from them.
    pub bytes_received: u64,
}

impl PoolStats {
    /// Tasks that have ended, in whatever way.
    pub fn ended(&self) -> u64 {
        self.completed + self.failed
    }

    /// Tasks that were given to the pool.
    pub fn submitted(&self) -> u64 {
        self.ended() + self.waiting + self.in_flight
    }
}

/// What is counted. Nothing is ordered by these numbers.
#[derive(Debug, Default)]
pub(in crate::pool) struct Counters {
    pub(in crate::pool) started: AtomicU64,
    pub(in crate::pool) restarted: AtomicU64,
    given: AtomicU64,
    completed: AtomicU64,
    failed: AtomicU64,
    handed: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
}

impl Counters {
    pub(in crate::pool) fn given(&self, count: usize) {
        self.given.fetch_add(count as u64, Relaxed);
    }

    pub(in crate::pool) fn handed_out(&self, count: usize) {
        self.handed.fetch_add(count as u64, Relaxed);
    }

    pub(in crate::pool) fn taken_back(&self, count: usize) {
        self.handed.fetch_sub(count as u64, Relaxed);
    }

    pub(in crate::pool) fn sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Relaxed);
    }

    pub(in crate::pool) fn answered(&self, count: usize, failed: usize, bytes: usize) {
        self.taken_back(count);
        self.completed.fetch_add((count - failed) as u64, Relaxed);
        if failed > 0 {
            self.failed(failed);
        }
        self.received.fetch_add(bytes as u64, Relaxed);
    }

    pub(in crate::pool) fn failed(&self, count: usize) {
        self.failed.fetch_add(count as u64, Relaxed);
    }

    pub(in crate::pool) fn ended(&self) -> u64 {
        self.completed.load(Relaxed) + self.failed.load(Relaxed)
    }

    pub(in crate::pool) fn stats(&self) -> PoolStats {
        let in_flight = self.handed.load(Relaxed);
        let (completed, failed) = (self.completed.load(Relaxed), self.failed.load(Relaxed));
        let given = self.given.load(Relaxed);
        PoolStats {
            started: self.started.load(Relaxed),
            restarted: self.restarted.load(Relaxed),
            completed,
            failed,
            waiting: given.saturating_sub(completed + failed + in_flight),
            in_flight,
            bytes_sent: self.sent.load(Relaxed),
            bytes_received: self.received.load(Relaxed),
        }
    }
}
