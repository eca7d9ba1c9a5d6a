//! The real machine: parking_lot's mutex, std's atomics and parking.

use std::time::Instant;

pub(crate) use parking_lot::{Mutex, MutexGuard};
pub(crate) use std::hint::spin_loop;
pub(crate) use std::sync::atomic;
pub(crate) use std::thread::{Thread, current, yield_now};
pub(crate) use std::thread_local as per_thread;

/// Gives up the guard while `f` runs.
pub(crate) fn unlocked<T: ?Sized, R>(guard: &mut MutexGuard<'_, T>, f: impl FnOnce() -> R) -> R {
    MutexGuard::unlocked(guard, f)
}

/// Whether `deadline` has passed; no deadline never does.
pub(crate) fn expired(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|at| Instant::now() >= at)
}

/// Blocks until the thread is unparked or the deadline passes; may return early.
pub(crate) fn park_until(deadline: Option<Instant>) {
    match deadline {
        None => std::thread::park(),
        Some(at) => std::thread::park_timeout(at.saturating_duration_since(Instant::now())),
    }
}

/// Sleeps instead of yielding: the last resort of a thread that waits for a preempted one.
pub(crate) fn nap(micros: u64) {
    std::thread::sleep(std::time::Duration::from_micros(micros));
}

/// `std::cell::UnsafeCell` with the interface of loom's, which must see each access begin and end.
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    #[inline(always)]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}
