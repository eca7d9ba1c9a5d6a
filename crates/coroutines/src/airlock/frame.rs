//! A body's frame: where it lives, how it is resumed, when it goes.

use core::mem;
use core::pin::Pin;
#[cfg(feature = "stream")]
use core::task::{Context, Poll};

use super::{Brand, waker};
use crate::Gen;
use crate::state::Step;

/// The body `F`, or what is left of it. Once pinned, the body is not moved until it has been dropped in place.
pub(crate) enum Frame<F: Future> {
    /// Not started, or suspended.
    Live(F),
    /// Returned while it was iterated over; the value waits to be asked for.
    Returned(F::Output),
    /// Returned, panicked, or closed.
    Gone,
}

impl<F: Future> Frame<F> {
    /// The body, pinned as the frame is.
    #[inline(always)]
    fn live(self: Pin<&mut Self>) -> Option<Pin<&mut F>> {
        // SAFETY: nothing is moved out of the reference below.
        match unsafe { self.get_unchecked_mut() } {
            // SAFETY: the body is pinned because the frame is. No method moves it: `set` drops it in place. `Frame` has
            // no `Drop` of its own, and is `Unpin` only if `F` is.
            Self::Live(body) => Some(unsafe { Pin::new_unchecked(body) }),
            _ => None,
        }
    }

    /// Takes the value that the body returned while it was iterated over.
    pub(crate) fn take_returned(mut self: Pin<&mut Self>) -> Option<F::Output> {
        if !matches!(*self, Self::Returned(_)) {
            return None;
        }
        // SAFETY: the frame holds no body now, only its output, which is not pinned: `Frame` hands out no pinned
        // reference to it.
        match mem::replace(unsafe { self.as_mut().get_unchecked_mut() }, Self::Gone) {
            Self::Returned(value) => Some(value),
            _ => None,
        }
    }

    /// Whether there is a body to resume.
    #[inline(always)]
    pub(crate) fn is_live(&self) -> bool {
        matches!(self, Self::Live(_))
    }

    /// Runs the body to its next `yield_` or its end.
    // Not `inline(always)`: so that there is one place that polls the body when inlining gets there, and it is inlined
    // whatever its size.
    #[inline]
    pub(crate) fn step<Y, A>(
        self: Pin<&mut Self>,
        brand: Brand<Y, A>,
        arg: A,
    ) -> Step<Y, F::Output> {
        let mut end = End(self);
        let Some(body) = end.0.as_mut().live() else {
            mem::forget(end);
            return Step::Finished;
        };
        let step = waker::poll(brand, body, arg);
        if matches!(step, Step::Yielded(_)) {
            mem::forget(end);
        }
        step
    }
}

#[cfg(feature = "stream")]
impl<F: Future> Frame<F> {
    /// Polls the body on behalf of a task, see [`waker::poll_through`].
    #[inline]
    pub(crate) fn poll_step<Y, A>(
        self: Pin<&mut Self>,
        brand: Brand<Y, A>,
        arg: &mut Option<A>,
        cx: &Context<'_>,
    ) -> Poll<Step<Y, F::Output>> {
        let mut end = End(self);
        let Some(body) = end.0.as_mut().live() else {
            mem::forget(end);
            return Poll::Ready(Step::Finished);
        };
        let step = waker::poll_through(brand, body, arg, cx);
        if matches!(step, Poll::Pending | Poll::Ready(Step::Yielded(_))) {
            mem::forget(end);
        }
        step
    }
}

/// Drops the body on every way out of `resume` but a yield, a panic included.
struct End<'f, F: Future>(Pin<&'f mut Frame<F>>);

impl<F: Future> Drop for End<'_, F> {
    #[inline]
    fn drop(&mut self) {
        self.0.set(Frame::Gone);
    }
}

impl<Y, A, F: Future> Gen<Y, A, F> {
    /// The frame, pinned as the generator is.
    #[inline(always)]
    pub(crate) fn frame(self: Pin<&mut Self>) -> Pin<&mut Frame<F>> {
        // SAFETY: the frame is pinned because the generator is: nothing moves it out, the generator has no `Drop` of its
        // own, and is `Unpin` only if the frame is.
        unsafe { self.map_unchecked_mut(|this| &mut this.frame) }
    }
}

#[cfg(feature = "stream")]
impl<Y, A, F: Future> crate::AsyncGen<Y, A, F> {
    /// The frame, pinned as the generator is, and the rest of it, which never is.
    #[inline(always)]
    pub(crate) fn parts(
        self: Pin<&mut Self>,
    ) -> (Pin<&mut Frame<F>>, &mut crate::stream::Waiting<A>) {
        // SAFETY: nothing is moved out of the reference below.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: the frame is pinned because the generator is, as for `Gen`.
        let frame = unsafe { Pin::new_unchecked(&mut this.frame) };
        (frame, &mut this.waiting)
    }
}
