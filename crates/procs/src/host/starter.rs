//! Starts of children beside a thread that must not block: requested here, collected as ready sockets.

use std::process;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::error::{StartError, SystemError};
use crate::host::start::{self, Child, SpawnOptions};

/// What the starter thread runs.
type Request = Box<dyn FnOnce() + Send>;

/// The requests' channel, and the process to which the thread belongs: a forked child has the memory but not the thread.
static STARTER: Mutex<Option<(u32, Sender<Request>)>> = Mutex::new(None);

/// A start that has been requested.
///
/// Dropping it gives the child up: its socket closes, which ends it.
pub(crate) struct PendingStart(Arc<Mutex<Option<Result<Child, StartError>>>>);

impl PendingStart {
    /// Requests a start. `notify` is called, on the starter's thread, once [`take`](Self::take) has the answer.
    ///
    /// # Errors
    ///
    /// When the starter's thread cannot be started.
    pub(crate) fn request(
        options: SpawnOptions,
        name: String,
        notify: impl FnOnce() + Send + 'static,
    ) -> Result<Self, SystemError> {
        let answer = Arc::new(Mutex::new(None));
        let theirs = Arc::clone(&answer);
        send(Box::new(move || {
            let started = start::start(&options, &name);
            *theirs.lock().unwrap_or_else(PoisonError::into_inner) = Some(started);
            notify();
        }))?;
        Ok(Self(answer))
    }

    /// Takes the answer, if it has come.
    pub(crate) fn take(&self) -> Option<Result<Child, StartError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Hands a request to the starter's thread, which begins with the first one.
fn send(request: Request) -> Result<(), SystemError> {
    let mut slot = STARTER.lock().unwrap_or_else(PoisonError::into_inner);
    let request = match &*slot {
        Some((pid, sender)) if *pid == process::id() => match sender.send(request) {
            Ok(()) => return Ok(()),
            Err(refused) => refused.0,
        },
        _ => request,
    };
    let (sender, requests) = mpsc::channel::<Request>();
    thread::Builder::new()
        .name("procs-starter".to_owned())
        .spawn(move || requests.iter().for_each(|request| request()))
        .map_err(SystemError::new("start the thread that starts processes"))?;
    // The receiver is held by the new thread.
    let _ = sender.send(request);
    *slot = Some((process::id(), sender));
    Ok(())
}
