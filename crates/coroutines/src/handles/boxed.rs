//! Generators on the heap, their bodies' types forgotten.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::pin::Pin;

use crate::raw::ResumeOutcome;
use crate::{Coroutine, CoroutineState, ExecutionState, ResumeError};

/// A coroutine on the heap, whatever its body: movable, with `&mut self` methods.
pub type Boxed<'a, Y, A = (), R = ()> = BoxedAs<A, dyn Coroutine<A, Yield = Y, Return = R> + 'a>;

/// As [`Boxed`], for one that may be resumed on another thread.
pub type BoxedSend<'a, Y, A = (), R = ()> =
    BoxedAs<A, dyn Coroutine<A, Yield = Y, Return = R> + Send + 'a>;

/// What [`Boxed`] and [`BoxedSend`] have in common; made by [`Gen::boxed`](crate::Gen::boxed),
/// [`Gen::boxed_send`](crate::Gen::boxed_send) and [`from_box`](Self::from_box).
///
/// It is an [`Iterator`] if the argument is `()`. A resume is a call through a pointer; [`fill`](Self::fill), `fold` and
/// `for_each` make one such call for many values.
///
/// # Examples
///
/// ```
/// use coroutines::{Co, CoroutineExt, CoroutineState, coroutine};
///
/// let mut echo = coroutine(async |mut co: Co<'_, String, &str>, first| {
///     let mut word = first;
///     while !word.is_empty() {
///         word = co.yield_(word.to_uppercase()).await;
///     }
/// })
/// .boxed();
/// assert_eq!(echo.resume("a"), CoroutineState::Yielded("A".into()));
/// assert_eq!(echo.send("b"), CoroutineState::Yielded("B".into()));
/// assert_eq!(echo.send(""), CoroutineState::Complete(()));
/// ```
#[must_use = "nothing runs before the first resume"]
pub struct BoxedAs<A, C: Coroutine<A> + ?Sized> {
    inner: Pin<Box<C>>,
    returned: Option<C::Return>,
    args: PhantomData<fn(A)>,
}

// The coroutine is behind a pointer, and the value is never pinned.
impl<A, C: Coroutine<A> + ?Sized> Unpin for BoxedAs<A, C> {}

impl<A, C: Coroutine<A> + ?Sized> BoxedAs<A, C> {
    /// Wraps a coroutine that is on the heap already, one written by hand, say.
    pub fn from_box(inner: Pin<Box<C>>) -> Self {
        Self {
            inner,
            returned: None,
            args: PhantomData,
        }
    }

    /// Runs to the next yield or to the end, see [`Coroutine::resume`].
    ///
    /// # Panics
    ///
    /// As there.
    #[inline]
    #[track_caller]
    pub fn resume(&mut self, arg: A) -> CoroutineState<C::Yield, C::Return> {
        match self.inner.as_mut().step(arg) {
            ResumeOutcome::Yielded(value) => CoroutineState::Yielded(value),
            ResumeOutcome::Complete(value) => CoroutineState::Complete(value),
            stuck => stuck.raise(),
        }
    }

    /// Runs to the next yield or to the end, see [`Coroutine::try_resume`].
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn try_resume(
        &mut self,
        arg: A,
    ) -> Result<CoroutineState<C::Yield, C::Return>, ResumeError<A>> {
        self.inner.as_mut().try_resume(arg)
    }

    /// Whether it has returned, panicked or been closed.
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.inner.is_finished()
    }

    /// Whether nothing of it has run, or it is suspended, or has finished, see [`Coroutine::state`].
    ///
    /// ```
    /// use coroutines::{Co, ExecutionState, generator};
    ///
    /// let mut g = generator(async |mut co: Co<'_, u8>| co.yield_(1).await).boxed();
    /// assert_eq!(g.state(), ExecutionState::Created);
    /// assert_eq!(g.next(), Some(1));
    /// assert_eq!(g.state(), ExecutionState::Suspended);
    /// ```
    pub fn state(&self) -> ExecutionState {
        self.inner.state()
    }

    /// Ends it where it is, see [`Coroutine::close`].
    pub fn close(&mut self) {
        self.inner.as_mut().close();
    }

    /// What the body returned, if it ended while it was used as an iterator, and if nobody has taken it yet.
    ///
    /// ```
    /// use coroutines::{Co, generator};
    ///
    /// let mut g = generator(async |mut co: Co<'_, u8>| {
    ///     co.yield_(1).await;
    ///     "end"
    /// })
    /// .boxed();
    /// assert_eq!(g.by_ref().count(), 1);
    /// assert_eq!(g.take_return(), Some("end"));
    /// ```
    pub fn take_return(&mut self) -> Option<C::Return> {
        self.returned.take()
    }
}

impl<C: Coroutine + ?Sized> BoxedAs<(), C> {
    /// Appends the next `max` values to `out`, fewer if the end comes first, and says how many: one call for the batch.
    ///
    /// # Panics
    ///
    /// As [`Coroutine::fill`].
    ///
    /// ```
    /// use coroutines::{Co, generator};
    ///
    /// let mut g = generator(async |mut co: Co<'_, u32>| co.yield_all(0..100).await).boxed();
    /// let mut batch = Vec::new();
    /// assert_eq!(g.fill(&mut batch, 64), 64);
    /// assert_eq!(g.fill(&mut batch, 64), 36);
    /// assert_eq!(g.fill(&mut batch, 64), 0);
    /// ```
    pub fn fill(&mut self, out: &mut Vec<C::Yield>, max: usize) -> usize {
        let before = out.len();
        if let Some(value) = self.inner.as_mut().fill(out, max) {
            self.returned = Some(value);
        }
        out.len() - before
    }
}

impl<C: Coroutine + ?Sized> Iterator for BoxedAs<(), C> {
    type Item = C::Yield;

    #[inline]
    fn next(&mut self) -> Option<C::Yield> {
        match self.inner.as_mut().step(()) {
            ResumeOutcome::Yielded(value) => Some(value),
            ResumeOutcome::Complete(value) => {
                self.returned = Some(value);
                None
            }
            ResumeOutcome::Finished => None,
            stuck => stuck.raise(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.is_finished().then_some(0))
    }

    fn fold<T, G>(mut self, init: T, mut each: G) -> T
    where
        G: FnMut(T, C::Yield) -> T,
    {
        let mut sum = Some(init);
        let _ = self.inner.as_mut().drive(&mut |value| {
            // Taken and put back: a panic of `each` leaves it empty, and nobody looks.
            if let Some(so_far) = sum.take() {
                sum = Some(each(so_far, value));
            }
        });
        let Some(sum) = sum else {
            unreachable!("put back after every value")
        };
        sum
    }
}

impl<C: Coroutine + ?Sized> FusedIterator for BoxedAs<(), C> {}

impl<A, C: Coroutine<A> + ?Sized> Coroutine<A> for BoxedAs<A, C> {
    type Yield = C::Yield;
    type Return = C::Return;

    #[inline]
    fn try_resume(
        self: Pin<&mut Self>,
        arg: A,
    ) -> Result<CoroutineState<C::Yield, C::Return>, ResumeError<A>> {
        self.get_mut().try_resume(arg)
    }

    #[inline]
    fn is_finished(&self) -> bool {
        self.inner.is_finished()
    }

    fn state(&self) -> ExecutionState {
        self.inner.state()
    }

    fn close(self: Pin<&mut Self>) {
        self.get_mut().close();
    }

    fn try_close(self: Pin<&mut Self>) -> Result<(), ResumeError> {
        self.get_mut().inner.as_mut().try_close()
    }

    #[inline]
    #[track_caller]
    fn resume(self: Pin<&mut Self>, arg: A) -> CoroutineState<C::Yield, C::Return> {
        self.get_mut().resume(arg)
    }

    #[inline]
    fn step(self: Pin<&mut Self>, arg: A) -> ResumeOutcome<C::Yield, C::Return> {
        self.get_mut().inner.as_mut().step(arg)
    }

    fn fill(self: Pin<&mut Self>, out: &mut Vec<C::Yield>, max: usize) -> Option<C::Return>
    where
        A: Default,
    {
        self.get_mut().inner.as_mut().fill(out, max)
    }

    fn drive(self: Pin<&mut Self>, each: &mut dyn FnMut(C::Yield)) -> Option<C::Return>
    where
        A: Default,
    {
        self.get_mut().inner.as_mut().drive(each)
    }
}

impl<A, C: Coroutine<A> + ?Sized> fmt::Debug for BoxedAs<A, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Boxed")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
