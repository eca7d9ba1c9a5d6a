//! What a pool's handle and its supervisor share: the inbox, and what is known about the pool.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::error::{JobError, StartError};
use crate::info::ProcessInfo;
use crate::wake::Wake;

use super::stats::Tally;
use super::work::Work;

/// How a pool is to end. Later ones overrule earlier ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stop {
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
pub(super) struct Orders {
    pub(super) works: Vec<Work>,
    pub(super) stop: Stop,
}

#[derive(Default)]
struct Inbox {
    orders: Orders,
    /// The supervisor has not seen all of it.
    news: bool,
    /// Why nothing more is taken.
    refusal: Option<JobError>,
}

/// What is known about a pool.
#[derive(Default)]
struct Life {
    crew: Vec<ProcessInfo>,
    ready: usize,
    starting: bool,
    broken: Option<StartError>,
    ended: bool,
}

/// What a pool's handle and its supervisor share.
pub(super) struct Shared {
    inbox: Mutex<Inbox>,
    pub(super) wake: Wake,
    life: Mutex<Life>,
    changed: Condvar,
    pub(super) tally: Arc<Tally>,
}

impl Shared {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            inbox: Mutex::default(),
            wake: Wake::new()?,
            life: Mutex::new(Life {
                starting: true,
                ..Life::default()
            }),
            changed: Condvar::new(),
            tally: Arc::default(),
        })
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Handle: gives work to the supervisor, or fails it if the pool takes no more.
    pub(super) fn give(&self, work: Work) {
        if self.leave(work) {
            self.wake.wake();
        }
    }

    /// As `give`, but whoever sleeps must still be woken. False: the pool takes no more.
    pub(super) fn leave(&self, mut work: Work) -> bool {
        work.count_in(&self.tally);
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
    pub(super) fn stop(&self, how: Stop) {
        let mut inbox = self.inbox();
        inbox.refusal.get_or_insert(JobError::Closed);
        inbox.orders.stop = inbox.orders.stop.max(how);
        inbox.news = true;
        drop(inbox);
        self.wake.wake();
    }

    /// Supervisor: what has been asked.
    pub(super) fn take_orders(&self) -> Orders {
        let mut inbox = self.inbox();
        inbox.news = false;
        let stop = inbox.orders.stop;
        Orders {
            works: std::mem::take(&mut inbox.orders.works),
            stop,
        }
    }

    /// Supervisor: from now on it must be woken. False: there are orders already.
    pub(super) fn prepare_to_sleep(&self) -> bool {
        self.wake.prepare();
        !self.inbox().news
    }

    /// Supervisor: takes no more work; returns what came last.
    pub(super) fn finish(&self, error: &JobError) -> Vec<Work> {
        let mut inbox = self.inbox();
        inbox.refusal = Some(error.clone());
        std::mem::take(&mut inbox.orders.works)
    }

    pub(super) fn set_crew(&self, crew: Vec<ProcessInfo>) {
        self.life().crew = crew;
    }

    pub(super) fn crew(&self) -> Vec<ProcessInfo> {
        self.life().crew.clone()
    }

    /// Supervisor: how many workers have answered.
    pub(super) fn set_ready(&self, ready: usize) {
        let mut life = self.life();
        if life.ready != ready {
            life.ready = ready;
            self.changed.notify_all();
        }
    }

    /// Whether the pool's maker still waits for the workers.
    pub(super) fn is_starting(&self) -> bool {
        self.life().starting
    }

    pub(super) fn set_broken(&self, error: StartError) {
        self.life().broken = Some(error);
        self.changed.notify_all();
    }

    pub(super) fn announce_end(&self) {
        self.life().ended = true;
        self.changed.notify_all();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.life().ended
    }

    /// Handle: waits until all workers have answered. The supervisor's breaker bounds the wait.
    pub(super) fn await_ready(&self, workers: usize) -> Result<(), StartError> {
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
    pub(super) fn await_end(&self, deadline: Option<Instant>) -> bool {
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
