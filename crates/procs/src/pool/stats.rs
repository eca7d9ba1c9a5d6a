//! Counters of a pool.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters of a pool since its start. See [`Pool::stats`](crate::Pool::stats).
///
/// The counters are read one after the other while the pool works, so sums may be off by tasks that end during the read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Number of workers that were started.
    pub started: u64,
    /// Number of workers that replaced one that died, was killed by a time limit, or had run its last task.
    pub restarted: u64,
    /// Number of tasks that returned a result.
    pub completed: u64,
    /// Number of tasks that ended in an error: a panic, the death of their worker, a cancellation, the end of the pool.
    pub failed: u64,
    /// Number of tasks that wait for a worker.
    pub waiting: u64,
    /// Number of tasks that workers hold: those that run, and those that wait behind them.
    pub in_flight: u64,
    /// Number of bytes of arguments that were sent to workers.
    pub bytes_sent: u64,
    /// Number of bytes of results that were received from workers.
    pub bytes_received: u64,
}

impl PoolStats {
    /// Returns the number of tasks that have ended, in a result or in an error.
    pub fn ended(&self) -> u64 {
        self.completed + self.failed
    }

    /// Returns the number of tasks that were submitted.
    pub fn submitted(&self) -> u64 {
        self.ended() + self.waiting + self.in_flight
    }
}

/// The counters of a pool. No other memory is ordered by them, so `Relaxed` suffices.
#[derive(Debug, Default)]
pub(in crate::pool) struct Counters {
    pub(in crate::pool) started: AtomicU64,
    pub(in crate::pool) restarted: AtomicU64,
    submitted: AtomicU64,
    completed: AtomicU64,
    failed: AtomicU64,
    assigned: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
}

impl Counters {
    pub(in crate::pool) fn submitted(&self, count: usize) {
        self.submitted.fetch_add(count as u64, Relaxed);
    }

    pub(in crate::pool) fn assigned(&self, count: usize) {
        self.assigned.fetch_add(count as u64, Relaxed);
    }

    pub(in crate::pool) fn taken_back(&self, count: usize) {
        self.assigned.fetch_sub(count as u64, Relaxed);
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
        let in_flight = self.assigned.load(Relaxed);
        let (completed, failed) = (self.completed.load(Relaxed), self.failed.load(Relaxed));
        let submitted = self.submitted.load(Relaxed);
        PoolStats {
            started: self.started.load(Relaxed),
            restarted: self.restarted.load(Relaxed),
            completed,
            failed,
            waiting: submitted.saturating_sub(completed + failed + in_flight),
            in_flight,
            bytes_sent: self.sent.load(Relaxed),
            bytes_received: self.received.load(Relaxed),
        }
    }
}
