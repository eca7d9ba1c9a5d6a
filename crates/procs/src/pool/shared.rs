//! State that a pool's handle and its supervisor share: the queue of commands, and the pool's status.
//!
//! | lock | guards | held by |
//! |---|---|---|
//! | `queue` | commands, refusal, number of queued items | submitters, supervisor, for a few instructions |
//! | `status` | workers, end | waiters of `build` and `join`, supervisor, for a few instructions |
//!
//! No code of the user runs under either.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{JobError, StartError};
use crate::host::notifier::Notifier;
use crate::process::info::ProcessInfo;
use crate::sys::sync::{Condvar, Mutex, MutexGuard};

use crate::pool::callbacks::Callbacks;
use crate::pool::job::batch::BatchSlice;
use crate::pool::stats::Counters;

/// Mode of a pool's end. Of two requests the later variant wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::pool) enum Stop {
    /// No end was requested.
    #[default]
    No,
    /// All submitted tasks run.
    WhenDone,
    /// Tasks that no worker has begun are cancelled; the others run.
    CancelPending,
    /// The workers get SIGTERM and, 0.2 s later, SIGKILL.
    Terminate,
    /// The workers get SIGKILL.
    Kill,
}

/// Commands to the supervisor since it last took them.
#[derive(Default)]
pub(in crate::pool) struct Commands {
    pub(in crate::pool) slices: Vec<BatchSlice>,
    pub(in crate::pool) stop: Stop,
}

#[derive(Default)]
struct CommandQueue {
    commands: Commands,
    /// Number of items in `commands`.
    items: usize,
    /// Number of items that wait in the supervisor.
    queued: usize,
    /// Whether the supervisor has not seen the newest command or answer.
    unseen: bool,
    /// The error of later submissions; `None` while the pool is open.
    refusal: Option<JobError>,
}

/// Status of a pool.
#[derive(Default)]
struct PoolStatus {
    workers: Vec<ProcessInfo>,
    /// Number of workers that have called `init`.
    ready: usize,
    /// Whether `build` still waits for the workers.
    starting: bool,
    broken: Option<StartError>,
    ended: bool,
}

/// Reason for which a slice was not enqueued.
pub(in crate::pool) enum Refused {
    /// The pool is closed. The slice has ended in that error.
    Closed,
    /// The queue is full.
    Full,
}

/// State that a pool's handle and its supervisor share.
pub(in crate::pool) struct Shared {
    queue: Mutex<CommandQueue>,
    /// Notified when the queue has room again, and when the pool is closed.
    room: Condvar,
    bound: Option<usize>,
    pub(in crate::pool) notifier: Notifier,
    status: Mutex<PoolStatus>,
    changed: Condvar,
    pub(in crate::pool) counters: Arc<Counters>,
    pub(in crate::pool) callbacks: Arc<Callbacks>,
}

impl Shared {
    pub(in crate::pool) fn new(bound: Option<usize>) -> io::Result<Self> {
        Ok(Self {
            queue: Mutex::default(),
            room: Condvar::new(),
            bound,
            notifier: Notifier::new()?,
            status: Mutex::new(PoolStatus {
                starting: true,
                ..PoolStatus::default()
            }),
            changed: Condvar::new(),
            counters: Arc::default(),
            callbacks: Arc::default(),
        })
    }

    fn queue(&self) -> MutexGuard<'_, CommandQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self) -> MutexGuard<'_, PoolStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Handle: enqueues a slice and wakes the driver, or fails the slice if the pool is closed. Blocks while the queue is
    /// full.
    pub(in crate::pool) fn submit(&self, slice: BatchSlice) {
        // Without a deadline the only error is that of a closed pool.
        if self.enqueue(slice, None).is_ok() {
            self.notifier.wake();
        }
    }

    /// Handle: as `submit`, but does not wake the driver. Waits for room until the deadline.
    pub(in crate::pool) fn enqueue(
        &self,
        mut slice: BatchSlice,
        deadline: Option<Instant>,
    ) -> Result<(), Refused> {
        let mut queue = self.queue();
        loop {
            if let Some(refusal) = queue.refusal.clone() {
                drop(queue);
                slice.count_in(&self.counters);
                slice.fail(&refusal);
                return Err(Refused::Closed);
            }
            let full = |bound| queue.items + queue.queued >= bound;
            if !self.bound.is_some_and(full) {
                break;
            }
            let Some(next) = wait(&self.room, queue, deadline) else {
                slice.forget();
                return Err(Refused::Full);
            };
            queue = next;
        }
        slice.count_in(&self.counters);
        queue.items += slice.count();
        queue.commands.slices.push(slice);
        queue.unseen = true;
        Ok(())
    }

    /// Handle: closes the pool and requests its end.
    pub(in crate::pool) fn stop(&self, how: Stop) {
        let mut queue = self.queue();
        queue.refusal.get_or_insert(JobError::Closed);
        queue.commands.stop = queue.commands.stop.max(how);
        queue.unseen = true;
        drop(queue);
        self.room.notify_all();
        self.notifier.wake();
    }

    /// Starter: wakes the driver for an answer that is not in the queue.
    pub(in crate::pool) fn notify_start(&self) {
        // Set before `wake` reads the sleep flag: a driver that is about to sleep reads `unseen` after it has set that flag.
        self.queue().unseen = true;
        self.notifier.wake();
    }

    /// Returns whether the pool is closed.
    pub(in crate::pool) fn is_closed(&self) -> bool {
        self.queue().refusal.is_some()
    }

    /// Supervisor: takes the commands.
    pub(in crate::pool) fn take_commands(&self) -> Commands {
        let mut queue = self.queue();
        queue.unseen = false;
        queue.queued += std::mem::take(&mut queue.items);
        let stop = queue.commands.stop;
        Commands {
            slices: std::mem::take(&mut queue.commands.slices),
            stop,
        }
    }

    /// Supervisor: publishes the number of items that wait for a worker.
    pub(in crate::pool) fn set_queued(&self, queued: usize) {
        if self.bound.is_some() {
            let mut queue = self.queue();
            if queued < queue.queued {
                self.room.notify_all();
            }
            queue.queued = queued;
        }
    }

    /// Supervisor: sets the sleep flag, from which on senders wake it. False: there are commands already.
    pub(in crate::pool) fn prepare_to_sleep(&self) -> bool {
        self.notifier.prepare();
        !self.queue().unseen
    }

    /// Supervisor: closes the pool with this error. Returns the slices that it has not taken.
    pub(in crate::pool) fn finish(&self, error: &JobError) -> Vec<BatchSlice> {
        let mut queue = self.queue();
        queue.refusal = Some(error.clone());
        self.room.notify_all();
        std::mem::take(&mut queue.commands.slices)
    }

    pub(in crate::pool) fn set_workers(&self, workers: Vec<ProcessInfo>) {
        self.status().workers = workers;
    }

    pub(in crate::pool) fn workers(&self) -> Vec<ProcessInfo> {
        self.status().workers.clone()
    }

    /// Supervisor: publishes the number of workers that have called `init`.
    pub(in crate::pool) fn set_ready(&self, ready: usize) {
        let mut status = self.status();
        if status.ready != ready {
            status.ready = ready;
            self.changed.notify_all();
        }
    }

    /// Returns whether `build` still waits for the workers.
    pub(in crate::pool) fn is_starting(&self) -> bool {
        self.status().starting
    }

    pub(in crate::pool) fn set_broken(&self, error: StartError) {
        self.status().broken = Some(error);
        self.changed.notify_all();
    }

    pub(in crate::pool) fn set_ended(&self) {
        self.status().ended = true;
        self.changed.notify_all();
    }

    pub(in crate::pool) fn has_ended(&self) -> bool {
        self.status().ended
    }

    /// Handle: waits until all workers have called `init`, or the pool is broken. `None`: the deadline passes first.
    pub(in crate::pool) fn await_ready(
        &self,
        workers: usize,
        deadline: Option<Instant>,
    ) -> Option<Result<(), StartError>> {
        let mut status = self.status();
        while status.ready < workers && status.broken.is_none() && !status.ended {
            status = wait(&self.changed, status, deadline)?;
        }
        status.starting = false;
        Some(status.broken.clone().map_or(Ok(()), Err))
    }

    /// Handle: waits for the supervisor's end and for the callbacks. False: the deadline passes first.
    pub(in crate::pool) fn await_end(&self, deadline: Option<Instant>) -> bool {
        let mut status = self.status();
        while !status.ended {
            let Some(next) = wait(&self.changed, status, deadline) else {
                return false;
            };
            status = next;
        }
        drop(status);
        self.callbacks.await_all(deadline)
    }
}

/// Waits for a notification, at most until the deadline. `None`: the deadline has passed. May return early.
pub(in crate::pool) fn wait<'a, T>(
    changed: &Condvar,
    guard: MutexGuard<'a, T>,
    deadline: Option<Instant>,
) -> Option<MutexGuard<'a, T>> {
    // Callers loop, so without a deadline any long time serves.
    let left = deadline.map_or(Duration::from_secs(3600), |deadline| {
        deadline.saturating_duration_since(Instant::now())
    });
    if left.is_zero() {
        return None;
    }
    let (guard, _) = changed
        .wait_timeout(guard, left)
        .unwrap_or_else(PoisonError::into_inner);
    Some(guard)
}
