//! What a pool's handle and its supervisor share: the inbox, and what is known about the pool.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::error::{JobError, StartError};
use crate::host::notifier::Notifier;
use crate::process::info::ProcessInfo;

use crate::pool::job::batch::BatchSlice;
use crate::pool::stats::Counters;

/// How a pool is to end. Later ones overrule earlier ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::pool) enum Stop {
    /// Not at all.
    #[default]
    No,
    /// When everything that was submitted is done.
    WhenDone,
    /// Now, by SIGTERM and, a little later, SIGKILL.
    Terminate,
    /// Now, by SIGKILL.
    Kill,
}

/// What the supervisor has been asked since it last looked.
#[derive(Default)]
pub(in crate::pool) struct Commands {
    pub(in crate::pool) works: Vec<BatchSlice>,
    pub(in crate::pool) stop: Stop,
}

#[derive(Default)]
struct CommandQueue {
    orders: Commands,
    /// The supervisor has not seen all of it.
    news: bool,
    /// Why nothing more is taken.
    refusal: Option<JobError>,
}

/// What is known about a pool.
#[derive(Default)]
struct PoolStatus {
    workers: Vec<ProcessInfo>,
    ready: usize,
    starting: bool,
    broken: Option<StartError>,
    ended: bool,
}

/// What a pool's handle and its supervisor share.
pub(in crate::pool) struct Shared {
    inbox: Mutex<CommandQueue>,
    pub(in crate::pool) wake: Notifier,
    life: Mutex<PoolStatus>,
    changed: Condvar,
    pub(in crate::pool) counters: Arc<Counters>,
}

impl Shared {
    pub(in crate::pool) fn new() -> io::Result<Self> {
        Ok(Self {
            inbox: Mutex::default(),
            wake: Notifier::new()?,
            life: Mutex::new(PoolStatus {
                starting: true,
                ..PoolStatus::default()
            }),
            changed: Condvar::new(),
            counters: Arc::default(),
        })
    }

    fn inbox(&self) -> MutexGuard<'_, CommandQueue> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn life(&self) -> MutexGuard<'_, PoolStatus> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Handle: gives work to the supervisor, or fails it if the pool takes no more.
    pub(in crate::pool) fn give(&self, work: BatchSlice) {
        if self.leave(work) {
            self.wake.wake();
        }
    }

    /// As `give`, but whoever sleeps must still be woken. False: the pool takes no more.
    pub(in crate::pool) fn leave(&self, mut work: BatchSlice) -> bool {
        work.count_in(&self.counters);
        let mut inbox = self.inbox();
        if let Some(refusal) = inbox.refusal.clone() {
            drop(inbox);
            work.fail(&refusal);
            return false;
        }
        inbox.orders.works.push(work);
        inbox.news = true;
        true
    }

    /// Handle: takes no more work, and ends the pool in this way.
    pub(in crate::pool) fn stop(&self, how: Stop) {
        let mut inbox = self.inbox();
        inbox.refusal.get_or_insert(JobError::Closed);
        inbox.orders.stop = inbox.orders.stop.max(how);
        inbox.news = true;
        drop(inbox);
        self.wake.wake();
    }

    /// Supervisor: what has been asked.
    pub(in crate::pool) fn take_orders(&self) -> Commands {
        let mut inbox = self.inbox();
        inbox.news = false;
        let stop = inbox.orders.stop;
        Commands {
            works: std::mem::take(&mut inbox.orders.works),
            stop,
        }
    }

    /// Supervisor: from now on it must be woken. False: there are orders already.
    pub(in crate::pool) fn prepare_to_sleep(&self) -> bool {
        self.wake.prepare();
        !self.inbox().news
    }

    /// Supervisor: takes no more work; returns what came last.
    pub(in crate::pool) fn finish(&self, error: &JobError) -> Vec<BatchSlice> {
        let mut inbox = self.inbox();
        inbox.refusal = Some(error.clone());
        std::mem::take(&mut inbox.orders.works)
    }

    pub(in crate::pool) fn set_crew(&self, workers: Vec<ProcessInfo>) {
        self.life().workers = workers;
    }

    pub(in crate::pool) fn workers(&self) -> Vec<ProcessInfo> {
        self.life().workers.clone()
    }

    /// Supervisor: how many workers have answered.
    pub(in crate::pool) fn set_ready(&self, ready: usize) {
        let mut life = self.life();
        if life.ready != ready {
            life.ready = ready;
            self.changed.notify_all();
        }
    }

    /// Whether the pool's maker still waits for the workers.
    pub(in crate::pool) fn is_starting(&self) -> bool {
        self.life().starting
    }

    pub(in crate::pool) fn set_broken(&self, error: StartError) {
        self.life().broken = Some(error);
        self.changed.notify_all();
    }

    pub(in crate::pool) fn announce_end(&self) {
        self.life().ended = true;
        self.changed.notify_all();
    }

    pub(in crate::pool) fn has_ended(&self) -> bool {
        self.life().ended
    }

    /// Handle: waits until all workers have answered. The supervisor's breaker bounds the wait.
    pub(in crate::pool) fn await_ready(&self, workers: usize) -> Result<(), StartError> {
        let mut life = self.life();
        while life.ready < workers && life.broken.is_none() && !life.ended {
            life = self
                .changed
                .wait(life)
                .unwrap_or_else(PoisonError::into_inner);
        }
        life.starting = false;
        match &life.broken {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    /// Handle: waits for the supervisor's end; false when the time is up first.
    pub(in crate::pool) fn await_end(&self, deadline: Option<Instant>) -> bool {
        let mut life = self.life();
        while !life.ended {
            life = match deadline {
                None => self
                    .changed
                    .wait(life)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    self.changed
                        .wait_timeout(life, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
        true
    }
}
