//! The result of a thread, until a join takes it.

use super::hook;
use super::info::ThreadInfo;
use crate::error::{JoinError, Panic};
use crate::unwind::{Exit, catch_and_forget};
use parking_lot::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

/// The first panic of a scope's threads that no join took.
pub(crate) type ScopePanic = Arc<Mutex<Option<Panic>>>;

/// How a thread ended.
enum End<T> {
    Returned(T),
    Panicked(Panic),
    Exited,
}

/// The value or the panic of one thread, shared by the thread and its handle.
pub(crate) struct Packet<T> {
    info: ThreadInfo,
    /// Written once, before the thread is unregistered; taken by the first join.
    value: Mutex<Option<End<T>>>,
    /// The scope that the thread belongs to.
    scope: Option<ScopePanic>,
}

impl<T> Packet<T> {
    pub(crate) fn new(info: ThreadInfo, scope: Option<ScopePanic>) -> Self {
        Self {
            info,
            value: Mutex::new(None),
            scope,
        }
    }

    pub(crate) fn info(&self) -> &ThreadInfo {
        &self.info
    }

    /// The body of the thread: runs `f` and keeps its result.
    pub(crate) fn run(self: Arc<Self>, f: impl FnOnce() -> T) {
        self.info.set_current();
        let end = match catch_unwind(AssertUnwindSafe(f)) {
            Ok(value) => End::Returned(value),
            Err(payload) if payload.is::<Exit>() => End::Exited,
            Err(payload) => End::Panicked(Panic::new(payload)),
        };
        *self.value.lock() = Some(end);
    }

    pub(crate) fn has_ended(&self) -> bool {
        !self.info.is_alive()
    }

    /// Waits for the end and takes the result.
    pub(crate) fn join(&self, deadline: Option<Instant>) -> Result<T, JoinError> {
        if self.info.is_current() {
            return Err(JoinError::SelfJoin);
        }
        if !self.info.wait(deadline) {
            return Err(JoinError::TimedOut);
        }
        self.take()
    }

    /// Takes the result if the thread has ended.
    pub(crate) fn try_join(&self) -> Option<Result<T, JoinError>> {
        if self.info.is_current() {
            return Some(Err(JoinError::SelfJoin));
        }
        self.has_ended().then(|| self.take())
    }

    fn take(&self) -> Result<T, JoinError> {
        match self.value.lock().take() {
            Some(End::Returned(value)) => Ok(value),
            Some(End::Panicked(panic)) => Err(JoinError::Panicked(panic)),
            Some(End::Exited) => Err(JoinError::Exited),
            None => Err(JoinError::AlreadyJoined),
        }
    }
}

impl<T> Drop for Packet<T> {
    /// Reports a panic that no join took: to the scope, or to the hook.
    fn drop(&mut self) {
        let rest = match (self.value.get_mut().take(), &self.scope) {
            (Some(End::Panicked(panic)), Some(scope)) => first_panic(scope, panic),
            (Some(End::Panicked(panic)), None) => {
                hook::report(&self.info, &panic);
                Some(End::Panicked(panic))
            }
            (value, _) => value,
        };
        // The thread or its handle may be the last to let go: what a panicking destructor does must not depend
        // on which.
        catch_and_forget(|| drop(rest));
    }
}

/// Keeps the first panic of a scope, and returns a later one for the caller to drop without the lock.
fn first_panic<T>(scope: &ScopePanic, panic: Panic) -> Option<End<T>> {
    let mut first = scope.lock();
    match *first {
        Some(_) => Some(End::Panicked(panic)),
        None => {
            *first = Some(panic);
            None
        }
    }
}
