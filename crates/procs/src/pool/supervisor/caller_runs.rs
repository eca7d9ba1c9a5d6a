//! Where the supervisor sits: in its thread's hands, or in those of a thread that waits in `apply` for one job.
//!
//! While a pool has nothing to do, its thread only waits for orders and for workers that die. A caller of `apply` then
//! supervises the pool by itself until its job has ended, so that neither the job nor its result has to pass through
//! another thread: two wake-ups fewer. Whatever else happens meanwhile (other jobs, deaths, the pool's end) is attended to
//! on the way; what is open when it leaves is left to the pool's thread, which it wakes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use crate::pool::job::JobState;
use crate::pool::shared::Shared;
use crate::pool::supervisor::Supervisor;

pub(in crate::pool) struct DriverLock {
    shared: Arc<Shared>,
    /// `None` once the pool has ended.
    supervisor: Mutex<Option<Supervisor>>,
}

impl DriverLock {
    pub(in crate::pool) fn new(shared: Arc<Shared>, supervisor: Supervisor) -> Self {
        Self {
            shared,
            supervisor: Mutex::new(Some(supervisor)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Supervisor>> {
        self.supervisor
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The life of the pool's thread: until the pool is closed and everything is done, or it is terminated, or broken.
    pub(in crate::pool) fn supervise(&self) {
        let _vacate = Vacate(self);
        let mut watch = None;
        loop {
            let mut held = self.lock();
            let Some(supervisor) = &mut *held else { return };
            if let Some(watch) = watch.take() {
                supervisor.attend(watch);
            }
            if !supervisor.advance() {
                return;
            }
            let mut next = supervisor.watch();
            drop(held);
            next.wait();
            watch = Some(next);
        }
    }

    /// Sees to a job that was just given, if the pool has nothing else to do; otherwise its thread is told of it.
    pub(in crate::pool) fn see_to(&self, job: &JobState) {
        let mut held = match self.supervisor.try_lock() {
            Ok(held) => held,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return self.shared.wake.wake(),
        };
        let Some(supervisor) = held.as_mut().filter(|supervisor| supervisor.is_quiet()) else {
            drop(held);
            return self.shared.wake.wake();
        };
        let workers = supervisor.crew_number();
        while supervisor.advance() && !job.is_done() {
            supervisor.linger();
            if job.is_done() {
                break;
            }
            let mut watch = supervisor.watch();
            watch.wait();
            supervisor.attend(watch);
        }
        let as_before = supervisor.is_quiet() && supervisor.crew_number() == workers;
        // From here on the pool's thread must be woken again, as when it went to sleep. Commands that come before are seen
        // here, those that come after see that it sleeps.
        let no_news = self.shared.prepare_to_sleep();
        drop(held);
        if !(as_before && no_news) {
            self.shared.wake.nudge();
        }
    }
}

/// Nothing is left on the way when the pool's thread ends, however it ends.
struct Vacate<'a>(&'a DriverLock);

impl Drop for Vacate<'_> {
    fn drop(&mut self) {
        let supervisor = self.0.lock().take();
        drop(supervisor);
    }
}
