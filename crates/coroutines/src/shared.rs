//! One coroutine, several owners.

use core::fmt;
use core::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use crate::{Coroutine, CoroutineState, ResumeError};

/// A handle to a coroutine that others hold handles to as well, on this thread or (if it is `Send`) on others.
///
/// One of them resumes it at a time. A second resume meanwhile, from another thread or from inside the body itself, is
/// [`AlreadyExecuting`](ResumeError::AlreadyExecuting) and gives its argument back; nobody waits.
///
/// The last handle drops the coroutine. A body that holds a handle to itself is a circle, which [`close`](Self::close)
/// breaks.
///
/// # Examples
///
/// ```
/// use coroutines::{Co, CoroutineState::*, ResumeError, Shared, generator};
///
/// let ids = Shared::new(generator(async |mut co: Co<'_, u32>| co.yield_all(1..4).await).boxed_send());
/// let others = ids.clone();
/// let theirs = std::thread::spawn(move || others.try_resume(())).join();
/// assert_eq!(theirs.ok(), Some(Ok(Yielded(1))));
/// assert_eq!(ids.try_resume(()), Ok(Yielded(2)));
/// ids.close()?;
/// assert_eq!(ids.try_resume(()), Err(ResumeError::Finished(())));
/// # Ok::<(), ResumeError>(())
/// ```
#[must_use = "nothing runs before the first resume"]
pub struct Shared<C> {
    inner: Arc<Mutex<C>>,
}

impl<C> Shared<C> {
    /// Shares `inner`: a boxed generator, or another coroutine that needs no pinning.
    pub fn new(inner: C) -> Self {
        Self {
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    /// The coroutine, unless it is executing. A panic of the body has finished it, which it knows itself, so poison says
    /// nothing new.
    fn lock(&self) -> Option<MutexGuard<'_, C>> {
        match self.inner.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poison)) => Some(PoisonError::into_inner(poison)),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Runs to the next yield or to the end.
    ///
    /// # Panics
    ///
    /// As [`Coroutine::resume`].
    #[track_caller]
    pub fn resume<A>(&self, arg: A) -> CoroutineState<C::Yield, C::Return>
    where
        C: Coroutine<A> + Unpin,
    {
        match self.try_resume(arg) {
            Ok(state) => state,
            Err(error) => error.raise(),
        }
    }

    /// Runs to the next yield or to the end.
    ///
    /// # Errors
    ///
    /// As [`Coroutine::try_resume`], and [`AlreadyExecuting`](ResumeError::AlreadyExecuting).
    pub fn try_resume<A>(
        &self,
        arg: A,
    ) -> Result<CoroutineState<C::Yield, C::Return>, ResumeError<A>>
    where
        C: Coroutine<A> + Unpin,
    {
        match self.lock() {
            Some(mut inner) => Pin::new(&mut *inner).try_resume(arg),
            None => Err(ResumeError::AlreadyExecuting(arg)),
        }
    }

    /// Whether it has returned, panicked or been closed. While it is executing it has not.
    pub fn is_finished<A>(&self) -> bool
    where
        C: Coroutine<A>,
    {
        self.lock().is_some_and(|inner| inner.is_finished())
    }

    /// Ends it where it is, see [`Coroutine::close`].
    ///
    /// # Errors
    ///
    /// [`AlreadyExecuting`](ResumeError::AlreadyExecuting): it has not been closed.
    pub fn close<A>(&self) -> Result<(), ResumeError>
    where
        C: Coroutine<A> + Unpin,
    {
        match self.lock() {
            Some(mut inner) => {
                Pin::new(&mut *inner).close();
                Ok(())
            }
            None => Err(ResumeError::AlreadyExecuting(())),
        }
    }
}

/// [`close`](Coroutine::close) panics while it is executing elsewhere; the method of the same name on `Shared` does not.
impl<A, C: Coroutine<A> + Unpin> Coroutine<A> for Shared<C> {
    type Yield = C::Yield;
    type Return = C::Return;

    fn try_resume(
        self: Pin<&mut Self>,
        arg: A,
    ) -> Result<CoroutineState<C::Yield, C::Return>, ResumeError<A>> {
        Self::try_resume(&self, arg)
    }

    fn is_finished(&self) -> bool {
        Self::is_finished(self)
    }

    #[track_caller]
    fn close(self: Pin<&mut Self>) {
        if let Err(error) = Self::close(&self) {
            error.raise();
        }
    }
}

impl<C> Clone for Shared<C> {
    /// Another handle to the same coroutine.
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
        }
    }
}

impl<C> fmt::Debug for Shared<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("executing", &self.lock().is_none())
            .finish_non_exhaustive()
    }
}
