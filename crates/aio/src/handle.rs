//! Handles of scheduled callbacks.

use std::{
    cell::{Cell, RefCell},
    fmt,
    panic::{AssertUnwindSafe, Location, catch_unwind},
    rc::{Rc, Weak},
    time::Instant,
};

use crate::{error::Panicked, executor::Engine, timer::TimerKey};

/// A callback in the ready queue or the timer heap.
pub(crate) trait Call {
    /// Runs it, unless it ran or was cancelled.
    fn run(&self) -> Result<(), Panicked>;
    /// Drops the function; false if there was none left.
    fn cancel(&self) -> bool;
    fn is_cancelled(&self) -> bool;
    /// Where it was scheduled.
    fn place(&self) -> &'static Location<'static>;
}

struct OnceCall<F> {
    place: &'static Location<'static>,
    function: RefCell<Option<F>>,
    cancelled: Cell<bool>,
}

impl<F: FnOnce()> Call for OnceCall<F> {
    fn run(&self) -> Result<(), Panicked> {
        let function = self.function.borrow_mut().take();
        match function {
            Some(function) => catch_unwind(AssertUnwindSafe(function)).map_err(Panicked::new),
            None => Ok(()),
        }
    }

    fn cancel(&self) -> bool {
        let function = self.function.borrow_mut().take();
        self.cancelled
            .set(self.cancelled.get() || function.is_some());
        function.is_some()
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }

    fn place(&self) -> &'static Location<'static> {
        self.place
    }
}

#[track_caller]
pub(crate) fn once(function: impl FnOnce() + 'static) -> Rc<dyn Call> {
    Rc::new(OnceCall {
        place: Location::caller(),
        function: RefCell::new(Some(function)),
        cancelled: Cell::new(false),
    })
}

/// A callback scheduled with [`EventLoop::call_soon`](crate::EventLoop::call_soon).
///
/// Dropping the handle changes nothing: the callback still runs.
///
/// ```
/// let event_loop = aio::EventLoop::new()?;
/// let handle = event_loop.call_soon(|| unreachable!("it was cancelled"))?;
/// assert!(handle.cancel());
/// event_loop.run_until_complete(aio::yield_now())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Handle {
    call: Rc<dyn Call>,
}

impl Handle {
    pub(crate) fn new(call: Rc<dyn Call>) -> Self {
        Handle { call }
    }

    /// Keeps the callback from running and drops it at once. False if it ran or was cancelled before.
    pub fn cancel(&self) -> bool {
        self.call.cancel()
    }

    /// Whether the callback was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.call.is_cancelled()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("cancelled", &self.is_cancelled())
            .finish()
    }
}

/// A callback scheduled with [`EventLoop::call_later`](crate::EventLoop::call_later) or
/// [`EventLoop::call_at`](crate::EventLoop::call_at).
///
/// Dropping the handle changes nothing: the callback still runs.
#[derive(Clone)]
pub struct TimerHandle {
    call: Rc<dyn Call>,
    when: Instant,
    engine: Weak<Engine>,
    key: TimerKey,
}

impl TimerHandle {
    pub(crate) fn new(
        call: Rc<dyn Call>,
        when: Instant,
        engine: &Rc<Engine>,
        key: TimerKey,
    ) -> Self {
        TimerHandle {
            call,
            when,
            engine: Rc::downgrade(engine),
            key,
        }
    }

    /// Keeps the callback from running and drops it at once. False if it ran or was cancelled before.
    pub fn cancel(&self) -> bool {
        if let Some(engine) = self.engine.upgrade() {
            engine.cancel_timer(self.key);
        }
        self.call.cancel()
    }

    /// Whether the callback was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.call.is_cancelled()
    }

    /// When the callback is due, on the clock of [`EventLoop::time`](crate::EventLoop::time).
    pub fn when(&self) -> Instant {
        self.when
    }
}

impl fmt::Debug for TimerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerHandle")
            .field("when", &self.when)
            .field("cancelled", &self.is_cancelled())
            .finish()
    }
}
