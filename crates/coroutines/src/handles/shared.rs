//! One coroutine, several owners.

use core::fmt;
use core::pin::Pin;
use core::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use crate::{Coroutine, CoroutineState, ExecutionState, ResumeError};

/// A handle to a coroutine to which other handles exist as well, on this thread or (if it is `Send`) on others.
///
/// One handle resumes it at a time. A second resume meanwhile, from another thread or from inside the body itself, is
/// [`AlreadyExecuting`](ResumeError::AlreadyExecuting) and gives its argument back; nothing waits. Only `resume` and
/// `close` count as executing: asking whether it has finished disturbs no resume.
///
/// The last handle drops the coroutine. A body that holds a handle to itself is a reference cycle, which
/// [`close`](Self::close) breaks.
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
    inner: Arc<Inner<C>>,
}

struct Inner<C> {
    /// Locked by `resume` and `close` alone, so that a lock that is taken means that the coroutine is executing.
    coroutine: Mutex<C>,
    state: State,
}

/// An [`ExecutionState`] that the owner of the lock writes and that everybody reads without the lock.
struct State(AtomicU8);

impl State {
    const STATES: [ExecutionState; 4] = [
        ExecutionState::Created,
        ExecutionState::Suspended,
        ExecutionState::Running,
        ExecutionState::Finished,
    ];

    fn new(state: ExecutionState) -> Self {
        Self(AtomicU8::new(state as u8))
    }

    fn get(&self) -> ExecutionState {
        // Acquire: pairs with `set`.
        Self::STATES[usize::from(self.0.load(Ordering::Acquire))]
    }

    fn set(&self, state: ExecutionState) {
        // Release: a handle that reads `Finished` sees all that the body did.
        self.0.store(state as u8, Ordering::Release);
    }
}

/// Exclusive use of the coroutine for one `resume` or `close`. Its drop notes how that has ended.
struct Executing<'s, C> {
    // Dropped last, as the fields are dropped after the body of `drop`: the lock is let go when the state is noted.
    coroutine: MutexGuard<'s, C>,
    state: &'s State,
    /// What the drop notes. `Finished` until something else is known: a panic finishes a coroutine.
    next: ExecutionState,
}

impl<C> Drop for Executing<'_, C> {
    fn drop(&mut self) {
        self.state.set(self.next);
    }
}

impl<C> Shared<C> {
    /// Shares `inner`: a boxed generator, or another coroutine that needs no pinning.
    pub fn new<A>(inner: C) -> Self
    where
        C: Coroutine<A>,
    {
        let state = State::new(inner.state());
        Self {
            inner: Arc::new(Inner {
                coroutine: Mutex::new(inner),
                state,
            }),
        }
    }

    /// The coroutine, unless it is executing. The mutex' poison is ignored: the state notes a panic.
    fn begin(&self) -> Option<Executing<'_, C>> {
        let coroutine = match self.inner.coroutine.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poison)) => PoisonError::into_inner(poison),
            Err(TryLockError::WouldBlock) => return None,
        };
        self.inner.state.set(ExecutionState::Running);
        Some(Executing {
            coroutine,
            state: &self.inner.state,
            next: ExecutionState::Finished,
        })
    }

    fn has_finished(&self) -> bool {
        self.inner.state.get() == ExecutionState::Finished
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
        if self.has_finished() {
            return Err(ResumeError::Finished(arg));
        }
        let Some(mut executing) = self.begin() else {
            return Err(ResumeError::AlreadyExecuting(arg));
        };
        let result = Pin::new(&mut *executing.coroutine).try_resume(arg);
        executing.next = executing.coroutine.state();
        result
    }

    /// Whether it has returned, panicked or been closed. While it is executing it has not.
    ///
    /// Takes no lock: a resume of another thread is neither delayed nor refused.
    pub fn is_finished<A>(&self) -> bool
    where
        C: Coroutine<A>,
    {
        self.has_finished()
    }

    /// Whether nothing of it has run, or it is suspended, executing, or has finished.
    ///
    /// Takes no lock, as [`is_finished`](Self::is_finished). Another thread may change the state at once.
    ///
    /// ```
    /// use coroutines::{Co, ExecutionState, Shared, generator};
    ///
    /// let shared = Shared::new(generator(async |mut co: Co<'_, u8>| co.yield_(1).await).boxed());
    /// assert_eq!(shared.state(), ExecutionState::Created);
    /// let _ = shared.resume(());
    /// assert_eq!(shared.state(), ExecutionState::Suspended);
    /// ```
    pub fn state(&self) -> ExecutionState {
        self.inner.state.get()
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
        if self.has_finished() {
            return Ok(());
        }
        let Some(mut executing) = self.begin() else {
            return Err(ResumeError::AlreadyExecuting(()));
        };
        let result = Pin::new(&mut *executing.coroutine).try_close();
        executing.next = executing.coroutine.state();
        result
    }
}

/// [`close`](Coroutine::close) panics while another handle executes it;
/// [`try_close`](Coroutine::try_close) and the method `close` of `Shared` return an error.
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
        self.has_finished()
    }

    fn state(&self) -> ExecutionState {
        Self::state(self)
    }

    #[track_caller]
    fn close(self: Pin<&mut Self>) {
        if let Err(error) = Self::close(&self) {
            error.raise();
        }
    }

    fn try_close(self: Pin<&mut Self>) -> Result<(), ResumeError> {
        Self::close(&self)
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
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
