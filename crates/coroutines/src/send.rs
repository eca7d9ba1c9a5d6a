//! Python's words for a resume.

use core::pin::Pin;

use crate::{Coroutine, CoroutineState, Ignored, ResumeError};

/// `send`, `throw` and `close_with` for everything that can be resumed by `&mut`: `pin!(generator(..))`, a boxed
/// generator, a hand-written coroutine.
///
/// `throw` and `close_with` want a coroutine whose argument is a `Result<S, E>`: the body sees an error at its `yield_`,
/// where `?` ends the body with it and `match` handles it.
///
/// # Examples
///
/// ```
/// use coroutines::{Co, CoroutineExt, CoroutineState::*, coroutine};
/// use std::pin::pin;
///
/// let mut sum = pin!(coroutine(async |mut co: Co<'_, u32, Result<u32, &'static str>>, first| {
///     let mut total = first?;
///     loop {
///         total += co.yield_(total).await?;
///     }
/// }));
/// assert_eq!(sum.send(1), Yielded(1));
/// assert_eq!(sum.send(2), Yielded(3));
/// assert_eq!(sum.throw("enough"), Complete(Err::<(), _>("enough")));
/// ```
pub trait CoroutineExt<A>: Coroutine<A> + Unpin {
    /// Resumes with `message`: the argument itself, or `s` where the argument is a `Result` and `Ok(s)` is meant.
    ///
    /// # Panics
    ///
    /// As [`Coroutine::resume`].
    #[inline]
    #[track_caller]
    fn send<M: Message<A>>(&mut self, message: M) -> CoroutineState<Self::Yield, Self::Return> {
        Pin::new(self).resume(message.into_argument())
    }

    /// Resumes with `message`, see [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// As [`Coroutine::try_resume`].
    ///
    /// ```
    /// use coroutines::{Co, CoroutineExt, CoroutineState::*, ResumeError, coroutine};
    /// use std::pin::pin;
    ///
    /// let mut once = pin!(coroutine(async |_: Co<'_, (), u8>, first| first));
    /// assert_eq!(once.try_send(1), Ok(Complete(1)));
    /// assert_eq!(once.try_send(2), Err(ResumeError::Finished(2)));
    /// ```
    #[inline]
    fn try_send<M: Message<A>>(
        &mut self,
        message: M,
    ) -> Result<CoroutineState<Self::Yield, Self::Return>, ResumeError<A>> {
        Pin::new(self).try_resume(message.into_argument())
    }

    /// Resumes with an error, which the `yield_` that the body waits in gives back.
    ///
    /// A body that has not started gets it as its first argument.
    ///
    /// # Panics
    ///
    /// As [`Coroutine::resume`].
    #[inline]
    #[track_caller]
    fn throw<E>(&mut self, error: E) -> CoroutineState<Self::Yield, Self::Return>
    where
        A: Throw<E>,
    {
        Pin::new(self).resume(A::thrown(error))
    }

    /// Resumes with an error, see [`throw`](Self::throw).
    ///
    /// # Errors
    ///
    /// As [`Coroutine::try_resume`]: a finished coroutine gives the error back.
    ///
    /// ```
    /// use coroutines::{Co, Coroutine, CoroutineExt, ResumeError, coroutine};
    /// use std::pin::pin;
    ///
    /// let mut idle = pin!(coroutine(async |_: Co<'_, (), Result<(), &'static str>>, _first| ()));
    /// idle.as_mut().close();
    /// assert_eq!(idle.try_throw("late"), Err(ResumeError::Finished(Err("late"))));
    /// ```
    #[inline]
    fn try_throw<E>(
        &mut self,
        error: E,
    ) -> Result<CoroutineState<Self::Yield, Self::Return>, ResumeError<A>>
    where
        A: Throw<E>,
    {
        Pin::new(self).try_resume(A::thrown(error))
    }

    /// Throws `error` in and expects the body to return; closes it in any case. `None` if it had already finished.
    ///
    /// # Errors
    ///
    /// [`Ignored`] with what the body yielded instead of returning.
    ///
    /// # Panics
    ///
    /// As [`Coroutine::resume`], except that nothing happens to a finished coroutine.
    ///
    /// ```
    /// use coroutines::{Co, CoroutineExt, coroutine};
    /// use std::pin::pin;
    ///
    /// let mut count = pin!(coroutine(async |mut co: Co<'_, (), Result<(), &'static str>>, _first| {
    ///     let mut n = 0;
    ///     while co.yield_(()).await.is_ok() {
    ///         n += 1;
    ///     }
    ///     n
    /// }));
    /// for _ in 0..4 {
    ///     let _ = count.send(());
    /// }
    /// assert_eq!(count.close_with("that is all"), Ok(Some(3)));
    /// assert_eq!(count.close_with("again"), Ok(None));
    /// ```
    #[track_caller]
    fn close_with<E>(&mut self, error: E) -> Result<Option<Self::Return>, Ignored<Self::Yield>>
    where
        A: Throw<E>,
    {
        match self.try_throw(error) {
            Ok(CoroutineState::Complete(value)) => Ok(Some(value)),
            Ok(CoroutineState::Yielded(value)) => {
                Pin::new(self).close();
                Err(Ignored(value))
            }
            Err(ResumeError::Finished(_)) => Ok(None),
            Err(error) => error.raise(),
        }
    }
}

impl<A, C: Coroutine<A> + Unpin + ?Sized> CoroutineExt<A> for C {}

/// What [`send`](CoroutineExt::send) takes for an argument of type `A`.
///
/// That is `A` itself, and `S` where `A` is `Result<S, E>`.
pub trait Message<A> {
    /// The argument that the body gets.
    fn into_argument(self) -> A;
}

impl<A> Message<A> for A {
    #[inline(always)]
    fn into_argument(self) -> A {
        self
    }
}

impl<S, E> Message<Result<S, E>> for S {
    #[inline(always)]
    fn into_argument(self) -> Result<S, E> {
        Ok(self)
    }
}

/// An argument that can be an error of type `E`: `Result<S, E>`.
pub trait Throw<E> {
    /// The argument that the body gets.
    fn thrown(error: E) -> Self;
}

impl<S, E> Throw<E> for Result<S, E> {
    #[inline(always)]
    fn thrown(error: E) -> Self {
        Err(error)
    }
}
