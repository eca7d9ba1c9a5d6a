//! Starts of children beside a thread that must not block: requested here, collected as ready sockets.

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

/// What has become of a requested start.
enum StartState {
    Requested,
    Answered(Result<Child, StartError>),
    /// Nobody takes the answer: the child is ended as soon as it is made.
    Dropped,
}

impl PendingStart {
    /// Requests a start. `notify` is called, on the thread that starts it, once [`take`](Self::take) has the answer.
    ///
    /// The thread is made for this start: it has the credentials, the priority and the CPUs of the calling thread, which the
    /// kernel keeps for each thread, and the child has them too.
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

    /// Takes the answer, if it has come.
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

/// Leaves the answer where it is taken from.
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
