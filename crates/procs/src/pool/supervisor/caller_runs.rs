//! The thread that drives the supervisor: the pool's own thread, or one that waits in `apply` for one job.
//!
//! While a pool is idle, its thread only waits for commands and for the death of workers. A caller of `apply` then drives
//! the supervisor itself until its job has ended. Neither the job nor its result passes through another thread, which saves
//! two wake-ups. The caller also handles all other events of that time: other jobs, deaths, the pool's end.
//!
//! The thread that holds the lock is the driver. While it polls:
//!
//! | driver | lock in `poll` | `asleep` flag | woken by |
//! |---|---|---|---|
//! | the pool's thread | released | set before the poll | a command whose sender sees the flag; a worker's descriptors |
//! | a caller of `apply` | held | set before the poll | the same; its job's result |
//! | the pool's thread, while a caller drives | waits for the lock, or still polls | (the caller's) | `nudge` of a caller that stops driving |
//!
//! A sender stores its command before it reads the flag. The driver sets the flag before it checks for commands again. So
//! either the driver sees the command or the sender sees the flag.
//!
//! The pool's thread may still be in the poll that it began before the caller drove. A caller that stops driving sets the
//! flag for it. It also nudges that thread, unless its poll still waits for the right events: the workers are the same,
//! nothing is in flight, and there is no command and no timer.

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

    /// Runs the pool's thread: until the pool is closed and all tasks have ended, or it is terminated or broken.
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

    /// Drives the supervisor until a job that was just submitted is done, if the pool is idle. Otherwise wakes the driver.
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
        // The flag is the pool's thread's again, as when it went to sleep.
        let no_commands = self.shared.prepare_to_sleep();
        drop(held);
        drop(deferral);
        if !(as_before && no_commands) {
            self.shared.notifier.nudge();
        }
    }
}

/// Drops the supervisor when the pool's thread ends, also by a panic.
struct EndSupervisor<'a>(&'a DriverLock);

impl Drop for EndSupervisor<'_> {
    fn drop(&mut self) {
        let supervisor = self.0.lock().take();
        drop(supervisor);
    }
}
