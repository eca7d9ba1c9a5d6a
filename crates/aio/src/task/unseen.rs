//! Results that nobody looks at: what failed is reported.

use std::{
    any::{Any, TypeId},
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
};

use super::{slot::Stage, table::TaskKey, turn::Removed};
use crate::{
    error::{Panicked, TaskError},
    executor::Engine,
    outcome::{Outcome, common_failure, failure_of},
};

/// How to find the failure in an output that has lost its type.
pub(super) type Failure = fn(Box<dyn Any>) -> Option<String>;

impl Engine {
    /// Remembers of what type the output is that nobody will look at.
    pub(super) fn expect_unseen<T: Outcome + 'static>(&self, key: TaskKey) {
        // Most detached tasks give nothing, and need no entry for it.
        if TypeId::of::<T>() != TypeId::of::<()>()
            && let Some(extra) = self.tasks.borrow_mut().extra_mut(key)
        {
            extra.failure = Some(failure_of::<T>);
        }
    }

    /// Drops what a task left that nobody can ask for any more, and reports its failure.
    pub(super) fn discard(&self, key: TaskKey, removed: Removed) {
        let Removed { stage, extra } = removed;
        let (name, failure) = match extra {
            Some(extra) => (extra.name, extra.failure),
            None => (None, None),
        };
        match stage {
            Stage::Done(mut body) => {
                // Boxing the output of most detached tasks costs nothing: it is `()`.
                let output = body.as_mut().box_output();
                let Some(output) = output.filter(|output| !output.is::<()>()) else {
                    return;
                };
                let failure = failure.unwrap_or(common_failure);
                match catch_unwind(AssertUnwindSafe(|| failure(output))) {
                    Ok(None) => {}
                    Ok(Some(failure)) => {
                        self.tell(key, name, "a task that nobody awaits failed", &failure);
                    }
                    Err(payload) => {
                        let panicked = Panicked::new(payload);
                        let what = "a task's result panicked when dropped";
                        self.tell(key, name, what, &panicked);
                    }
                }
            }
            Stage::Failed(error) => {
                if let TaskError::Panicked(panicked) = &*error {
                    self.tell(key, name, "a task that nobody awaits panicked", panicked);
                }
            }
            Stage::Absent | Stage::Pending(_) => {}
        }
    }

    fn tell(
        &self,
        key: TaskKey,
        name: Option<Rc<str>>,
        what: &str,
        failure: &dyn std::fmt::Display,
    ) {
        let name = name.unwrap_or_else(|| self.tasks.borrow().name(key.id));
        self.reporter.report(what, Some(&name), failure);
    }
}
