//! Making tasks.

use std::{panic::Location, rc::Rc};

use super::{Flags, Task, TaskRef, table::Stage};
use crate::{
    current,
    error::NoRunningLoop,
    executor::{Engine, Ready},
};

/// Starts `future` as a task of the running loop and gives its handle.
///
/// The body first runs in the loop's next iteration, never within this call. It need not be `Send`.
///
/// Where no loop runs, the future is dropped and the task is already finished, with
/// [`TaskError::NoRunningLoop`](crate::TaskError::NoRunningLoop).
///
/// Dropping the handle lets the task go on by itself; see [`Task`].
///
/// ```
/// let sum = aio::run(async {
///     let a = aio::create_task(async { 1 });
///     let b = aio::create_task(async { 2 });
///     Ok::<i32, aio::TaskError>(a.await? + b.await?)
/// })??;
/// assert_eq!(sum, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn create_task<F>(future: F) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    match current::engine() {
        Ok(engine) => spawn(&engine, future),
        Err(NoRunningLoop) => Task::without_loop(),
    }
}

/// The task whose body is running now; `None` in a callback and outside a loop.
///
/// ```
/// aio::run(async {
///     let name = aio::create_task(async { aio::current_task().map(|task| task.name()) });
///     name.set_name("worker");
///     assert_eq!(name.await.unwrap().as_deref(), Some("worker"));
/// })?;
/// # Ok::<(), aio::RunError>(())
/// ```
pub fn current_task() -> Option<TaskRef> {
    let engine = current::engine().ok()?;
    let key = engine.current_task()?;
    Some(TaskRef::new(&engine, key))
}

#[track_caller]
pub(crate) fn spawn<F>(engine: &Rc<Engine>, future: F) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let body = Stage::Pending(Box::pin(future));
    let key = engine.tasks.borrow_mut().insert(body, Flags::QUEUED);
    engine.debug.created(key, Location::caller());
    engine.push(Ready::Step(key.into()));
    Task::new(engine.clone(), key)
}
