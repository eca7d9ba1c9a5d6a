//! Generators whose bodies await other things too.

use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};

use futures_core::Stream;
use futures_core::stream::FusedStream;

use crate::raw::{Frame, InstanceId, ResumeOutcome, Start, project_frame};
use crate::{Co, CoroutineState, ExecutionState, Ignored, ResumeError, Throw};

/// A generator whose body may await anything: a [`Stream`] of what it yields.
///
/// # Examples
///
/// ```
/// use coroutines::{Co, async_generator};
/// use futures_core::Stream;
/// use std::{future::ready, pin::pin, task::{Context, Poll, Waker}};
///
/// let mut lines = pin!(async_generator(async |mut co: Co<'_, String>| {
///     for n in 1..=2 {
///         let answer = ready(n * 10).await; // a request, say
///         co.yield_(format!("{n}: {answer}")).await;
///     }
/// }));
/// let mut cx = Context::from_waker(Waker::noop());
/// assert_eq!(lines.as_mut().poll_next(&mut cx), Poll::Ready(Some("1: 10".into())));
/// assert_eq!(lines.as_mut().poll_next(&mut cx), Poll::Ready(Some("2: 20".into())));
/// assert_eq!(lines.as_mut().poll_next(&mut cx), Poll::Ready(None));
/// ```
#[inline]
pub fn async_generator<Y, R, B>(body: B) -> AsyncGen<Y, (), impl Future<Output = R>>
where
    B: AsyncFnOnce(Co<'_, Y>) -> R,
{
    let id = InstanceId::fresh();
    AsyncGen::new(id, body(Co::new(id)))
}

/// A coroutine whose body may await anything, and gets an argument with each resume, the first one included.
///
/// # Examples
///
/// ```
/// use coroutines::{Co, CoroutineState::*, async_coroutine};
/// use std::{future::ready, pin::pin, task::{Context, Poll, Waker}};
///
/// let mut sum = pin!(async_coroutine(async |mut co: Co<'_, u32, u32>, first| {
///     let mut total = first;
///     loop {
///         let n = co.yield_(total).await;
///         total += ready(n).await;
///         if total > 9 {
///             return total;
///         }
///     }
/// }));
/// let mut cx = Context::from_waker(Waker::noop());
/// assert_eq!(pin!(sum.as_mut().resume(3)).poll(&mut cx), Poll::Ready(Yielded(3)));
/// assert_eq!(pin!(sum.as_mut().resume(4)).poll(&mut cx), Poll::Ready(Yielded(7)));
/// assert_eq!(pin!(sum.as_mut().resume(5)).poll(&mut cx), Poll::Ready(Complete(12)));
/// ```
#[inline]
pub fn async_coroutine<Y, A, R, B>(body: B) -> AsyncGen<Y, A, impl Future<Output = R>>
where
    B: AsyncFnOnce(Co<'_, Y, A>, A) -> R,
{
    let id = InstanceId::fresh();
    let start = Start::new(id, move |arg| body(Co::new(id), arg));
    AsyncGen::new(id, start)
}

/// A generator or coroutine whose body may await anything; made by [`async_generator`] and [`async_coroutine`].
///
/// A *step* begins with an argument and ends with a yield or the return; in between the body may wait any number of
/// times. Dropping the future of a step does not undo it: the body stays where it is, and neither the argument nor the
/// value that the step is to bring is lost. [`settle`](Self::settle) ends such a step; as a [`Stream`], where one `()` is
/// as good as another, the next item is simply the one that was on its way.
///
/// Dropping or [closing](Self::close) the generator drops the body where it waits, so destructors are its clean-up. One
/// that must await something to clean up takes a `Result` as argument, and [`close_with`](Self::close_with) an error.
#[must_use = "nothing runs before the first step"]
pub struct AsyncGen<Y, A, F: Future> {
    // Pinned with the whole.
    frame: Frame<Y, A, F>,
    waiting: Waiting<A>,
}

project_frame!(AsyncGen<Y, A, F>, waiting: Waiting<A>);

/// The step that has begun and not ended.
struct Waiting<A> {
    step: Step,
    /// Its argument, until the body takes it.
    arg: Option<A>,
}

#[derive(Clone, Copy, PartialEq)]
enum Step {
    None,
    /// Begun by a resume.
    Resume,
    /// Begun by a stream's poll. Its `()` is as good as that of a resume.
    Item,
}

impl<Y, A, F: Future> AsyncGen<Y, A, F> {
    fn new(id: InstanceId<Y, A>, body: F) -> Self {
        let waiting = Waiting {
            step: Step::None,
            arg: None,
        };
        Self {
            frame: Frame::new(id, body),
            waiting,
        }
    }

    /// Makes a step: runs to the next yield or to the end.
    ///
    /// Nothing happens before it is polled. Dropped later, it leaves the step [under way](Self::settle).
    ///
    /// # Panics
    ///
    /// When the coroutine has finished, or another step is under way. A panic of the body passes through and finishes it.
    pub async fn resume(self: Pin<&mut Self>, arg: A) -> CoroutineState<Y, F::Output> {
        match self.try_resume(arg).await {
            Ok(state) => state,
            Err(error) => error.raise(),
        }
    }

    /// Makes a step: runs to the next yield or to the end. See [`resume`](Self::resume).
    ///
    /// # Errors
    ///
    /// [`Finished`](ResumeError::Finished), or [`AlreadyExecuting`](ResumeError::AlreadyExecuting) when a step is under
    /// way whose future was dropped. Both give the argument back.
    pub async fn try_resume(
        mut self: Pin<&mut Self>,
        arg: A,
    ) -> Result<CoroutineState<Y, F::Output>, ResumeError<A>> {
        if self.is_finished() {
            return Err(ResumeError::Finished(arg));
        }
        if self.waiting.step == Step::Resume {
            return Err(ResumeError::AlreadyExecuting(arg));
        }
        self.as_mut().begin(arg);
        match poll_fn(|cx| self.as_mut().poll_step(cx)).await {
            ResumeOutcome::Yielded(value) => Ok(CoroutineState::Yielded(value)),
            ResumeOutcome::Complete(value) => Ok(CoroutineState::Complete(value)),
            _ => Err(ResumeError::ForeignAwait),
        }
    }

    /// Ends a step whose future was dropped before it ended, and gives what it brings; `None` if there is none.
    ///
    /// ```
    /// use coroutines::{Co, CoroutineState::*, ResumeError, async_coroutine};
    /// use std::{future::poll_fn, pin::pin, task::{Context, Poll, Waker}};
    ///
    /// let mut waits = 1;
    /// let mut echo = pin!(async_coroutine(async |mut co: Co<'_, u8, u8>, first| {
    ///     // Waits once, as for a slow answer.
    ///     poll_fn(|_| if waits > 0 { waits -= 1; Poll::Pending } else { Poll::Ready(()) }).await;
    ///     co.yield_(first).await;
    /// }));
    /// let mut cx = Context::from_waker(Waker::noop());
    /// assert!(pin!(echo.as_mut().resume(1)).poll(&mut cx).is_pending()); // and dropped: a timeout, say
    /// let refused = pin!(echo.as_mut().try_resume(2)).poll(&mut cx);
    /// assert_eq!(refused, Poll::Ready(Err(ResumeError::AlreadyExecuting(2))));
    /// assert_eq!(pin!(echo.as_mut().settle()).poll(&mut cx), Poll::Ready(Some(Yielded(1))));
    /// ```
    pub async fn settle(mut self: Pin<&mut Self>) -> Option<CoroutineState<Y, F::Output>> {
        if self.waiting.step != Step::Resume {
            return None;
        }
        match poll_fn(|cx| self.as_mut().poll_step(cx)).await {
            ResumeOutcome::Yielded(value) => Some(CoroutineState::Yielded(value)),
            ResumeOutcome::Complete(value) => Some(CoroutineState::Complete(value)),
            _ => None,
        }
    }

    /// Whether it has returned, panicked or been closed.
    pub fn is_finished(&self) -> bool {
        !self.frame.is_live()
    }

    /// Whether nothing of it has run, or it waits in a `yield_`, or a step is under way, or it has finished.
    ///
    /// A step is under way from its first poll until it has brought its value, while its future is dropped as well:
    /// [`Running`](ExecutionState::Running). Python's `inspect.getasyncgenstate` says `AGEN_RUNNING` then.
    ///
    /// ```
    /// use coroutines::{Co, ExecutionState, async_generator};
    /// use futures_core::Stream;
    /// use std::{pin::pin, task::{Context, Poll, Waker}};
    ///
    /// let mut letters = pin!(async_generator(async |mut co: Co<'_, char>| co.yield_('a').await));
    /// assert_eq!(letters.state(), ExecutionState::Created);
    /// let mut cx = Context::from_waker(Waker::noop());
    /// assert_eq!(letters.as_mut().poll_next(&mut cx), Poll::Ready(Some('a')));
    /// assert_eq!(letters.state(), ExecutionState::Suspended);
    /// ```
    #[doc(alias = "getasyncgenstate")]
    pub fn state(&self) -> ExecutionState {
        match self.frame.state() {
            ExecutionState::Suspended if self.waiting.step != Step::None => ExecutionState::Running,
            state => state,
        }
    }

    /// Ends it where it is: its local variables are dropped. Nothing happens if it has finished.
    pub fn close(self: Pin<&mut Self>) {
        let (frame, waiting) = self.project();
        // Ended first, whatever the destructors of the body do; its argument is dropped last.
        let _arg = waiting.end();
        frame.close();
    }

    /// Throws `error` in, waits for the body to return, and closes it in any case. `None` if it had already finished.
    ///
    /// A step under way is ended first, and what it yields is dropped; if it ends the body, that is the result.
    ///
    /// # Errors
    ///
    /// [`Ignored`] with what the body yielded instead of returning.
    ///
    /// ```
    /// use coroutines::{Co, async_coroutine};
    /// use std::{future::ready, pin::pin, task::{Context, Poll, Waker}};
    ///
    /// let mut session = pin!(async_coroutine(async |mut co: Co<'_, (), Result<(), &str>>, _first| {
    ///     while co.yield_(()).await.is_ok() {}
    ///     ready("said good-bye").await
    /// }));
    /// let mut cx = Context::from_waker(Waker::noop());
    /// assert!(pin!(session.as_mut().resume(Ok(()))).poll(&mut cx).is_ready());
    /// let closed = pin!(session.as_mut().close_with("shutdown")).poll(&mut cx);
    /// assert_eq!(closed, Poll::Ready(Ok(Some("said good-bye"))));
    /// ```
    pub async fn close_with<E>(
        mut self: Pin<&mut Self>,
        error: E,
    ) -> Result<Option<F::Output>, Ignored<Y>>
    where
        A: Throw<E>,
    {
        if let Some(CoroutineState::Complete(value)) = self.as_mut().settle().await {
            return Ok(Some(value));
        }
        match self.as_mut().try_resume(A::thrown(error)).await {
            Ok(CoroutineState::Complete(value)) => Ok(Some(value)),
            Ok(CoroutineState::Yielded(value)) => {
                self.close();
                Err(Ignored(value))
            }
            Err(_) => Ok(None),
        }
    }

    /// What the body returned, if it ended while it was used as a stream, and if nobody has taken it yet.
    pub fn take_return(self: Pin<&mut Self>) -> Option<F::Output> {
        self.project().0.take_returned()
    }

    fn begin(self: Pin<&mut Self>, arg: A) {
        *self.project().1 = Waiting {
            step: Step::Resume,
            arg: Some(arg),
        };
    }

    fn poll_step(self: Pin<&mut Self>, cx: &Context<'_>) -> Poll<ResumeOutcome<Y, F::Output>> {
        let (frame, waiting) = self.project();
        let step = frame.poll_resume(&mut waiting.arg, cx);
        if step.is_ready() {
            drop(waiting.end());
        }
        step
    }
}

impl<A> Waiting<A> {
    /// Returns the argument if the body has not taken it: it answers a `yield_` that was dropped.
    fn end(&mut self) -> Option<A> {
        self.step = Step::None;
        self.arg.take()
    }
}

impl<Y, F: Future> Stream for AsyncGen<Y, (), F> {
    type Item = Y;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Y>> {
        let (frame, waiting) = self.as_mut().project();
        // A step of a resume that was dropped is as good: a body that has taken its `()` already takes no second one before
        // it yields, and yielding ends the step.
        let Poll::Ready(outcome) = frame.poll_resume(&mut Some(()), cx) else {
            if waiting.step == Step::None {
                waiting.step = Step::Item;
            }
            return Poll::Pending;
        };
        waiting.end();
        Poll::Ready(match outcome {
            ResumeOutcome::Yielded(value) => Some(value),
            ResumeOutcome::Complete(value) => {
                self.project().0.keep_returned(value);
                None
            }
            _ => None,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.is_finished().then_some(0))
    }
}

impl<Y, F: Future> FusedStream for AsyncGen<Y, (), F> {
    fn is_terminated(&self) -> bool {
        self.is_finished()
    }
}

impl<Y, A, F: Future> fmt::Debug for AsyncGen<Y, A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncGen")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
