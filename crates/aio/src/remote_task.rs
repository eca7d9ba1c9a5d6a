//! The handle of a task that another thread started.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use crate::{
    current,
    error::{TaskError, TimedOut},
    loop_handle::LoopHandle,
    task::{self, TaskKey},
};

/// A task started with [`LoopHandle::spawn_threadsafe`]: wait for its result on any thread, or await it.
///
/// Dropping it lets the task go on by itself.
pub struct RemoteTask<T> {
    shared: Arc<Shared<T>>,
    event_loop: LoopHandle,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    done: Condvar,
}

struct State<T> {
    result: Option<Result<T, TaskError>>,
    is_done: bool,
    waker: Option<Waker>,
    /// Known once the task has been made on the loop's thread.
    key: Option<TaskKey>,
    cancelled: bool,
}

impl<T> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send + 'static> RemoteTask<T> {
    pub(crate) fn new(event_loop: LoopHandle) -> (Promise<T>, Self) {
        let state = State {
            result: None,
            is_done: false,
            waker: None,
            key: None,
            cancelled: false,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            done: Condvar::new(),
        });
        (
            Promise {
                shared: shared.clone(),
            },
            RemoteTask { shared, event_loop },
        )
    }

    /// Blocks this thread until the task is done, and gives its result.
    ///
    /// # Errors
    ///
    /// The task's own end; [`TaskError::BlocksLoop`] on the loop's own thread, [`TaskError::Taken`] the second time.
    pub fn result(&self) -> Result<T, TaskError> {
        self.wait(None).unwrap_or(Err(TaskError::Taken))
    }

    /// As [`result`](RemoteTask::result), for at most `patience`. The task goes on after a timeout.
    ///
    /// # Errors
    ///
    /// [`TimedOut`], when the task is not done by then.
    pub fn result_for(&self, patience: Duration) -> Result<Result<T, TaskError>, TimedOut> {
        self.wait(Some(patience)).ok_or(TimedOut)
    }

    fn wait(&self, patience: Option<Duration>) -> Option<Result<T, TaskError>> {
        let here = current::with_engine((), |(), engine| engine.id());
        let deadline = patience.and_then(|patience| Instant::now().checked_add(patience));
        let mut state = self.shared.state();
        while !state.is_done {
            if here == Ok(self.event_loop.id()) {
                return Some(Err(TaskError::BlocksLoop));
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            state = match left {
                Some(Duration::ZERO) => return None,
                Some(left) => {
                    self.shared
                        .done
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                None => self
                    .shared
                    .done
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
        Some(state.result.take().unwrap_or(Err(TaskError::Taken)))
    }

    /// Asks the loop to cancel the task. False when it is done.
    pub fn cancel(&self) -> bool {
        let mut state = self.shared.state();
        if state.is_done {
            return false;
        }
        state.cancelled = true;
        if let Some(key) = state.key {
            drop(state);
            // On a closed loop the task is gone, and its result says so.
            let _ = self
                .event_loop
                .call_soon_threadsafe(move || task::cancel_here(key));
        }
        true
    }

    /// Whether the task has ended, in whatever way.
    pub fn is_done(&self) -> bool {
        self.shared.state().is_done
    }
}

impl<T> Future for RemoteTask<T> {
    type Output = Result<T, TaskError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.shared.state();
        if state.is_done {
            return Poll::Ready(state.result.take().unwrap_or(Err(TaskError::Taken)));
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl<T> fmt::Debug for RemoteTask<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteTask")
            .field("done", &self.shared.state().is_done)
            .finish()
    }
}

/// The loop's side. Dropped unkept, it says that the loop closed: nobody waits for ever.
pub(crate) struct Promise<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Promise<T> {
    /// Tells which task it is. True when the task was cancelled before it could begin.
    pub(crate) fn begin(&self, key: Option<TaskKey>) -> bool {
        let mut state = self.shared.state();
        state.key = key;
        state.cancelled
    }

    pub(crate) fn keep(&self, result: Result<T, TaskError>) {
        let mut state = self.shared.state();
        if state.is_done {
            return;
        }
        state.is_done = true;
        state.result = Some(result);
        let waker = state.waker.take();
        drop(state);
        self.shared.done.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        self.keep(Err(TaskError::LoopClosed));
    }
}
