//! Who drives the supervisor: the pool's own thread, or a thread that waits in `apply` for one job.
//!
//! While a pool has nothing to do, its thread only waits for commands and for workers that die. A caller of `apply` then
//! drives the supervisor by itself until its job has ended, so that neither the job nor its result has to pass through
//! another thread: two wake-ups fewer. Whatever else happens meanwhile (other jobs, deaths, the pool's end) is handled on
//! the way.
//!
//! The token is the lock. Its holder drives; while it polls,
//!
//! | driver | lock in `poll` | `asleep` flag | woken by |
//! |---|---|---|---|
//! | the pool's thread | released | set before the poll | a command whose sender sees the flag; a worker's descriptors |
//! | a caller of `apply` | held | set before the poll | the same; its job's result |
//! | the pool's thread, while a caller drives | waits for the lock, or still polls | (the caller's) | the nudge of a caller that leaves something open |
//!
//! A command is stored before the flag is read, and the flag is set before the commands are looked at again: so either the
//! driver sees the command or the sender sees the flag. A caller that leaves sets the flag for the pool's thread, which
//! may still be in the poll that it began before, and nudges it unless everything is as it was then: the same workers,
//! nothing under way, no command, no timer.

use std::sync::{Arc, PoisonError, TryLockError};

use crate::sys::sync::{Mutex, MutexGuard};

use crate::pool::callbacks::Deferral;
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
        let _last = EndSupervisor(self);
        let mut polled = None;
        loop {
            let deferral = Deferral::begin(&self.shared.callbacks, true);
            let mut held = self.lock();
            let Some(supervisor) = &mut *held else { return };
            if let Some(polled) = polled.take() {
                supervisor.handle_events(&polled);
            }
            if !supervisor.advance() {
                return;
            }
            let mut next = supervisor.poll_set();
            drop(held);
            drop(deferral);
            next.wait();
            polled = Some(next);
        }
    }

    /// Drives the supervisor until a job that was just submitted is done, if the pool has nothing else to do; otherwise
    /// its thread is woken.
    pub(in crate::pool) fn drive_until_done(&self, job: &JobState) {
        let deferral = Deferral::begin(&self.shared.callbacks, false);
        let mut held = match self.supervisor.try_lock() {
            Ok(held) => held,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return self.shared.notifier.wake(),
        };
        let Some(supervisor) = held.as_mut().filter(|supervisor| supervisor.is_quiet()) else {
            drop(held);
            return self.shared.notifier.wake();
        };
        let before = supervisor.generation();
        while supervisor.advance() && !job.is_done() {
            supervisor.spin_for_result();
            if job.is_done() {
                break;
            }
            let mut polled = supervisor.poll_set();
            polled.wait();
            supervisor.handle_events(&polled);
        }
        let as_before =
            supervisor.is_quiet() && supervisor.generation() == before && supervisor.has_no_timer();
        // From here on the pool's thread must be woken again, as when it went to sleep.
        let no_commands = self.shared.prepare_to_sleep();
        drop(held);
        drop(deferral);
        if !(as_before && no_commands) {
            self.shared.notifier.nudge();
        }
    }
}

/// Ends the supervisor with the pool's thread, however that ends.
struct EndSupervisor<'a>(&'a DriverLock);

impl Drop for EndSupervisor<'_> {
    fn drop(&mut self) {
        let supervisor = self.0.lock().take();
        drop(supervisor);
    }
}
