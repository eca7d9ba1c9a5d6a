//! What one `resume` brings back.

use crate::ResumeError;

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

/// A [`CoroutineState`] or the reason why there is none: flat and without the argument, so that it fits in two registers
/// where `Y` and `R` do.
#[doc(hidden)]
#[must_use]
pub enum Step<Y, R> {
    Yielded(Y),
    Complete(R),
    Finished,
    AlreadyExecuting,
    ForeignAwait,
}

impl<Y, R> Step<Y, R> {
    /// Ends in the panic that belongs to a step that brought nothing.
    #[cold]
    #[inline(never)]
    #[track_caller]
    pub(crate) fn raise(self) -> ! {
        match self {
            Self::AlreadyExecuting => ResumeError::AlreadyExecuting(()).raise(),
            Self::ForeignAwait => ResumeError::ForeignAwait::<()>.raise(),
            Self::Yielded(_) | Self::Complete(_) | Self::Finished => {
                ResumeError::Finished(()).raise()
            }
        }
    }
}

impl<Y, R, A> From<Result<CoroutineState<Y, R>, ResumeError<A>>> for Step<Y, R> {
    #[inline]
    fn from(result: Result<CoroutineState<Y, R>, ResumeError<A>>) -> Self {
        match result {
            Ok(CoroutineState::Yielded(value)) => Self::Yielded(value),
            Ok(CoroutineState::Complete(value)) => Self::Complete(value),
            Err(ResumeError::Finished(_)) => Self::Finished,
            Err(ResumeError::AlreadyExecuting(_)) => Self::AlreadyExecuting,
            Err(ResumeError::ForeignAwait) => Self::ForeignAwait,
        }
    }
}
