//! What one `resume` brings back.

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
