//! A body that begins when its first argument arrives.

use core::pin::Pin;
use core::task::{Context, Poll};

use super::{InstanceId, slot};

/// `begin` until the first poll, then the future that it makes.
///
/// An `async` block would do, but would keep room for the closure beside the future that has consumed it.
pub(crate) struct Start<Y, A, B, F> {
    id: InstanceId<Y, A>,
    stage: Stage<B, F>,
}

enum Stage<B, F> {
    /// `None` while `begin` runs, and after it panicked.
    Before(Option<B>),
    Running(F),
}

impl<Y, A, B, F> Start<Y, A, B, F>
where
    B: FnOnce(A) -> F,
    F: Future,
{
    pub(crate) fn new(id: InstanceId<Y, A>, begin: B) -> Self {
        Self {
            id,
            stage: Stage::Before(Some(begin)),
        }
    }
}

impl<Y, A, B, F> Future for Start<Y, A, B, F>
where
    B: FnOnce(A) -> F,
    F: Future,
{
    type Output = F::Output;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: the future in `Running` is not moved: it is written once, polled in place, and dropped in place. The
        // closure in `Before` is moved, which is allowed: it is never handed out pinned.
        let this = unsafe { self.get_unchecked_mut() };
        if let Stage::Before(begin) = &mut this.stage {
            let arg = slot::argument(this.id, cx);
            let (Some(begin), Some(arg)) = (begin.take(), arg) else {
                return Poll::Pending;
            };
            this.stage = Stage::Running(begin(arg));
        }
        match &mut this.stage {
            // SAFETY: the future is pinned because `self` is. Nothing moves it, see the reason above.
            Stage::Running(body) => unsafe { Pin::new_unchecked(body) }.poll(cx),
            Stage::Before(_) => Poll::Pending,
        }
    }
}
