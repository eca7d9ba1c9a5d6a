//! Making tasks.

use std::{panic::Location, rc::Rc};

use super::{Flags, Task, TaskRef, slot::Stage, step::body, table::TaskKey};
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

/// As [`create_task`], but the body runs at once, within this call, up to its first wait. A task that need not wait is
/// done when this returns, without a turn of the loop.
///
/// Within a task the caller is suspended meanwhile, as in any call; [`current_task`] is the new task.
///
/// ```
/// aio::run(async {
///     let cached = aio::spawn_eager(async { 42 });
///     assert!(cached.is_done());
///     assert_eq!(cached.await, Ok(42));
/// })?;
/// # Ok::<(), aio::RunError>(())
/// ```
#[track_caller]
pub fn spawn_eager<F>(future: F) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let Ok(engine) = current::engine() else {
        return Task::without_loop();
    };
    let key = enter(&engine, future);
    engine.step(key.into());
    Task::new(engine, key)
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
    let key = enter(engine, future);
    engine.push(Ready::Step(key.into()));
    Task::new(engine.clone(), key)
}

/// Enters a task that is about to run.
#[track_caller]
fn enter<F>(engine: &Engine, future: F) -> TaskKey
where
    F: Future + 'static,
    F::Output: 'static,
{
    let stage = Stage::Pending(body(future));
    let key = engine.tasks.borrow_mut().insert(stage, Flags::QUEUED);
    engine.debug.created(key, Location::caller());
    key
}
