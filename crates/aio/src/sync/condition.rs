//! Waiting, under a lock, for a change.

use std::fmt;

use super::{lock::LockGuard, waiters::Waiters};

/// Lets tasks that hold a [`Lock`](super::Lock) wait until another task notifies them of a change.
///
/// ```
/// use std::rc::Rc;
///
/// use aio::sync::{Condition, Lock};
///
/// aio::run(async {
///     let shared = Rc::new((Lock::new(0), Condition::new()));
///     let consumer = shared.clone();
///     let waiter = aio::create_task(async move {
///         let (lock, condition) = &*consumer;
///         let stock = condition.wait_while(lock.lock().await, |stock| *stock < 3).await;
///         *stock
///     });
///     for _ in 0..3 {
///         *shared.0.lock().await += 1;
///         shared.1.notify_all();
///         aio::yield_now().await;
///     }
///     assert_eq!(waiter.await, Ok(3));
/// })?;
/// # Ok::<(), aio::RunError>(())
/// ```
#[derive(Default)]
pub struct Condition {
    waiters: Waiters,
}

impl Condition {
    /// A condition on which nobody waits.
    pub fn new() -> Self {
        Condition::default()
    }

    /// Frees the lock, waits to be notified, and takes the lock again.
    ///
    /// Dropping the wait leaves the lock free; a notification that it had got goes to the next in line.
    pub async fn wait<'a, T>(&self, guard: LockGuard<'a, T>) -> LockGuard<'a, T> {
        let lock = guard.lock();
        let mut wait = std::pin::pin!(self.waiters.wait(|| self.notify(1)));
        // In line before the lock is free: no notification is missed.
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let _ = wait.as_mut().poll(&mut cx);
        drop(guard);
        wait.await;
        lock.lock().await
    }

    /// Waits as long as `waiting` says so of the value.
    pub async fn wait_while<'a, T>(
        &self,
        mut guard: LockGuard<'a, T>,
        mut waiting: impl FnMut(&mut T) -> bool,
    ) -> LockGuard<'a, T> {
        while waiting(&mut guard) {
            guard = self.wait(guard).await;
        }
        guard
    }

    /// Wakes the first `count` who wait.
    pub fn notify(&self, count: usize) {
        for _ in 0..count {
            if !self.waiters.call_one() {
                break;
            }
        }
    }

    /// Wakes all who wait.
    pub fn notify_all(&self) {
        self.waiters.call_all();
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condition")
            .field("waiting", &self.waiters.len())
            .finish()
    }
}
