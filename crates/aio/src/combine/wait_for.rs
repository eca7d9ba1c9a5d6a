//! A future with a time limit.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use pin_project_lite::pin_project;

use crate::{
    error::TimedOut,
    sleep::{Sleep, sleep},
};

/// Waits for `future`, for at most `patience`, which begins with this call.
///
/// A result that is ready wins over the clock: nothing that came in time is lost. On a timeout the future is dropped
/// before this returns, so a coroutine is cancelled where it stands, and a [`Task`](crate::Task) given by value is
/// cancelled. Give `&mut task` to keep the task alive. With a patience of zero the future is polled once.
///
/// # Errors
///
/// [`TimedOut`]. What the future itself returns, its own timeouts included, is within the `Ok`.
///
/// ```
/// use std::time::Duration;
///
/// aio::run(async {
///     let slow = aio::sleep(Duration::from_secs(3600));
///     assert_eq!(aio::wait_for(slow, Duration::from_millis(5)).await, Err(aio::TimedOut));
///     assert_eq!(aio::wait_for(async { 1 }, Duration::ZERO).await, Ok(1));
/// })?;
/// # Ok::<(), aio::RunError>(())
/// ```
pub fn wait_for<F: Future>(future: F, patience: Duration) -> WaitFor<F> {
    WaitFor {
        future: Some(future),
        immediate: patience.is_zero(),
        sleep: sleep(patience),
    }
}

pin_project! {
    /// A future with a time limit; made by [`wait_for`].
    #[derive(Debug)]
    #[must_use = "nothing is waited for unless this is awaited"]
    pub struct WaitFor<F> {
        #[pin]
        future: Option<F>,
        immediate: bool,
        sleep: Sleep,
    }
}

impl<F: Future> Future for WaitFor<F> {
    type Output = Result<F::Output, TimedOut>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            return Poll::Ready(Err(TimedOut));
        };
        if let Poll::Ready(output) = future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        if *this.immediate || Pin::new(this.sleep).poll(cx).is_ready() {
            this.future.set(None);
            return Poll::Ready(Err(TimedOut));
        }
        Poll::Pending
    }
}
