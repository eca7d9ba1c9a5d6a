//! A latch: a count down to zero, once.

use crate::error::TimedOut;
use crate::park::sys::atomic::{AtomicUsize, Ordering};
use crate::park::{WaitQueue, Waiter, deadline};
use crate::sync::{Source, Waitable};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A count that goes down to zero and stays there, for which threads wait.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use threads::Latch;
///
/// let ready = Arc::new(Latch::new(2));
/// for _ in 0..2 {
///     let ready = ready.clone();
///     threads::spawn(move || ready.count_down())?;
/// }
/// ready.wait();
/// assert!(ready.is_open());
/// # Ok::<(), threads::SpawnError>(())
/// ```
#[doc(alias = "CountDownLatch")]
#[must_use = "a latch does nothing unless its methods are called"]
pub struct Latch {
    count: AtomicUsize,
    waiters: WaitQueue,
}

impl Latch {
    /// Makes a latch that opens after `count` steps. One of 0 steps is open.
    pub fn new(count: usize) -> Self {
        Self {
            count: AtomicUsize::new(count),
            waiters: WaitQueue::new(),
        }
    }

    /// Takes one step. The last one wakes every waiting thread. An open latch stays open.
    pub fn count_down(&self) {
        let down = |count: usize| count.checked_sub(1);
        // AcqRel: a waiter that sees zero sees what every thread did before its step.
        let before = self
            .count
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, down);
        if before == Ok(1) {
            self.waiters.notify(usize::MAX);
        }
    }

    /// Returns how many steps are missing.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Returns whether every step was taken.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.count() == 0
    }

    /// Waits until every step was taken.
    pub fn wait(&self) {
        self.sleep(None);
    }

    /// Waits for at most `timeout` until every step was taken.
    ///
    /// # Errors
    /// [`TimedOut`], if steps are missing then.
    pub fn wait_for(&self, timeout: Duration) -> Result<(), TimedOut> {
        self.sleep(deadline(timeout)).then_some(()).ok_or(TimedOut)
    }

    /// Waits until every step was taken, at most until `deadline`.
    ///
    /// # Errors
    /// [`TimedOut`], if steps are missing then.
    pub fn wait_until(&self, deadline: Instant) -> Result<(), TimedOut> {
        self.sleep(Some(deadline)).then_some(()).ok_or(TimedOut)
    }

    fn sleep(&self, deadline: Option<Instant>) -> bool {
        let poll = || self.is_open().then_some(());
        poll()
            .or_else(|| self.waiters.wait(deadline, poll))
            .is_some()
    }
}

impl fmt::Debug for Latch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Latch").field(&self.count()).finish()
    }
}

impl Source for Latch {
    fn is_ready(&self) -> bool {
        self.is_open()
    }

    fn listen(&self, waiter: &Arc<Waiter>) {
        self.waiters.register(waiter.clone());
    }

    fn unlisten(&self, waiter: &Arc<Waiter>) -> bool {
        // Opening wakes every waiter, so there is none to pass a wake-up on to.
        !self.waiters.unregister(waiter)
    }
}

/// Ready when every step was taken.
impl Waitable for Latch {}
