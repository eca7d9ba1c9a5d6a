//! What a thread leaves behind, until someone takes it.

use super::hook;
use crate::error::{JoinError, Panic};
use crate::park::WaitQueue;
use crate::thread::ThreadInfo;
use crate::unwind::Exit;
use parking_lot::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Where the first panic of a scope goes that nobody joined.
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
    /// Written once, before `ended`; taken by the first join.
    value: Mutex<Option<End<T>>>,
    ended: AtomicBool,
    joiners: WaitQueue,
    /// The scope that the thread belongs to.
    scope: Option<ScopePanic>,
}

impl<T> Packet<T> {
    pub(crate) fn new(info: ThreadInfo, scope: Option<ScopePanic>) -> Self {
        Self {
            info,
            value: Mutex::new(None),
            ended: AtomicBool::new(false),
            joiners: WaitQueue::new(),
            scope,
        }
    }

    pub(crate) fn info(&self) -> &ThreadInfo {
        &self.info
    }

    /// The life of the thread: runs `f` and leaves its packet.
    pub(crate) fn run(&self, f: impl FnOnce() -> T) {
        self.info.set_current();
        let end = match catch_unwind(AssertUnwindSafe(f)) {
            Ok(value) => End::Returned(value),
            Err(payload) if payload.is::<Exit>() => End::Exited,
            Err(payload) => End::Panicked(Panic::new(payload)),
        };
        self.info.unregister();
        *self.value.lock() = Some(end);
        // Release pairs with the Acquire in `has_ended`: the value is written.
        self.ended.store(true, Ordering::Release);
        self.joiners.notify(usize::MAX);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Waits for the end and takes the packet.
    pub(crate) fn join(&self, deadline: Option<Instant>) -> Result<T, JoinError> {
        if self.info.is_current() {
            return Err(JoinError::SelfJoin);
        }
        let poll = || self.has_ended().then_some(());
        poll()
            .or_else(|| self.joiners.wait(deadline, poll))
            .ok_or(JoinError::TimedOut)?;
        self.take()
    }

    /// Takes the packet if the thread has ended.
    pub(crate) fn try_join(&self) -> Option<Result<T, JoinError>> {
        if self.info.is_current() {
            return Some(Err(JoinError::SelfJoin));
        }
        self.has_ended().then(|| self.take())
    }

    pub(crate) fn joiners(&self) -> &WaitQueue {
        &self.joiners
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
    /// A panic that nobody took is reported: to the scope, or to the hook.
    fn drop(&mut self) {
        let Some(End::Panicked(panic)) = self.value.get_mut().take() else {
            return;
        };
        match &self.scope {
            Some(scope) => _ = scope.lock().get_or_insert(panic),
            None => hook::report(&self.info, &panic),
        }
    }
}
