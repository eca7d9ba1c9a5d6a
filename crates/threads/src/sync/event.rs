//! A flag that threads wait for.

use crate::error::TimedOut;
use crate::park::sys::atomic::{AtomicBool, Ordering};
use crate::park::{WaitQueue, Waiter, deadline};
use crate::sync::{Source, Waitable};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A flag that one thread sets and others wait for.
///
/// [`set`](Self::set) wakes every thread that waits at that moment, even if the flag is cleared before they run.
/// Without waiting threads no call enters the system.
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
#[must_use = "an event does nothing unless its methods are called"]
pub struct Event {
    flag: AtomicBool,
    waiters: WaitQueue,
}

impl Event {
    /// Makes an event whose flag is not set.
    pub fn new() -> Self {
        Self {
            flag: AtomicBool::new(false),
            waiters: WaitQueue::new(),
        }
    }

    /// Sets the flag and wakes every waiting thread.
    #[inline]
    pub fn set(&self) {
        // Release pairs with the Acquire in `is_set`.
        self.flag.store(true, Ordering::Release);
        self.waiters.notify(usize::MAX);
    }

    /// Clears the flag. Later waits block.
    #[inline]
    pub fn clear(&self) {
        self.flag.store(false, Ordering::Release);
    }

    /// Returns whether the flag is set.
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

    /// Waits for at most `timeout` until the flag is set.
    ///
    /// # Errors
    /// [`TimedOut`], if it was not set in time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use threads::{Event, TimedOut};
    ///
    /// let event = Event::new();
    /// assert_eq!(event.wait_for(Duration::from_millis(1)), Err(TimedOut));
    /// event.set();
    /// assert_eq!(event.wait_for(Duration::ZERO), Ok(()));
    /// ```
    pub fn wait_for(&self, timeout: Duration) -> Result<(), TimedOut> {
        let set = self.is_set() || self.sleep(deadline(timeout));
        set.then_some(()).ok_or(TimedOut)
    }

    /// Waits until the flag is set, at most until `deadline`.
    ///
    /// # Errors
    /// [`TimedOut`], if it was not set in time.
    pub fn wait_until(&self, deadline: Instant) -> Result<(), TimedOut> {
        let set = self.is_set() || self.sleep(Some(deadline));
        set.then_some(()).ok_or(TimedOut)
    }

    #[cold]
    fn sleep(&self, deadline: Option<Instant>) -> bool {
        let waiter = Waiter::new();
        self.waiters.register(waiter.clone());
        if self.is_set() {
            self.waiters.unregister(&waiter);
            return true;
        }
        // A waiter that is off the list was woken by a `set`, whatever the flag says since.
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

    fn unlisten(&self, waiter: &Arc<Waiter>) -> bool {
        // A waiter that is off the list was woken by a `set`, whatever the flag says since. Setting wakes every
        // waiter, so there is none to pass a wake-up on to.
        !self.waiters.unregister(waiter)
    }
}

/// Ready when the flag is set, or was set during the wait.
impl Waitable for Event {}
