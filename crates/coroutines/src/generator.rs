//! Coroutines made from `async` closures.

#[cfg(feature = "alloc")]
use alloc::{boxed::Box, vec::Vec};
use core::iter::FusedIterator;
use core::pin::Pin;

use crate::raw::{Frame, InstanceId, ResumeOutcome, Start, project_frame};
#[cfg(feature = "alloc")]
use crate::{Boxed, BoxedSend};
use crate::{Co, Coroutine, CoroutineState, ExecutionState, ResumeError};

/// A generator whose body is `body`: it hands out values, and is resumed without an argument.
///
/// Nothing runs before the first resume. Pin it where it is ([`pin!`](core::pin::pin), no allocation) or
/// [box](Gen::boxed) it; either way it is an [`Iterator`] over what it yields.
///
/// # Examples
///
/// ```
/// use coroutines::{Co, generator};
/// use std::pin::pin;
///
/// fn squares(n: u32) -> impl Iterator<Item = u32> {
///     generator(async move |mut co: Co<'_, u32>| {
///         for i in 0..n {
///             co.yield_(i * i).await;
///         }
///     })
///     .boxed()
/// }
/// assert_eq!(squares(4).collect::<Vec<_>>(), [0, 1, 4, 9]);
/// ```
///
/// The handle stays inside:
///
/// ```compile_fail
/// use coroutines::{Co, generator};
///
/// let mut leaked = None;
/// let _ = generator(async |co: Co<'_, u32>| leaked = Some(co));
/// ```
#[inline]
pub fn generator<Y, R, B>(body: B) -> Gen<Y, (), impl Future<Output = R>>
where
    B: AsyncFnOnce(Co<'_, Y>) -> R,
{
    let id = InstanceId::fresh();
    // `Co` is created with lifetime `'static`. The body is generic over the lifetime, so it cannot exploit that.
    Gen {
        frame: Frame::new(id, body(Co::new(id))),
    }
}

/// A coroutine whose body is `body`: it hands out values, and gets an argument with each resume, the first one included.
///
/// # Examples
///
/// ```
/// use coroutines::{Co, CoroutineExt, CoroutineState::*, coroutine};
/// use std::pin::pin;
///
/// // Keeps the largest number it has been sent; a zero ends it.
/// let mut largest = pin!(coroutine(async |mut co: Co<'_, u32, u32>, first| {
///     let mut max = first;
///     loop {
///         match co.yield_(max).await {
///             0 => return max,
///             n => max = max.max(n),
///         }
///     }
/// }));
/// assert_eq!(largest.send(3), Yielded(3));
/// assert_eq!(largest.send(2), Yielded(3));
/// assert_eq!(largest.send(0), Complete(3));
/// ```
#[inline]
pub fn coroutine<Y, A, R, B>(body: B) -> Gen<Y, A, impl Future<Output = R>>
where
    B: AsyncFnOnce(Co<'_, Y, A>, A) -> R,
{
    let id = InstanceId::fresh();
    let start = Start::new(id, move |arg| body(Co::new(id), arg));
    Gen {
        frame: Frame::new(id, start),
    }
}

/// A generator or coroutine: the body's frame, and nothing on the heap. Made by [`generator`] and [`coroutine`].
///
/// It must be pinned to be resumed, since the body may hold borrows of its own variables. `pin!(..)` gives a
/// `Pin<&mut Gen>`, which is an [`Iterator`] if the argument is `()`, and a [`Coroutine`] always; so does `Box::pin`, and
/// [`boxed`](Self::boxed) forgets the body's type as well.
///
/// It is `Send` if what the body holds across its yields is. Dropping it drops the body where it waits.
#[must_use = "nothing runs before the first resume"]
pub struct Gen<Y, A, F: Future> {
    // Pinned with the whole.
    frame: Frame<Y, A, F>,
}

project_frame!(Gen<Y, A, F>);

impl<Y, A, F: Future> Gen<Y, A, F> {
    /// What the body returned, if it ended while it was used as an iterator, and if nobody has taken it yet.
    ///
    /// [`Coroutine::resume`] hands the value over itself.
    ///
    /// ```
    /// use coroutines::{Co, generator};
    /// use std::pin::pin;
    ///
    /// let mut sum = pin!(generator(async |mut co: Co<'_, u32>| {
    ///     co.yield_all(1..4).await;
    ///     "the end"
    /// }));
    /// assert_eq!(sum.as_mut().take_return(), None);
    /// assert_eq!(sum.by_ref().sum::<u32>(), 6);
    /// assert_eq!(sum.as_mut().take_return(), Some("the end"));
    /// ```
    pub fn take_return(self: Pin<&mut Self>) -> Option<F::Output> {
        self.frame().take_returned()
    }

    /// Moves it to the heap and forgets the body's type: one type for all generators of the same values.
    ///
    /// ```
    /// use coroutines::{Boxed, Co, generator};
    ///
    /// let mut both: Vec<Boxed<'_, u8>> = Vec::new();
    /// both.push(generator(async |mut co: Co<'_, u8>| co.yield_(1).await).boxed());
    /// both.push(generator(async |mut co: Co<'_, u8>| co.yield_all(2..4).await).boxed());
    /// assert_eq!(both.into_iter().flatten().collect::<Vec<_>>(), [1, 2, 3]);
    /// ```
    #[cfg(feature = "alloc")]
    pub fn boxed<'a>(self) -> Boxed<'a, Y, A, F::Output>
    where
        Self: 'a,
    {
        Boxed::from_box(Box::pin(self))
    }

    /// As [`boxed`](Self::boxed), for one that may be resumed on another thread.
    ///
    /// ```
    /// use coroutines::{Co, generator};
    ///
    /// let mut g = generator(async |mut co: Co<'_, u8>| co.yield_all(1..=3).await).boxed_send();
    /// assert_eq!(g.next(), Some(1));
    /// let rest = std::thread::spawn(move || g.collect::<Vec<_>>()).join();
    /// assert_eq!(rest.ok(), Some(vec![2, 3]));
    /// ```
    #[cfg(feature = "alloc")]
    pub fn boxed_send<'a>(self) -> BoxedSend<'a, Y, A, F::Output>
    where
        Self: Send + 'a,
    {
        BoxedSend::from_box(Box::pin(self))
    }
}

impl<Y, A, F: Future> Coroutine<A> for Gen<Y, A, F> {
    type Yield = Y;
    type Return = F::Output;

    #[inline]
    fn try_resume(
        self: Pin<&mut Self>,
        arg: A,
    ) -> Result<CoroutineState<Y, F::Output>, ResumeError<A>> {
        if self.is_finished() {
            return Err(ResumeError::Finished(arg));
        }
        match self.step(arg) {
            ResumeOutcome::Yielded(value) => Ok(CoroutineState::Yielded(value)),
            ResumeOutcome::Complete(value) => Ok(CoroutineState::Complete(value)),
            // Nothing else is left: it had not finished, and cannot be executing while it is borrowed here.
            _ => Err(ResumeError::ForeignAwait),
        }
    }

    #[inline]
    #[track_caller]
    fn resume(self: Pin<&mut Self>, arg: A) -> CoroutineState<Y, F::Output> {
        match self.step(arg) {
            ResumeOutcome::Yielded(value) => CoroutineState::Yielded(value),
            ResumeOutcome::Complete(value) => CoroutineState::Complete(value),
            stuck => stuck.raise(),
        }
    }

    #[inline]
    fn step(self: Pin<&mut Self>, arg: A) -> ResumeOutcome<Y, F::Output> {
        self.frame().resume(arg)
    }

    #[inline]
    fn is_finished(&self) -> bool {
        !self.frame.is_live()
    }

    fn state(&self) -> ExecutionState {
        self.frame.state()
    }

    fn close(self: Pin<&mut Self>) {
        self.frame().close();
    }

    #[cfg(feature = "alloc")]
    fn fill(self: Pin<&mut Self>, out: &mut Vec<Y>, max: usize) -> Option<F::Output>
    where
        A: Default,
    {
        match self.frame().fill(out, max) {
            None | Some(ResumeOutcome::Finished) => None,
            Some(ResumeOutcome::Complete(value)) => Some(value),
            Some(stuck) => stuck.raise(),
        }
    }
}

impl<Y, F: Future> Gen<Y, (), F> {
    #[inline(always)]
    #[track_caller]
    fn advance(self: Pin<&mut Self>) -> Option<Y> {
        let mut frame = self.frame();
        match frame.as_mut().resume(()) {
            ResumeOutcome::Yielded(value) => Some(value),
            ResumeOutcome::Complete(value) => {
                frame.keep_returned(value);
                None
            }
            ResumeOutcome::Finished => None,
            stuck => stuck.raise(),
        }
    }

    fn hint(&self) -> (usize, Option<usize>) {
        (0, self.is_finished().then_some(0))
    }
}

impl<Y, F: Future> Iterator for Pin<&mut Gen<Y, (), F>> {
    type Item = Y;

    #[inline]
    fn next(&mut self) -> Option<Y> {
        self.as_mut().advance()
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.hint()
    }
}

impl<Y, F: Future> FusedIterator for Pin<&mut Gen<Y, (), F>> {}

#[cfg(feature = "alloc")]
impl<Y, F: Future> Iterator for Pin<Box<Gen<Y, (), F>>> {
    type Item = Y;

    #[inline]
    fn next(&mut self) -> Option<Y> {
        self.as_mut().advance()
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.hint()
    }
}

#[cfg(feature = "alloc")]
impl<Y, F: Future> FusedIterator for Pin<Box<Gen<Y, (), F>>> {}

impl<Y, A, F: Future> core::fmt::Debug for Gen<Y, A, F> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Gen")
            .field("state", &self.frame.state())
            .finish_non_exhaustive()
    }
}
