//! A job whose result comes from elsewhere than a pool.

use super::job::Job;
use super::task::{Resolver, unresolved};
use crate::error::JobError;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

/// Makes a job without a pool: what the [`Promise`] is given is the job's result.
///
/// So a callback interface, an executor of one's own or a device can hand out a [`Job`], with its time limits,
/// cancellation, callbacks and `await`.
///
/// # Examples
///
/// ```
/// use threads::{JobError, promise};
///
/// let (promise, job) = promise();
/// threads::spawn(move || promise.set(6 * 7))?;
/// assert_eq!(job.result()?, 42);
///
/// let (promise, job) = threads::promise::<u8>();
/// drop(promise);
/// assert!(matches!(job.result(), Err(JobError::BrokenPromise)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "Future")]
#[doc(alias = "oneshot")]
pub fn promise<T: Send + 'static>() -> (Promise<T>, Job<T>) {
    let (resolver, handle) = unresolved();
    (Promise(Some(resolver)), Job::new(handle))
}

/// The giving end of a [`Job`] made by [`promise`].
///
/// Dropping it without a value, also by a panic of its thread, ends the job in
/// [`JobError::BrokenPromise`](crate::JobError::BrokenPromise).
#[must_use = "dropping a promise ends its job in an error"]
#[doc(alias = "set_result")]
#[doc(alias = "Sender")]
pub struct Promise<T: Send>(Option<Resolver<T>>);

impl<T: Send> Promise<T> {
    /// Ends the job with `value`. Failures are values too: let `T` be a `Result`.
    ///
    /// # Errors
    /// `value`, if the job was cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// let (promise, job) = threads::promise();
    /// assert!(job.cancel());
    /// assert_eq!(promise.set("late"), Err("late"));
    /// ```
    pub fn set(mut self, value: T) -> Result<(), T> {
        match self.0.take().map(|resolver| resolver.finish(Ok(value))) {
            Some(Err(Ok(value))) => Err(value),
            _ => Ok(()),
        }
    }

    /// Marks the job as running, so that it can no longer be cancelled. Returns false if it was cancelled before.
    ///
    /// # Examples
    ///
    /// ```
    /// let (mut promise, job) = threads::promise();
    /// assert!(promise.start());
    /// assert!(job.is_running() && !job.cancel());
    /// promise.set(1).unwrap();
    /// ```
    #[doc(alias = "set_running_or_notify_cancel")]
    pub fn start(&mut self) -> bool {
        self.0.as_mut().is_some_and(Resolver::begin)
    }

    /// Whether the job was cancelled, so that a value is of no use.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.as_ref().is_some_and(Resolver::is_refused)
    }
}

/// The state of a promise is right after a panic of user code.
impl<T: Send> UnwindSafe for Promise<T> {}
impl<T: Send> RefUnwindSafe for Promise<T> {}

impl<T: Send> Drop for Promise<T> {
    fn drop(&mut self) {
        if let Some(resolver) = self.0.take() {
            // A cancelled job keeps its end.
            let _ = resolver.finish(Err(JobError::BrokenPromise));
        }
    }
}

impl<T: Send> fmt::Debug for Promise<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promise")
            .field("cancelled", &self.is_cancelled())
            .finish()
    }
}
