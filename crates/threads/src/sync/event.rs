//! A flag that threads wait for.

use crate::park::sys::atomic::{AtomicBool, Ordering};
use crate::park::{WaitQueue, Waiter, deadline};
use crate::sync::{Source, Waitable};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A flag that one thread sets and others wait for.
///
/// [`set`](Self::set) wakes everyone who waits at that moment, even if the flag is cleared before they have
/// woken up. Without waiters no call enters the system.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use threads::Event;
///
/// let ready = Arc::new(Event::new());
/// let other = ready.clone();
/// let mut thread = threads::spawn(move || other.wait())?;
/// ready.set();
/// thread.join()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Event {
    flag: AtomicBool,
    waiters: WaitQueue,
}

impl Event {
    /// Makes an event whose flag is not set.
    #[must_use]
    pub fn new() -> Self {
        Self {
            flag: AtomicBool::new(false),
            waiters: WaitQueue::new(),
        }
    }

    /// Sets the flag and wakes everyone who waits.
    #[inline]
    pub fn set(&self) {
        // Release pairs with the Acquire in `is_set`.
        self.flag.store(true, Ordering::Release);
        self.waiters.notify(usize::MAX);
    }

    /// Clears the flag: who comes now waits.
    #[inline]
    pub fn clear(&self) {
        self.flag.store(false, Ordering::Release);
    }

    /// Whether the flag is set.
    #[inline]
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.flag.load(Ordering::Acquire)
    }

    /// Waits until the flag is set.
    #[inline]
    pub fn wait(&self) {
        if !self.is_set() {
            self.sleep(None);
        }
    }

    /// Waits for at most `timeout` until the flag is set, and returns whether it was.
    pub fn wait_for(&self, timeout: Duration) -> bool {
        self.is_set() || self.sleep(deadline(timeout))
    }

    /// Waits until the flag is set or the deadline passes, and returns whether it was set.
    pub fn wait_until(&self, deadline: Instant) -> bool {
        self.is_set() || self.sleep(Some(deadline))
    }

    #[cold]
    fn sleep(&self, deadline: Option<Instant>) -> bool {
        let waiter = Waiter::new();
        self.waiters.register(waiter.clone());
        if self.is_set() {
            self.waiters.unregister(&waiter);
            return true;
        }
        // Whoever was taken off the list was woken by a `set`, whatever the flag says since.
        waiter.wait(deadline) || !self.waiters.unregister(&waiter) || self.is_set()
    }
}

impl Default for Event {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("set", &self.is_set())
            .finish_non_exhaustive()
    }
}

impl Source for Event {
    fn is_ready(&self) -> bool {
        self.is_set()
    }

    fn listen(&self, waiter: &Arc<Waiter>) {
        self.waiters.register(waiter.clone());
    }

    fn unlisten(&self, waiter: &Arc<Waiter>) {
        // Setting wakes everyone, so there is nobody to pass a wake-up on to.
        self.waiters.unregister(waiter);
    }
}

/// Ready when the flag is set.
impl Waitable for Event {}
