//! Starts of children for a thread that must not block. It requests a start here, and later takes the child.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::error::{StartError, SystemError};
use crate::host::child::{self, Child, SpawnOptions};
use crate::host::start;

/// A start that has been requested.
///
/// Dropping it ends the child.
pub(crate) struct PendingStart(Arc<Mutex<StartState>>);

/// State of a requested start.
///
/// | from | event | to |
/// |---|---|---|
/// | `Requested` | the start has succeeded or failed | `Answered` |
/// | `Requested` | the [`PendingStart`] is dropped | `Dropped`; the child is killed as soon as it is made |
/// | `Answered` | `take`, or the [`PendingStart`] is dropped with the child, which is killed | `Dropped` |
enum StartState {
    Requested,
    Answered(Result<Child, StartError>),
    /// No thread will take the answer.
    Dropped,
}

impl PendingStart {
    /// Requests a start. The starting thread calls `notify` once [`take`](Self::take) can return the answer.
    ///
    /// Each start has a thread of its own. It inherits the credentials, the priority and the CPUs of the calling thread,
    /// which the kernel keeps per thread, and so does the child.
    ///
    /// # Errors
    ///
    /// When the thread cannot be made.
    pub(crate) fn request(
        options: SpawnOptions,
        name: String,
        notify: impl FnOnce() + Send + 'static,
    ) -> Result<Self, SystemError> {
        let state = Arc::new(Mutex::new(StartState::Requested));
        let theirs = Arc::clone(&state);
        let starter = thread::Builder::new().name("procs-starter".to_owned());
        starter
            .spawn(move || {
                publish(&theirs, start::start(&options, &name));
                notify();
            })
            .map_err(SystemError::new("start the thread that starts processes"))?;
        Ok(Self(state))
    }

    /// Takes the answer, if there is one.
    pub(crate) fn take(&self) -> Option<Result<Child, StartError>> {
        let mut state = lock(&self.0);
        match mem::replace(&mut *state, StartState::Dropped) {
            StartState::Answered(answer) => Some(answer),
            other => {
                *state = other;
                None
            }
        }
    }
}

impl Drop for PendingStart {
    fn drop(&mut self) {
        let state = mem::replace(&mut *lock(&self.0), StartState::Dropped);
        if let StartState::Answered(Ok(child)) = state {
            child::discard(child);
        }
    }
}

/// Stores the answer. Kills the child if no thread will take it.
fn publish(state: &Mutex<StartState>, answer: Result<Child, StartError>) {
    let mut state = lock(state);
    if !matches!(*state, StartState::Dropped) {
        *state = StartState::Answered(answer);
    } else if let Ok(child) = answer {
        drop(state);
        child::discard(child);
    }
}

fn lock(state: &Mutex<StartState>) -> MutexGuard<'_, StartState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
