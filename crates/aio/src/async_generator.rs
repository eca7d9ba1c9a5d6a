//! Async generators: bodies that await, and yield values to a loop.

use std::{
    cell::{Cell, RefCell},
    fmt,
    future::poll_fn,
    pin::Pin,
    rc::{Rc, Weak},
    task::{Context, Poll, Waker},
};

use crate::{
    current,
    task::{self, Cleanup, finish_cleanups},
};

/// Makes a generator whose body may await anything, and yields values to whoever asks for the next one.
///
/// The body begins when the first value is asked for, and runs only while one is: it is polled by
/// [`next`](AsyncGenerator::next), within the caller's task.
///
/// ```
/// use std::time::Duration;
///
/// let ticks = aio::async_generator(async |co: aio::Yielder<u32>| {
///     for number in 1.. {
///         aio::sleep(Duration::from_millis(1)).await;
///         co.yield_(number).await;
///     }
/// });
/// let sum = aio::run(async {
///     let (mut ticks, mut sum) = (ticks, 0);
///     while let Some(tick) = ticks.next().await {
///         sum += tick;
///         if tick == 3 {
///             break;
///         }
///     }
///     ticks.close().await;
///     assert_eq!(ticks.next().await, None);
///     sum
/// })?;
/// assert_eq!(sum, 6);
/// # Ok::<(), aio::RunError>(())
/// ```
pub fn async_generator<T, B>(body: B) -> AsyncGenerator<T>
where
    T: 'static,
    B: AsyncFnOnce(Yielder<T>) + 'static,
{
    let shared = Rc::new(Shared {
        value: RefCell::new(None),
        put: Cell::new(0),
        taken: Cell::new(0),
        polled_with: RefCell::new(Waker::noop().clone()),
        waiting: RefCell::default(),
        cleanups: RefCell::default(),
        next_cleanup: Cell::new(0),
        closing: Cell::new(false),
    });
    let yielder = Yielder {
        shared: Rc::downgrade(&shared),
    };
    AsyncGenerator {
        body: Some(Box::pin(async move { body(yielder).await })),
        shared,
    }
}

/// A generator of values that have to be waited for; made by [`async_generator`].
///
/// **Dropping** it before its end drops the body where it is suspended, so its destructors run; what it has registered
/// with [`Yielder::on_close`] then runs as a task of the loop, as asyncio finalizes a generator that was abandoned.
/// [`close`](AsyncGenerator::close) does the same and waits for it.
#[must_use = "a generator does nothing unless it is asked for values"]
pub struct AsyncGenerator<T> {
    /// `None` when it has ended.
    body: Option<Pin<Box<dyn Future<Output = ()>>>>,
    shared: Rc<Shared<T>>,
}

struct Shared<T> {
    value: RefCell<Option<T>>,
    /// How many values were put there, and taken.
    put: Cell<u64>,
    taken: Cell<u64>,
    /// With which waker the body is polled.
    polled_with: RefCell<Waker>,
    /// Parts of the body that are polled with wakers of their own, and wait for their values to be taken.
    waiting: RefCell<Vec<Waker>>,
    /// With numbers, by which their guards find them; the latest last.
    cleanups: RefCell<Vec<(u64, Cleanup)>>,
    next_cleanup: Cell<u64>,
    /// The body is being dropped before its end.
    closing: Cell<bool>,
}

impl<T> AsyncGenerator<T> {
    /// Runs the body until it yields, and gives the value; `None` when the body has ended. Dropping the future loses
    /// nothing: the next call goes on where the body waits.
    ///
    /// # Panics
    ///
    /// When the body does; the generator has ended then.
    pub async fn next(&mut self) -> Option<T> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`next`](AsyncGenerator::next), for futures and streams made by hand.
    ///
    /// # Panics
    ///
    /// As `next`.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        // Taken out, so that a body that panics is not polled again.
        let Some(mut body) = self.body.take() else {
            return Poll::Ready(None);
        };
        self.shared.ask(cx.waker());
        let ended = body.as_mut().poll(cx).is_ready();
        if !ended {
            self.body = Some(body);
        }
        let value = self.shared.value.take();
        if value.is_some() {
            self.shared.taken.set(self.shared.taken.get() + 1);
        }
        match value {
            None if !ended => Poll::Pending,
            value => Poll::Ready(value),
        }
    }

    /// Ends the generator where it is suspended: drops the body, whose destructors run, then runs what it has registered with
    /// [`Yielder::on_close`], the latest first, for at most 5 s together, and waits for that. Dropping the future does not
    /// stop it. Does nothing to a generator that has ended.
    pub async fn close(&mut self) {
        let Some(cleanups) = self.end() else { return };
        match current::engine() {
            Ok(engine) => task::spawn_cleanups(&engine, cleanups, NAME).await,
            Err(_) => finish_cleanups(cleanups, NAME.into()).await,
        }
    }

    /// Whether the body has ended, or was closed.
    pub fn is_ended(&self) -> bool {
        self.body.is_none()
    }

    /// Drops the body; gives what is to be done then, if anything.
    fn end(&mut self) -> Option<Vec<(u64, Cleanup)>> {
        let body = self.body.take()?;
        self.shared.closing.set(true);
        drop(body);
        let cleanups = self.shared.cleanups.take();
        (!cleanups.is_empty()).then_some(cleanups)
    }
}

impl<T> Shared<T> {
    /// The next value is asked for.
    fn ask(&self, waker: &Waker) {
        self.polled_with.borrow_mut().clone_from(waker);
        let waiting = self.waiting.take();
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Waits for the value to be taken. The body itself needs no wake for that: it is polled by whoever asks.
    fn wait(&self, cx: &Context<'_>) -> Poll<()> {
        if !self.polled_with.borrow().will_wake(cx.waker()) {
            self.waiting.borrow_mut().push(cx.waker().clone());
        }
        Poll::Pending
    }
}

const NAME: &str = "async generator's clean-up";

impl<T> Drop for AsyncGenerator<T> {
    fn drop(&mut self) {
        if let Some(cleanups) = self.end()
            && let Ok(engine) = current::engine()
        {
            drop(task::spawn_cleanups(&engine, cleanups, NAME));
        }
    }
}

impl<T> Unpin for AsyncGenerator<T> {}

#[cfg(feature = "stream")]
impl<T> futures_core::Stream for AsyncGenerator<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        AsyncGenerator::poll_next(&mut self, cx)
    }
}

/// Yields values; given to the body of an [`async_generator`].
pub struct Yielder<T> {
    shared: Weak<Shared<T>>,
}

impl<T> Yielder<T> {
    /// Gives `value` to whoever asks for the next one, and waits until the one after it is asked for. Several parts of a
    /// body may do so at the same time; their values come one after the other.
    pub async fn yield_(&self, value: T) {
        let mut value = Some(value);
        let mut number = 0;
        poll_fn(|cx| {
            // Without the generator nobody polls this.
            let Some(shared) = self.shared.upgrade() else {
                return Poll::Pending;
            };
            if value.is_none() {
                return match shared.taken.get() >= number {
                    true => Poll::Ready(()),
                    false => shared.wait(cx),
                };
            }
            let mut place = shared.value.borrow_mut();
            if place.is_none() {
                *place = value.take();
                shared.put.set(shared.put.get() + 1);
                number = shared.put.get();
            }
            drop(place);
            shared.wait(cx)
        })
        .await;
    }

    /// Registers what the generator still does, asynchronously, if it is ended early while the guard lives: by
    /// [`AsyncGenerator::close`], or by being dropped in a running loop. An asynchronous `finally`. Dropping the guard otherwise
    /// drops the clean-up unrun.
    pub fn on_close(&self, cleanup: impl Future<Output = ()> + 'static) -> CloseGuard<T> {
        let number = match self.shared.upgrade() {
            Some(shared) => {
                let number = shared.next_cleanup.get();
                shared.next_cleanup.set(number + 1);
                let mut cleanups = shared.cleanups.borrow_mut();
                cleanups.push((number, Box::pin(cleanup)));
                number
            }
            None => 0,
        };
        CloseGuard {
            shared: self.shared.clone(),
            number,
        }
    }
}

/// Keeps a generator's clean-up registered; made by [`Yielder::on_close`].
#[must_use = "the clean-up is unregistered when its guard is dropped"]
pub struct CloseGuard<T> {
    shared: Weak<Shared<T>>,
    number: u64,
}

impl<T> Drop for CloseGuard<T> {
    fn drop(&mut self) {
        let Some(shared) = self.shared.upgrade() else {
            return;
        };
        // Dropped with the body of a generator that is closed, it has done its duty.
        if shared.closing.get() {
            return;
        }
        let mut cleanups = shared.cleanups.borrow_mut();
        let place = cleanups
            .iter()
            .position(|(number, _)| *number == self.number);
        let cleanup = place.map(|place| cleanups.remove(place));
        drop(cleanups);
        drop(cleanup);
    }
}

impl<T> fmt::Debug for AsyncGenerator<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncGenerator")
            .field("ended", &self.is_ended())
            .finish()
    }
}

impl<T> fmt::Debug for Yielder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Yielder").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for CloseGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloseGuard").finish_non_exhaustive()
    }
}
