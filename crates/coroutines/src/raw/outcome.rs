//! What one resume brings back, in a form that is cheap to return.

use crate::error::ResumeError;
use crate::state::CoroutineState;

/// A [`CoroutineState`] or the reason why there is none.
///
/// It is flat and without the argument, so that it fits in two registers where `Y` and `R` do.
#[doc(hidden)]
#[must_use]
#[derive(Debug)]
pub enum ResumeOutcome<Y, R> {
    Yielded(Y),
    Complete(R),
    Finished,
    AlreadyExecuting,
    ForeignAwait,
}

impl<Y, R> ResumeOutcome<Y, R> {
    /// Panics with the text of an outcome without a value.
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

impl<Y, R, A> From<Result<CoroutineState<Y, R>, ResumeError<A>>> for ResumeOutcome<Y, R> {
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
