//! What a task still does, asynchronously, when it is cancelled.

use std::{
    pin::Pin,
    rc::{Rc, Weak},
    time::Duration,
};

use super::{Flags, slot::Body, spawn, step::body, table::TaskKey};
use crate::{combine::wait_for, current, executor::Engine};

/// How long all clean-ups of a task may take together.
const PATIENCE: Duration = Duration::from_secs(5);

/// Registers what the current task does if it is cancelled here: an asynchronous `finally`.
///
/// When the task is cancelled while the guard lives, its body is dropped first, and then the clean-ups run, the latest
/// first, as the rest of the task: cancelling it again does not disturb them, awaiting it waits for them, and what they
/// do not finish within 5 s together is dropped and reported. [`Task::abort`](crate::Task::abort) and closing the loop
/// skip them. Dropping the guard otherwise drops the clean-up unrun.
///
/// Outside a task, `cleanup` is dropped and the guard guards nothing.
///
/// ```
/// use std::{cell::Cell, rc::Rc};
///
/// aio::run(async {
///     let rolled_back = Rc::new(Cell::new(false));
///     let seen = rolled_back.clone();
///     let transaction = aio::create_task(async move {
///         let _guard = aio::on_cancel(async move {
///             aio::yield_now().await;
///             seen.set(true);
///         });
///         std::future::pending::<()>().await;
///     });
///     aio::yield_now().await;
///     transaction.cancel();
///     assert!(transaction.await.is_err());
///     assert!(rolled_back.get());
/// })?;
/// # Ok::<(), aio::RunError>(())
/// ```
pub fn on_cancel(cleanup: impl Future<Output = ()> + 'static) -> CancelGuard {
    let nothing = CancelGuard { place: None };
    let Ok(engine) = current::engine() else {
        return nothing;
    };
    let Some(key) = engine.current_task() else {
        return nothing;
    };
    let number = engine.next_cleanup.get();
    engine.next_cleanup.set(number + 1);
    let mut tasks = engine.tasks.borrow_mut();
    let Some(extra) = tasks.extra_mut(key) else {
        return nothing;
    };
    extra.cleanups.push((number, Box::pin(cleanup)));
    drop(tasks);
    CancelGuard {
        place: Some((Rc::downgrade(&engine), key, number)),
    }
}

/// Keeps a clean-up registered; made by [`on_cancel`].
#[must_use = "the clean-up is unregistered when its guard is dropped"]
pub struct CancelGuard {
    place: Option<(Weak<Engine>, TaskKey, u64)>,
}

impl Drop for CancelGuard {
    fn drop(&mut self) {
        let Some((engine, key, number)) = self.place.take() else {
            return;
        };
        let Some(engine) = engine.upgrade() else {
            return;
        };
        // Dropped with the body of a cancelled task, it has done its duty: the clean-up is to run.
        if engine.ending.get() == Some(key) {
            return;
        }
        let mut tasks = engine.tasks.borrow_mut();
        let Some(extra) = tasks.extra_mut(key) else {
            return;
        };
        let place = extra
            .cleanups
            .iter()
            .position(|(candidate, _)| *candidate == number);
        let cleanup = place.map(|place| extra.cleanups.remove(place));
        drop(tasks);
        drop(cleanup);
    }
}

impl std::fmt::Debug for CancelGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CancelGuard")
            .field("armed", &self.place.is_some())
            .finish()
    }
}

/// The body that a cancelled task goes on with, if anything was registered.
pub(crate) fn take(engine: &Engine, key: TaskKey) -> Option<Body> {
    let mut tasks = engine.tasks.borrow_mut();
    if !tasks.flags(key)?.any(Flags::HAS_EXTRA) {
        return None;
    }
    let cleanups = std::mem::take(&mut tasks.extra_mut(key)?.cleanups);
    if cleanups.is_empty() {
        return None;
    }
    tasks.clean(key);
    let name = tasks.name(key.id);
    Some(body(finish_cleanups(cleanups, name)))
}

/// Runs clean-ups, the latest first, for as long as they may take together.
pub(crate) async fn finish_cleanups(cleanups: Vec<(u64, Cleanup)>, name: Rc<str>) {
    let all = async {
        for (_, cleanup) in cleanups.into_iter().rev() {
            cleanup.await;
        }
    };
    if let Err(timed_out) = wait_for(all, PATIENCE).await
        && let Ok(engine) = current::engine()
    {
        engine
            .reporter
            .report("clean-ups were cut off", Some(&name), &timed_out);
    }
}

/// Runs clean-ups in a task that cannot be cancelled. What this gives ends with it, and may be dropped.
#[track_caller]
pub(crate) fn spawn_cleanups(
    engine: &Rc<Engine>,
    cleanups: Vec<(u64, Cleanup)>,
    name: &str,
) -> impl Future<Output = ()> + use<> {
    let cleaning = spawn(engine, finish_cleanups(cleanups, name.into()));
    cleaning.set_name(name);
    if let Some(key) = cleaning.key() {
        engine.tasks.borrow_mut().clean(key);
    }
    let ended = cleaning.ended();
    // Its result says that it was cancelled, which is nobody's business.
    cleaning.release();
    async move {
        ended.await;
    }
}

/// Marks, while it lives, that a body is being dropped because its task was cancelled.
pub(crate) struct Ending<'a> {
    engine: &'a Engine,
    outer: Option<TaskKey>,
}

impl<'a> Ending<'a> {
    pub(crate) fn new(engine: &'a Engine, key: TaskKey) -> Self {
        Ending {
            engine,
            outer: engine.ending.replace(Some(key)),
        }
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.engine.ending.set(self.outer);
    }
}

/// The type of a clean-up.
pub(crate) type Cleanup = Pin<Box<dyn Future<Output = ()>>>;
