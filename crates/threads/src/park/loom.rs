//! Loom's model: every interleaving of these is explored.

use std::cell;
use std::ops::{Deref, DerefMut};
use std::time::Instant;

pub(crate) use loom::cell::UnsafeCell;
pub(crate) use loom::sync::atomic;
pub(crate) use loom::thread::{Thread, current, yield_now};

/// loom's, for std's form with a constant.
macro_rules! per_thread {
    ($(#[$about:meta])* static $name:ident: $type:ty = const { $init:expr };) => {
        loom::thread_local! {
            $(#[$about])*
            static $name: $type = $init;
        }
    };
}
pub(crate) use per_thread;

/// loom counts on a spinning thread to yield.
pub(crate) fn spin_loop() {
    loom::thread::yield_now();
}

/// In the model time passes at once: the schedule decides whether a wake-up comes before the deadline.
pub(crate) fn expired(deadline: Option<Instant>) -> bool {
    deadline.is_some()
}

/// Blocks until the thread is unparked; a deadline passes at once.
pub(crate) fn park_until(deadline: Option<Instant>) {
    if deadline.is_none() {
        loom::thread::park();
    }
}

/// See `spin_loop`.
pub(crate) fn nap(_micros: u64) {
    loom::thread::yield_now();
}

/// Stands for `SpinLock` where several threads may spin at once: loom's scheduler would let them spin
/// for ever. The spin lock itself has a model of its own.
pub(crate) struct SideLock<T>(Mutex<T>);

impl<T> SideLock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.0.lock())
    }
}

/// A mutex whose lock word is loom's and whose value may be unsized, as parking_lot's may.
pub(crate) struct Mutex<T: ?Sized> {
    word: loom::sync::Mutex<()>,
    value: cell::UnsafeCell<T>,
}

// SAFETY: the value is reached only through a guard, and `word` admits one guard at a time.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: as above; sharing the mutex moves the value between threads, hence `T: Send`.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

/// Access to a locked value.
pub(crate) struct MutexGuard<'a, T: ?Sized> {
    held: Option<loom::sync::MutexGuard<'a, ()>>,
    mutex: &'a Mutex<T>,
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            word: loom::sync::Mutex::new(()),
            value: cell::UnsafeCell::new(value),
        }
    }

    pub(crate) fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    fn guard<'a>(&'a self, held: loom::sync::MutexGuard<'a, ()>) -> MutexGuard<'a, T> {
        MutexGuard {
            held: Some(held),
            mutex: self,
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.guard(self.word.lock().expect("loom's mutex is never poisoned"))
    }

    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.word.try_lock().ok().map(|held| self.guard(held))
    }

    pub(crate) fn try_lock_until(&self, _at: Instant) -> Option<MutexGuard<'_, T>> {
        self.try_lock()
    }

    pub(crate) fn is_locked(&self) -> bool {
        self.word.try_lock().is_err()
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

/// Gives up the guard while `f` runs.
pub(crate) fn unlocked<T: ?Sized, R>(guard: &mut MutexGuard<'_, T>, f: impl FnOnce() -> R) -> R {
    guard.held = None;
    let result = f();
    guard.held = guard.mutex.lock().held.take();
    result
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: `held` is Some outside `unlocked`, so this thread holds the lock.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and `&mut self` excludes other references from this guard.
        unsafe { &mut *self.mutex.value.get() }
    }
}
