//! A callback that is called as often as something happens.

use std::{
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, Location, catch_unwind},
    rc::Rc,
    task::{Context, Poll, Waker},
};

use crate::{
    error::Panicked,
    executor::{Engine, Ready},
    handle::Call,
};

pub(crate) struct Recurring {
    place: &'static Location<'static>,
    /// Taken out while it is called.
    function: RefCell<Option<Box<dyn FnMut()>>>,
    queued: Cell<bool>,
    cancelled: Cell<bool>,
    /// Who waits until it has been called.
    waiting: RefCell<Option<Waker>>,
}

impl Recurring {
    #[track_caller]
    pub(crate) fn new(function: impl FnMut() + 'static) -> Rc<Self> {
        Rc::new(Recurring {
            place: Location::caller(),
            function: RefCell::new(Some(Box::new(function))),
            queued: Cell::new(false),
            cancelled: Cell::new(false),
            waiting: RefCell::new(None),
        })
    }

    /// Queues the call, unless it is queued.
    pub(crate) fn call_soon(self: &Rc<Self>, engine: &Engine) {
        if !self.cancelled.get() && !self.queued.replace(true) {
            engine.push(Ready::Call(self.clone()));
        }
    }

    /// Waits until the queued call was made, or will never be.
    pub(crate) fn poll_called(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.queued.get() && !self.cancelled.get() {
            self.waiting.replace(Some(cx.waker().clone()));
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    fn notify(&self) {
        let waiting = self.waiting.take();
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

impl Call for Recurring {
    fn run(&self) -> Result<(), Panicked> {
        self.queued.set(false);
        let function = self.function.take();
        let outcome = match function {
            Some(mut function) if !self.cancelled.get() => {
                let called = catch_unwind(AssertUnwindSafe(&mut *function));
                if !self.cancelled.get() {
                    self.function.replace(Some(function));
                }
                called.map_err(Panicked::new)
            }
            _ => Ok(()),
        };
        self.notify();
        outcome
    }

    fn cancel(&self) -> bool {
        self.notify();
        let function = self.function.take();
        !self.cancelled.replace(true) && function.is_some()
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }

    fn place(&self) -> &'static Location<'static> {
        self.place
    }
}
