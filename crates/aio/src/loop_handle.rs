//! What other threads hold of a loop.

use std::{fmt, sync::Arc};

use crate::{
    create_task,
    error::LoopClosed,
    remote::{Remote, RemoteItem},
    remote_task::{Promise, RemoteTask},
};

/// Reaches an [`EventLoop`](crate::EventLoop) from any thread. It does not keep the loop open.
///
/// ```
/// let event_loop = aio::EventLoop::new()?;
/// let handle = event_loop.handle();
/// let stopper = event_loop.handle();
/// let thread = std::thread::spawn(move || {
///     handle.call_soon_threadsafe(|| println!("on the loop's thread")).unwrap();
///     stopper.call_soon_threadsafe(|| aio::get_running_loop().unwrap().stop()).unwrap();
/// });
/// event_loop.run_forever()?;
/// thread.join().unwrap();
/// # Ok::<(), aio::RunError>(())
/// ```
#[derive(Clone)]
pub struct LoopHandle {
    remote: Arc<Remote>,
}

impl LoopHandle {
    pub(crate) fn new(remote: Arc<Remote>) -> Self {
        LoopHandle { remote }
    }

    /// Calls `function` on the loop's thread, in the loop's next iteration, and wakes the loop for it. Calls from one
    /// thread keep their order.
    ///
    /// # Errors
    ///
    /// [`LoopClosed`]; the function is dropped. A loop that closes before its next iteration drops it, too.
    pub fn call_soon_threadsafe(
        &self,
        function: impl FnOnce() + Send + 'static,
    ) -> Result<(), LoopClosed> {
        self.remote.push(RemoteItem::Call(Box::new(function)))
    }

    /// Starts a task on the loop from another thread. Only `make` and the result cross threads, the future need not be
    /// `Send`.
    ///
    /// On a closed loop the result is [`TaskError::LoopClosed`](crate::TaskError::LoopClosed).
    ///
    /// ```
    /// let event_loop = aio::EventLoop::new()?;
    /// let handle = event_loop.handle();
    /// let thread = std::thread::spawn(move || handle.spawn_threadsafe(|| async { 6 * 7 }).result());
    /// while !thread.is_finished() {
    ///     event_loop.run_until_complete(aio::sleep(std::time::Duration::from_millis(1)))?;
    /// }
    /// assert_eq!(thread.join().unwrap(), Ok(42));
    /// # Ok::<(), aio::RunError>(())
    /// ```
    pub fn spawn_threadsafe<M, F>(&self, make: M) -> RemoteTask<F::Output>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future + 'static,
        F::Output: Send + 'static,
    {
        let (promise, task) = RemoteTask::new(self.clone());
        // Refused by a closed loop, the function is dropped, and the promise in it says so.
        let _ = self.call_soon_threadsafe(move || start(make, promise));
        task
    }

    pub(crate) fn id(&self) -> u32 {
        self.remote.id()
    }
}

/// On the loop's thread.
fn start<M, F>(make: M, promise: Promise<F::Output>)
where
    M: FnOnce() -> F + 'static,
    F: Future + 'static,
    F::Output: Send + 'static,
{
    // `make` is called within the task, so that its panic is the task's.
    let body = create_task(async move { make().await });
    if promise.begin(body.key()) {
        body.abort();
    }
    create_task(async move { promise.keep(body.await) }).detach();
}

impl fmt::Debug for LoopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopHandle").finish_non_exhaustive()
    }
}
