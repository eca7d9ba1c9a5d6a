//! A time limit that can be moved while it runs.

use std::{
    cell::{Cell, RefCell},
    fmt,
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use crate::{
    clock,
    error::TimedOut,
    sleep::{Sleep, sleep_until},
};

/// Runs `body` within a time limit, which the body can move; `None` is no limit.
///
/// When the limit passes, the body is dropped where it stands. A result that is ready wins over the clock. Limits nest:
/// the one that has passed is the one that reports, and an inner one's error is part of the body's own output.
///
/// # Errors
///
/// [`TimedOut`].
///
/// ```
/// use std::time::{Duration, Instant};
///
/// aio::run(async {
///     let result = aio::timeout(Some(Duration::from_millis(5)), async |deadline| {
///         deadline.reschedule(Some(Instant::now() + Duration::from_secs(10))).unwrap();
///         aio::sleep(Duration::from_millis(10)).await;
///         "had time enough"
///     });
///     assert_eq!(result.await, Ok("had time enough"));
///     let never = aio::timeout(Some(Duration::ZERO), async |_| std::future::pending::<()>().await);
///     assert_eq!(never.await, Err(aio::TimedOut));
/// })?;
/// # Ok::<(), aio::RunError>(())
/// ```
pub async fn timeout<T, B>(limit: Option<Duration>, body: B) -> Result<T, TimedOut>
where
    B: AsyncFnOnce(&Deadline) -> T,
{
    let when = limit.and_then(|limit| clock::now().checked_add(limit));
    let deadline = Deadline {
        when: Cell::new(when),
        moved: Cell::new(true),
        expired: Cell::new(false),
        waker: RefCell::new(None),
    };
    let mut body = pin!(body(&deadline));
    let mut alarm = None;
    poll_fn(|cx| {
        if let Poll::Ready(value) = body.as_mut().poll(cx) {
            return Poll::Ready(Ok(value));
        }
        deadline
            .poll_expired(cx, &mut alarm)
            .map(|()| Err(TimedOut))
    })
    .await
}

/// The limit of a [`timeout`], given to its body.
pub struct Deadline {
    when: Cell<Option<Instant>>,
    /// The alarm must be set anew.
    moved: Cell<bool>,
    expired: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Deadline {
    /// When the limit is reached; `None` is never.
    pub fn when(&self) -> Option<Instant> {
        self.when.get()
    }

    /// Whether the limit was reached.
    pub fn expired(&self) -> bool {
        self.expired.get()
    }

    /// Moves the limit; `None` takes it away.
    ///
    /// # Errors
    ///
    /// [`TimedOut`], when it was reached already.
    pub fn reschedule(&self, when: Option<Instant>) -> Result<(), TimedOut> {
        if self.expired.get() {
            return Err(TimedOut);
        }
        self.when.set(when);
        self.moved.set(true);
        let waker = self.waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    fn poll_expired(&self, cx: &mut Context<'_>, alarm: &mut Option<Sleep>) -> Poll<()> {
        if self.moved.take() {
            *alarm = self.when.get().map(sleep_until);
        }
        self.waker.replace(Some(cx.waker().clone()));
        let Some(alarm) = alarm else {
            return Poll::Pending;
        };
        let reached = self.when.get().is_some_and(|when| when <= clock::now());
        if reached || Pin::new(alarm).poll(cx).is_ready() {
            self.expired.set(true);
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deadline")
            .field("when", &self.when())
            .field("expired", &self.expired())
            .finish()
    }
}
