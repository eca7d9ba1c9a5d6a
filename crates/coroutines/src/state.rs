//! What one `resume` brings back, and what a coroutine is doing between two resumes.

/// The outcome of resuming a coroutine: a value on the way, or the value at the end.
///
/// It has the shape of nightly's `core::ops::CoroutineState`.
///
/// # Examples
///
/// ```
/// use coroutines::{Co, Coroutine, CoroutineState, generator};
/// use std::pin::pin;
///
/// let mut answer = pin!(generator(async |mut co: Co<'_, u8>| {
///     co.yield_(41).await;
///     "done"
/// }));
/// assert_eq!(answer.as_mut().resume(()), CoroutineState::Yielded(41));
/// assert_eq!(answer.as_mut().resume(()), CoroutineState::Complete("done"));
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[must_use = "a state carries the value that was yielded or returned"]
pub enum CoroutineState<Y, R> {
    /// The body handed out a value and waits to be resumed.
    Yielded(Y),
    /// The body returned; there is nothing left to resume.
    Complete(R),
}

impl<Y, R> CoroutineState<Y, R> {
    /// The yielded value, or `None` when the body returned (what it returned is dropped).
    ///
    /// ```
    /// use coroutines::CoroutineState;
    ///
    /// assert_eq!(CoroutineState::<u8, ()>::Yielded(1).yielded(), Some(1));
    /// ```
    #[inline]
    pub fn yielded(self) -> Option<Y> {
        match self {
            Self::Yielded(value) => Some(value),
            Self::Complete(_) => None,
        }
    }

    /// The returned value, or `None` when the body yielded (what it yielded is dropped).
    ///
    /// ```
    /// use coroutines::CoroutineState;
    ///
    /// assert_eq!(CoroutineState::<u8, &str>::Complete("end").complete(), Some("end"));
    /// ```
    #[inline]
    pub fn complete(self) -> Option<R> {
        match self {
            Self::Yielded(_) => None,
            Self::Complete(value) => Some(value),
        }
    }
}

/// Where a coroutine is between its creation and its end, as Python's `inspect.getgeneratorstate` says it.
///
/// It is closed on purpose: a coroutine has these four states and no others.
///
/// | state | event | next state |
/// |---|---|---|
/// | `Created` | a resume begins | `Running` |
/// | `Running` | the body yields | `Suspended` |
/// | `Running` | the body returns, panics or awaits a foreign future | `Finished` |
/// | `Suspended` | a resume begins | `Running` |
/// | `Created`, `Suspended` | a close | `Finished` |
///
/// # Examples
///
/// ```
/// use coroutines::{Co, Coroutine, ExecutionState, generator};
/// use std::pin::pin;
///
/// let mut one = pin!(generator(async |mut co: Co<'_, u8>| co.yield_(1).await));
/// assert_eq!(one.state(), ExecutionState::Created);
/// assert_eq!(one.next(), Some(1));
/// assert_eq!(one.state(), ExecutionState::Suspended);
/// assert_eq!(one.next(), None);
/// assert_eq!(one.state(), ExecutionState::Finished);
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[doc(alias = "getgeneratorstate")]
#[doc(alias = "getcoroutinestate")]
pub enum ExecutionState {
    /// Nothing of the body has run. Python: `GEN_CREATED`.
    Created,
    /// The body waits in a `yield_`. Python: `GEN_SUSPENDED`.
    Suspended,
    /// A resume is under way. Python: `GEN_RUNNING`.
    Running,
    /// The body has returned or panicked, or was closed. Python: `GEN_CLOSED`.
    Finished,
}
