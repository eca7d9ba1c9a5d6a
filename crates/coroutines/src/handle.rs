//! The body's end of the line.

use core::cell::Cell;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::raw::{self, InstanceId};
use crate::{Coroutine, CoroutineState};

/// A coroutine's handle to whoever resumes it: hands out values of type `Y` and gets back arguments of type `A`.
///
/// The body receives it by value and cannot let it out: the lifetime is one that the body knows nothing of. A helper
/// function takes `&mut Co<'_, Y, A>`, yields through it, and costs no more than the same lines written in place. It can
/// neither be cloned nor used for two values at once.
///
/// # Examples
///
/// ```
/// use coroutines::{Co, generator};
/// use std::pin::pin;
///
/// async fn twice(co: &mut Co<'_, u32>, x: u32) {
///     co.yield_(x).await;
///     co.yield_(x).await;
/// }
///
/// let all = pin!(generator(async |mut co: Co<'_, u32>| {
///     twice(&mut co, 1).await;
///     twice(&mut co, 2).await;
/// }));
/// assert_eq!(all.collect::<Vec<_>>(), [1, 1, 2, 2]);
/// ```
pub struct Co<'a, Y, A = ()> {
    id: InstanceId<Y, A>,
    // `Cell`: goes to another thread only if both values may.
    hold: PhantomData<(&'a (), Cell<(Y, A)>)>,
}

impl<Y, A> Co<'_, Y, A> {
    #[inline(always)]
    pub(crate) fn new(id: InstanceId<Y, A>) -> Self {
        Self {
            id,
            hold: PhantomData,
        }
    }

    #[cfg(feature = "alloc")]
    pub(crate) fn id(&self) -> InstanceId<Y, A> {
        self.id
    }

    /// Hands `value` to whoever resumes the coroutine, and waits there for the next resume; its argument is the result.
    ///
    /// Nothing happens before the `await`. A `yield_` dropped while it waits (as the loser of a race, say) has handed out
    /// its value, unless the body ends in the same resume; the argument that answers it is dropped.
    ///
    /// # Panics
    ///
    /// When it is awaited anywhere but in the body that this handle was given to, or inside a combinator that polls with
    /// a waker of its own. The coroutine that awaited it is then finished.
    ///
    /// ```
    /// use coroutines::{Co, CoroutineExt, CoroutineState, coroutine};
    /// use std::pin::pin;
    ///
    /// let mut sum = pin!(coroutine(async |mut co: Co<'_, u32, u32>, first| {
    ///     let mut total = first;
    ///     loop {
    ///         total += co.yield_(total).await;
    ///     }
    /// }));
    /// assert_eq!(sum.send(1), CoroutineState::<_, ()>::Yielded(1));
    /// assert_eq!(sum.send(2), CoroutineState::Yielded(3));
    /// ```
    #[inline(always)]
    pub fn yield_(&mut self, value: Y) -> Yield<'_, Y, A> {
        Yield {
            id: self.id,
            value: Some(value),
            hold: PhantomData,
        }
    }

    /// Puts `sub` in this coroutine's place until it returns: what it yields goes out, what comes in (thrown errors, too)
    /// goes to it, and what it returns is the result. It is resumed with `first` to begin.
    ///
    /// `sub` is anything that can be resumed by `&mut`: `pin!(generator(..))`, a boxed generator, a hand-written
    /// coroutine, or a `&mut` to one of these. It is closed if this coroutine is closed meanwhile, unless it is a
    /// [`Shared`](crate::Shared) that another handle executes at that moment: then it is left as it is.
    ///
    /// # Panics
    ///
    /// When `sub` has finished before, or cannot be resumed for another reason ([`ResumeError`](crate::ResumeError)).
    ///
    /// ```
    /// use coroutines::{Co, generator};
    /// use std::pin::pin;
    ///
    /// let inner = async |mut co: Co<'_, u8>| {
    ///     co.yield_(1).await;
    ///     co.yield_(2).await;
    ///     "inner's result"
    /// };
    /// let outer = pin!(generator(async |mut co: Co<'_, u8>| {
    ///     let result = co.yield_from(pin!(generator(inner)), ()).await;
    ///     assert_eq!(result, "inner's result");
    ///     co.yield_(3).await;
    /// }));
    /// assert_eq!(outer.collect::<Vec<_>>(), [1, 2, 3]);
    /// ```
    pub async fn yield_from<C>(&mut self, sub: C, first: A) -> C::Return
    where
        C: Coroutine<A, Yield = Y> + Unpin,
    {
        let mut sub = Delegate {
            sub,
            args: PhantomData,
        };
        let mut arg = first;
        loop {
            match Pin::new(&mut sub.sub).resume(arg) {
                CoroutineState::Yielded(value) => arg = self.yield_(value).await,
                CoroutineState::Complete(value) => return value,
            }
        }
    }
}

impl<Y> Co<'_, Y> {
    /// Yields each item of `items`. It is there for handles whose argument is `()`: no argument goes lost.
    ///
    /// ```
    /// use coroutines::{Co, generator};
    /// use std::pin::pin;
    ///
    /// let all = pin!(generator(async |mut co: Co<'_, u8>| {
    ///     co.yield_all([1, 2]).await;
    ///     co.yield_all(7..9).await;
    /// }));
    /// assert_eq!(all.collect::<Vec<_>>(), [1, 2, 7, 8]);
    /// ```
    pub async fn yield_all(&mut self, items: impl IntoIterator<Item = Y>) {
        for item in items {
            self.yield_(item).await;
        }
    }
}

impl<Y, A> core::fmt::Debug for Co<'_, Y, A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Co").finish_non_exhaustive()
    }
}

/// The wait for an answer to a yielded value; made by [`Co::yield_`].
#[must_use = "nothing is yielded before the `.await`"]
pub struct Yield<'s, Y, A = ()> {
    id: InstanceId<Y, A>,
    value: Option<Y>,
    hold: PhantomData<(&'s mut (), Cell<(Y, A)>)>,
}

// The value is moved out and never pinned.
impl<Y, A> Unpin for Yield<'_, Y, A> {}

impl<Y, A> Future for Yield<'_, Y, A> {
    type Output = A;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<A> {
        raw::poll_yield(self.id, &mut self.value, cx)
    }
}

impl<Y, A> core::fmt::Debug for Yield<'_, Y, A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Yield").finish_non_exhaustive()
    }
}

/// Closes `sub` however the delegation ends. Does nothing to one that has returned, or that another handle executes.
struct Delegate<A, C: Coroutine<A> + Unpin> {
    sub: C,
    args: PhantomData<fn(A)>,
}

impl<A, C: Coroutine<A> + Unpin> Drop for Delegate<A, C> {
    fn drop(&mut self) {
        // A destructor cannot report that another handle is executing it; that handle goes on.
        let _ = Pin::new(&mut self.sub).try_close();
    }
}
