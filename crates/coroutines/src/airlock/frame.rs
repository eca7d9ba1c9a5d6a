//! A body's frame: where it lives, how it is resumed, when it goes.

use core::cell::UnsafeCell;
use core::mem;
use core::panic::RefUnwindSafe;
use core::pin::Pin;
#[cfg(feature = "stream")]
use core::task::{Context, Poll};

use super::{Brand, waker};
use crate::Gen;
use crate::state::Step;

/// The body `F`, or what is left of it. Once pinned, the body is not moved until it has been dropped in place.
///
/// A suspended body may hold unique borrows of its own variables. A reference to the whole frame, shared or unique, would
/// end them, so the body lies in an `UnsafeCell`, whose inside a reference says nothing about (as the standard library's
/// `UnsafePinned` will have it).
pub(crate) struct Frame<F: Future>(UnsafeCell<Body<F>>);

enum Body<F: Future> {
    /// Not started, or suspended.
    Live(F),
    /// Returned while it was iterated over; the value waits to be asked for.
    Returned(F::Output),
    /// Returned, panicked, or closed.
    Gone,
}

// SAFETY: through `&Frame` nothing but `is_live` reaches into the cell, and it reads a discriminant that only
// `Pin<&mut Frame>` can change. So sharing a frame shares what a plain `Body` would share.
unsafe impl<F: Future + Sync> Sync for Frame<F> where F::Output: Sync {}

// Nothing is changed through `&Frame`, so a panic cannot interrupt a change.
impl<F: Future + RefUnwindSafe> RefUnwindSafe for Frame<F> where F::Output: RefUnwindSafe {}

impl<F: Future> Frame<F> {
    pub(crate) fn new(body: F) -> Self {
        Self(UnsafeCell::new(Body::Live(body)))
    }

    /// The body's place.
    #[inline(always)]
    fn body(self: Pin<&mut Self>) -> Pin<&mut Body<F>> {
        // SAFETY: the body is pinned because the frame is: nothing moves it out of the cell, and `Frame` has no `Drop` of
        // its own and is `Unpin` only if the body is.
        unsafe { self.map_unchecked_mut(|frame| frame.0.get_mut()) }
    }

    /// Whether there is a body to resume.
    #[inline(always)]
    pub(crate) fn is_live(&self) -> bool {
        // SAFETY: the pointer is valid, and nothing writes meanwhile: that takes a `Pin<&mut Frame>`. The discriminant is
        // read through the place, without a reference to the body.
        unsafe { matches!(*self.0.get(), Body::Live(_)) }
    }

    /// Drops the body in place.
    pub(crate) fn close(self: Pin<&mut Self>) {
        self.body().set(Body::Gone);
    }

    /// Keeps what the body returned, to be asked for later.
    #[inline(always)]
    pub(crate) fn keep_returned(self: Pin<&mut Self>, value: F::Output) {
        self.body().set(Body::Returned(value));
    }

    /// Takes the value that the body returned while it was iterated over.
    pub(crate) fn take_returned(self: Pin<&mut Self>) -> Option<F::Output> {
        // SAFETY: a `Live` body is not moved, nor borrowed as a whole. The output is not pinned: no pinned reference to it is
        // handed out.
        let body = unsafe { self.body().get_unchecked_mut() };
        match body {
            Body::Returned(_) => match mem::replace(body, Body::Gone) {
                Body::Returned(value) => Some(value),
                _ => None,
            },
            _ => None,
        }
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
        let mut end = End(self.body());
        let Some(body) = end.live() else {
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
        let mut end = End(self.body());
        let Some(body) = end.live() else {
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
struct End<'f, F: Future>(Pin<&'f mut Body<F>>);

impl<F: Future> End<'_, F> {
    /// The future to poll, pinned as its place is.
    #[inline(always)]
    fn live(&mut self) -> Option<Pin<&mut F>> {
        // SAFETY: nothing is moved out of the reference below.
        match unsafe { self.0.as_mut().get_unchecked_mut() } {
            // SAFETY: the future is pinned because its place is. Nothing moves it: `set` drops it in place. `Body` has no
            // `Drop` of its own, and is `Unpin` only if `F` is.
            Body::Live(future) => Some(unsafe { Pin::new_unchecked(future) }),
            _ => None,
        }
    }
}

impl<F: Future> Drop for End<'_, F> {
    #[inline]
    fn drop(&mut self) {
        self.0.set(Body::Gone);
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
