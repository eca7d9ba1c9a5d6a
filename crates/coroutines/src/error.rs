//! Every error of the crate.

use core::error::Error;
use core::fmt;

/// Why a coroutine could not be resumed; the argument comes back where it was not delivered.
///
/// # Examples
///
/// ```
/// use coroutines::{Co, Coroutine, CoroutineState, ResumeError, coroutine};
/// use std::pin::pin;
///
/// let mut double = pin!(coroutine(async |_co: Co<'_, (), u32>, first| first * 2));
/// assert_eq!(double.as_mut().try_resume(21), Ok(CoroutineState::Complete(42)));
/// assert_eq!(double.as_mut().try_resume(7), Err(ResumeError::Finished(7)));
/// ```
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum ResumeError<A = ()> {
    /// The coroutine had already returned, panicked or been closed.
    Finished(A),
    /// The coroutine is in the middle of another resume, further up this stack or on another thread.
    AlreadyExecuting(A),
    /// The body awaited a future that is not a `yield_` of its own handle. The coroutine is finished by it.
    ForeignAwait,
}

impl<A> ResumeError<A> {
    /// The argument that was not delivered.
    ///
    /// ```
    /// use coroutines::ResumeError;
    ///
    /// assert_eq!(ResumeError::Finished(7).into_argument(), Some(7));
    /// ```
    pub fn into_argument(self) -> Option<A> {
        match self {
            Self::Finished(arg) | Self::AlreadyExecuting(arg) => Some(arg),
            Self::ForeignAwait => None,
        }
    }

    fn text(&self) -> &'static str {
        match self {
            Self::Finished(_) => {
                "the coroutine was resumed after it had finished: ask `is_finished` first, use `try_resume`, or make a new one"
            }
            Self::AlreadyExecuting(_) => {
                "the coroutine was resumed while it is running: resume it from one place at a time, or try again later"
            }
            Self::ForeignAwait => {
                "the coroutine awaited a future that is not a `yield_` of its own handle: \
                 await only that handle, or use `async_generator`, which may await anything"
            }
        }
    }

    /// Ends in the panic that the infallible calls document.
    #[cold]
    #[inline(never)]
    #[track_caller]
    pub(crate) fn raise(self) -> ! {
        panic!("{}", self.text())
    }
}

// By hand, so that `unwrap` and `?` ask nothing of the argument's type.
impl<A> fmt::Debug for ResumeError<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Finished(_) => "Finished(..)",
            Self::AlreadyExecuting(_) => "AlreadyExecuting(..)",
            Self::ForeignAwait => "ForeignAwait",
        })
    }
}

impl<A> fmt::Display for ResumeError<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl<A> Error for ResumeError<A> {}

/// A coroutine that was asked to close answered by yielding this value; it has been closed all the same.
///
/// # Examples
///
/// ```
/// use coroutines::{Co, CoroutineExt, Ignored, coroutine};
/// use std::pin::pin;
///
/// let mut stubborn = pin!(coroutine(async |mut co: Co<'_, u8, Result<(), &str>>, _first| {
///     loop {
///         let _ = co.yield_(7).await;
///     }
/// }));
/// let _ = stubborn.send(());
/// assert_eq!(stubborn.close_with("stop"), Err(Ignored(7)));
/// ```
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Ignored<Y>(
    /// What the coroutine yielded instead of ending.
    pub Y,
);

impl<Y> fmt::Debug for Ignored<Y> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ignored(..)")
    }
}

impl<Y> fmt::Display for Ignored<Y> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the coroutine yielded when it was asked to end: let its body return once an error is thrown in")
    }
}

impl<Y> Error for Ignored<Y> {}
