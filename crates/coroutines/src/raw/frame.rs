//! The frame of a coroutine: where its body lives, how it is resumed, and when it is dropped.

use core::cell::UnsafeCell;
use core::mem;
use core::panic::RefUnwindSafe;
use core::pin::Pin;
#[cfg(feature = "stream")]
use core::task::{Context, Poll};

use super::{InstanceId, ResumeOutcome, slot};
use crate::state::ExecutionState;

/// The body `F`, or what is left of it. Once pinned, the body is not moved until it has been dropped in place.
///
/// A suspended body may hold unique borrows of its own variables. A reference to the whole frame, shared or unique, would
/// end them, so the body lies in an `UnsafeCell`, whose inside a reference says nothing about (as the standard library's
/// `UnsafePinned` will have it).
pub(crate) struct Frame<Y, A, F: Future> {
    id: InstanceId<Y, A>,
    body: UnsafeCell<Body<F>>,
}

/// The states of a body.
///
/// | state | event | next state |
/// |---|---|---|
/// | `Live` | a resume yields | `Live`, `started` |
/// | `Live` | a resume returns, panics or awaits a foreign future; a close | `Gone` |
/// | `Gone` | the iterator keeps the returned value | `Returned` |
/// | `Returned` | the value is taken; a close | `Gone` |
enum Body<F: Future> {
    /// Not started, or suspended.
    Live { started: bool, future: F },
    /// Returned while it was iterated over; the value has not been taken.
    Returned(F::Output),
    /// Returned, panicked, or closed.
    Gone,
}

// SAFETY: through `&Frame` only `is_live` and `state` reach into the cell. They read a discriminant and a flag that
// only `Pin<&mut Frame>` can change. So sharing a frame shares what a plain `Body` would share.
unsafe impl<Y, A, F: Future + Sync> Sync for Frame<Y, A, F> where F::Output: Sync {}

// Nothing is changed through `&Frame`, so a panic cannot interrupt a change.
impl<Y, A, F: Future + RefUnwindSafe> RefUnwindSafe for Frame<Y, A, F> where F::Output: RefUnwindSafe
{}

impl<Y, A, F: Future> Frame<Y, A, F> {
    pub(crate) fn new(id: InstanceId<Y, A>, future: F) -> Self {
        Self {
            id,
            body: UnsafeCell::new(Body::Live {
                started: false,
                future,
            }),
        }
    }

    /// The body's place.
    #[inline(always)]
    fn body(self: Pin<&mut Self>) -> Pin<&mut Body<F>> {
        // SAFETY: the body is pinned because the frame is: nothing moves it out of the cell, and `Frame` has no `Drop` of
        // its own and is `Unpin` only if the body is.
        unsafe { self.map_unchecked_mut(|frame| frame.body.get_mut()) }
    }

    /// Whether there is a body to resume.
    #[inline(always)]
    pub(crate) fn is_live(&self) -> bool {
        // SAFETY: the pointer is valid, and nothing writes meanwhile: that takes a `Pin<&mut Frame>`. The discriminant is
        // read through the place, without a reference to the body.
        unsafe { matches!(*self.body.get(), Body::Live { .. }) }
    }

    /// The state between two resumes.
    pub(crate) fn state(&self) -> ExecutionState {
        // SAFETY: as in `is_live`: the pointer is valid and nothing writes meanwhile. The discriminant and the flag are
        // read through the place, without a reference to the body.
        unsafe {
            match *self.body.get() {
                Body::Live { started: false, .. } => ExecutionState::Created,
                Body::Live { started: true, .. } => ExecutionState::Suspended,
                Body::Returned(_) | Body::Gone => ExecutionState::Finished,
            }
        }
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
    pub(crate) fn resume(self: Pin<&mut Self>, arg: A) -> ResumeOutcome<Y, F::Output> {
        let id = self.id;
        let mut end = End(self.body());
        let Some(body) = end.live() else {
            mem::forget(end);
            return ResumeOutcome::Finished;
        };
        let outcome = slot::poll(id, body, arg);
        if matches!(outcome, ResumeOutcome::Yielded(_)) {
            mem::forget(end);
        }
        outcome
    }
}

#[cfg(feature = "stream")]
impl<Y, A, F: Future> Frame<Y, A, F> {
    /// Polls the body on behalf of a task, see [`slot::poll_in_task`].
    #[inline]
    pub(crate) fn poll_resume(
        self: Pin<&mut Self>,
        arg: &mut Option<A>,
        cx: &Context<'_>,
    ) -> Poll<ResumeOutcome<Y, F::Output>> {
        let id = self.id;
        let mut end = End(self.body());
        let Some(body) = end.live() else {
            mem::forget(end);
            return Poll::Ready(ResumeOutcome::Finished);
        };
        let outcome = slot::poll_in_task(id, body, arg, cx);
        if matches!(
            outcome,
            Poll::Pending | Poll::Ready(ResumeOutcome::Yielded(_))
        ) {
            mem::forget(end);
        }
        outcome
    }
}

/// Drops the body when a resume ends without a yield, by a panic included.
struct End<'f, F: Future>(Pin<&'f mut Body<F>>);

impl<F: Future> End<'_, F> {
    /// The future to poll, pinned as its place is.
    #[inline(always)]
    fn live(&mut self) -> Option<Pin<&mut F>> {
        // SAFETY: nothing is moved out of the reference below.
        match unsafe { self.0.as_mut().get_unchecked_mut() } {
            Body::Live { started, future } => {
                *started = true;
                // SAFETY: the future is pinned because its place is. Nothing moves it: `set` drops it in place. `Body` has
                // no `Drop` of its own, and is `Unpin` only if `F` is.
                Some(unsafe { Pin::new_unchecked(future) })
            }
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

/// Gives a type a method that projects a pinned reference to its field `frame`, and to a second field, which is never pinned.
///
/// The type must be `Unpin` only if its frame is. It cannot have a `Drop` of its own: the trait below would conflict.
macro_rules! project_frame {
    ($name:ident<$($parameter:ident),*>) => {
        $crate::raw::project_frame!(@no_drop $name<$($parameter),*>);

        impl<$($parameter),*> $name<$($parameter),*> where F: Future {
            /// The frame, pinned as the whole is.
            #[inline(always)]
            #[allow(unsafe_code, reason = "the macro is part of `raw`")]
            fn frame(
                self: core::pin::Pin<&mut Self>,
            ) -> core::pin::Pin<&mut $crate::raw::Frame<Y, A, F>> {
                // SAFETY: the frame is pinned because the whole is: it is moved out nowhere, the type has no `Drop` of its
                // own, and is `Unpin` only if the frame is.
                unsafe { self.map_unchecked_mut(|this| &mut this.frame) }
            }
        }
    };
    ($name:ident<$($parameter:ident),*>, $field:ident: $type:ty) => {
        $crate::raw::project_frame!(@no_drop $name<$($parameter),*>);

        impl<$($parameter),*> $name<$($parameter),*> where F: Future {
            /// The frame, pinned as the whole is, and the other field, which never is.
            #[inline(always)]
            #[allow(unsafe_code, reason = "the macro is part of `raw`")]
            fn project(
                self: core::pin::Pin<&mut Self>,
            ) -> (core::pin::Pin<&mut $crate::raw::Frame<Y, A, F>>, &mut $type) {
                // SAFETY: nothing is moved out of the reference below.
                let this = unsafe { self.get_unchecked_mut() };
                // SAFETY: the frame is pinned because the whole is: it is moved out nowhere, the type has no `Drop` of its
                // own, and is `Unpin` only if the frame is.
                let frame = unsafe { core::pin::Pin::new_unchecked(&mut this.frame) };
                (frame, &mut this.$field)
            }
        }
    };
    (@no_drop $name:ident<$($parameter:ident),*>) => {
        const _: () = {
            #[allow(dead_code, reason = "its implementations are the check")]
            trait NoDrop {}
            #[allow(drop_bounds, reason = "it is to conflict with a `Drop` of the type")]
            impl<T: Drop> NoDrop for T {}
            impl<$($parameter),*> NoDrop for $name<$($parameter),*> where F: Future {}
        };
    };
}
pub(crate) use project_frame;
