//! Waiting for time to pass, and for a turn of the loop.

use std::{
    fmt,
    pin::Pin,
    rc::Rc,
    sync::{Arc, Condvar, Mutex, PoisonError},
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use crate::{
    clock, current,
    executor::Engine,
    timer::{Due, TimerKey},
};

/// A wait that ends when its time has passed; made by [`sleep`] and [`sleep_until`].
///
/// The time begins when the future is made, not when it is first polled. Dropping it cancels the timer.
#[must_use = "a sleep does nothing unless it is awaited"]
pub struct Sleep {
    state: State,
}

enum State {
    New(Instant),
    /// Its time cannot be counted to.
    Never,
    OnLoop(Rc<Engine>, TimerKey),
    OffLoop(Arc<Doze>),
    Done,
}

/// Waits for `delay` without holding up the loop. A delay of zero gives every other ready task one turn.
///
/// Precise to about a millisecond. Outside any loop it works too, with a thread of its own.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// let begin = Instant::now();
/// aio::run(aio::sleep(Duration::from_millis(20)))?;
/// assert!(begin.elapsed() >= Duration::from_millis(20));
/// # Ok::<(), aio::RunError>(())
/// ```
pub fn sleep(delay: Duration) -> Sleep {
    // A time that the clock cannot count to never comes.
    Sleep {
        state: clock::now()
            .checked_add(delay)
            .map_or(State::Never, State::New),
    }
}

/// Waits until `when`; a time in the past gives every other ready task one turn.
///
/// ```
/// let when = std::time::Instant::now() + std::time::Duration::from_millis(5);
/// aio::run(aio::sleep_until(when))?;
/// assert!(std::time::Instant::now() >= when);
/// # Ok::<(), aio::RunError>(())
/// ```
pub fn sleep_until(when: Instant) -> Sleep {
    Sleep {
        state: State::New(when),
    }
}

// A task that only sleeps should cost little.
const _: () = assert!(size_of::<Sleep>() <= 24);

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let pending = match &self.state {
            State::New(when) => {
                self.state = begin(*when, cx.waker());
                true
            }
            State::Never => true,
            // Also when it is late: the timer fires in its order, not when someone happens to look.
            State::OnLoop(engine, key) => engine.update_timer(*key, cx.waker()),
            State::OffLoop(doze) => doze.is_pending(cx.waker()),
            State::Done => false,
        };
        if pending && !matches!(self.state, State::Done) {
            return Poll::Pending;
        }
        self.state = State::Done;
        Poll::Ready(())
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        match &self.state {
            State::OnLoop(engine, key) => engine.cancel_timer(*key),
            State::OffLoop(doze) => doze.cancel(),
            State::New(_) | State::Never | State::Done => {}
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = matches!(self.state, State::Done);
        f.debug_struct("Sleep")
            .field("done", &done)
            .finish_non_exhaustive()
    }
}

fn begin(when: Instant, waker: &Waker) -> State {
    if let Ok(engine) = current::engine() {
        let key = engine.add_timer(when, Due::Wake(waker.clone()));
        return State::OnLoop(engine, key);
    }
    let doze = Doze::new(when, waker.clone());
    let sleeper = doze.clone();
    match thread::Builder::new()
        .name("aio-sleep".to_owned())
        .spawn(move || sleeper.wait())
    {
        Ok(_) => State::OffLoop(doze),
        Err(_) => {
            // No thread to be had: late for others is better than never.
            thread::sleep(when.saturating_duration_since(Instant::now()));
            State::Done
        }
    }
}

/// A sleep where no loop runs: a thread waits.
struct Doze {
    when: Instant,
    /// `None`: it has ended, or nobody waits any more.
    waker: Mutex<Option<Waker>>,
    changed: Condvar,
}

impl Doze {
    fn new(when: Instant, waker: Waker) -> Arc<Self> {
        Arc::new(Doze {
            when,
            waker: Mutex::new(Some(waker)),
            changed: Condvar::new(),
        })
    }

    fn wait(&self) {
        let mut waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        while waker.is_some() {
            let left = self.when.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            waker = self
                .changed
                .wait_timeout(waker, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        let woken = waker.take();
        drop(waker);
        if let Some(woken) = woken {
            woken.wake();
        }
    }

    fn is_pending(&self, waker: &Waker) -> bool {
        let mut held = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *held {
            Some(held) => {
                held.clone_from(waker);
                true
            }
            None => false,
        }
    }

    fn cancel(&self) {
        let held = self
            .waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(held);
        self.changed.notify_all();
    }
}

/// Gives every other ready task and callback one turn, as `await asyncio.sleep(0)` does.
///
/// ```
/// aio::run(async {
///     let task = aio::create_task(async {});
///     assert!(!task.is_done());
///     aio::yield_now().await;
///     assert!(task.is_done());
/// })?;
/// # Ok::<(), aio::RunError>(())
/// ```
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// A pause of one turn; made by [`yield_now`].
#[derive(Debug)]
#[must_use = "nothing yields unless this is awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
