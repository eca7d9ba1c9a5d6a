//! Where failures go that nobody waits for.

use std::{
    cell::RefCell,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
};

/// What an exception handler is told: what happened, where, and the failure itself.
#[non_exhaustive]
pub struct ExceptionContext<'a> {
    /// What happened, in a few words: "a callback panicked".
    pub message: &'a str,
    /// The name of the task it happened in, if it was one.
    pub task: Option<&'a str>,
    /// The failure.
    pub error: &'a dyn fmt::Display,
}

impl fmt::Display for ExceptionContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)?;
        if let Some(task) = self.task {
            write!(f, " ({task})")?;
        }
        write!(f, ": {}", self.error)
    }
}

impl fmt::Debug for ExceptionContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExceptionContext({self})")
    }
}

type Handler = dyn Fn(&ExceptionContext<'_>);

pub(crate) struct Reporter {
    handler: RefCell<Option<Rc<Handler>>>,
}

impl Reporter {
    pub(crate) fn new() -> Self {
        Reporter {
            handler: RefCell::new(None),
        }
    }

    pub(crate) fn set(&self, handler: Option<Rc<Handler>>) {
        let before = self.handler.replace(handler);
        drop(before);
    }

    pub(crate) fn report(&self, message: &str, task: Option<&str>, error: &dyn fmt::Display) {
        let context = ExceptionContext {
            message,
            task,
            error,
        };
        let handler = self.handler.borrow().clone();
        let handled = match handler {
            Some(handler) => catch_unwind(AssertUnwindSafe(|| handler(&context))).is_ok(),
            None => false,
        };
        // Also when the handler itself panicked: a failure is never lost for a broken handler.
        if !handled {
            eprintln!("aio: {context}");
        }
    }
}
