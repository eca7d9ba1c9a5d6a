//! The supervisor of a pool: owns the workers and every task without a result.
//!
//! It blocks only in `poll` (see `caller_runs`). Workers are started by starter threads, each turn reads a bounded part of
//! the results, and callbacks run on threads of their own.
//!
//! | mode | event | next mode |
//! |---|---|---|
//! | `Running` | `close`, `join`, `shutdown(Wait)` | `Draining`: all submitted tasks run, then the workers get a STOP frame |
//! | `Running`, `Draining` | `shutdown(CancelPending)` | `Draining`: tasks that no worker has begun are cancelled |
//! | `Running`, `Draining` | `shutdown(Terminate)` | `Terminating`: SIGTERM to all workers |
//! | `Terminating` | the grace period of 0.2 s is over | `Killing`: SIGKILL |
//! | `Running`, `Draining`, `Terminating` | `terminate`, drop | `Killing` |
//! | `Running`, `Draining` | five starts in a row fail, and no worker is healthy | `Broken`: SIGKILL, jobs end in the reason |
//!
//! The pool has ended when no worker is left and the mode is `Terminating`, `Killing` or `Broken`, or `Draining` without
//! tasks.

use std::hint;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::error::{JobError, StartError};
use crate::host::starter::PendingStart;
use crate::process::info::ProcessInfo;
use crate::sys;

use crate::pool::PoolConfig;
use crate::pool::callbacks::Deferral;
use crate::pool::job::batch::BatchSlice;
use crate::pool::progress::Reporter;
use crate::pool::shared::{Shared, Stop};
use crate::pool::worker::{WorkerExit, WorkerHandle};

mod backoff;
pub(in crate::pool) mod caller_runs;
mod pending;
mod poll_set;

use backoff::Backoff;
use pending::PendingQueue;
use poll_set::{PollSet, Readiness};

/// Shortest time between two reads of the journals of workers with several tasks.
const SHORT_TICK: Duration = Duration::from_millis(1);
/// Longest time between two reads: the time doubles while no task ends.
const LONG_TICK: Duration = Duration::from_millis(32);
/// The time between SIGTERM and SIGKILL.
const TERM_GRACE: Duration = Duration::from_millis(200);
/// Time for which a driver polls the journal for the result of a short task before it sleeps: a wake-up costs more.
const SPIN_BUDGET: Duration = Duration::from_micros(8);
/// Failed starts in a row after which a pool without a healthy worker is broken.
const MAX_FAILURES: u32 = 5;

/// State of a pool. See the table above.
#[derive(Debug)]
enum Mode {
    Running,
    Draining,
    Terminating { kill_at: Instant },
    Killing,
    Broken(StartError),
}

/// A worker whose process is being started.
struct PendingWorker {
    name: String,
    start: PendingStart,
}

/// See the module's documentation.
pub(in crate::pool) struct Supervisor {
    shared: Arc<Shared>,
    config: PoolConfig,
    mode: Mode,
    starting: Vec<PendingWorker>,
    workers: Vec<WorkerHandle>,
    pending: PendingQueue,
    backoff: Backoff,
    /// Number of requested starts; numbers the workers' names.
    started: u64,
    /// Changes whenever the list of workers changes.
    generation: u64,
    tick: Duration,
    next_tick: Instant,
    /// Number of workers that were stopped because they were idle.
    parked: usize,
    reporter: Reporter,
}

impl Supervisor {
    pub(in crate::pool) fn new(shared: Arc<Shared>, config: PoolConfig) -> Self {
        let reporter = Reporter::new(config.progress.clone());
        let now = Instant::now();
        Self {
            shared,
            config,
            mode: Mode::Running,
            starting: Vec::new(),
            workers: Vec::new(),
            pending: PendingQueue::default(),
            backoff: Backoff::new(now),
            started: 0,
            generation: 0,
            tick: SHORT_TICK,
            next_tick: now,
            parked: 0,
            reporter,
        }
    }

    /// Takes commands and finished starts, starts and stops workers, sends tasks. False: the pool has ended.
    pub(in crate::pool) fn advance(&mut self) -> bool {
        let now = Instant::now();
        self.take_commands(now);
        self.collect_starts(now);
        self.park_idle(now);
        self.spawn_missing(now);
        self.dispatch(now);
        self.report(now);
        !self.is_finished()
    }

    /// Returns whether the only possible events are commands and deaths of workers.
    pub(in crate::pool) fn is_quiet(&self) -> bool {
        matches!(self.mode, Mode::Running)
            && self.pending.is_empty()
            && self.starting.is_empty()
            && self.workers.len() == self.wanted()
            && self.workers.iter().all(WorkerHandle::is_quiet)
    }

    /// Returns whether no report is due, so that the pool's thread may sleep without a timeout.
    pub(in crate::pool) fn has_no_timer(&self) -> bool {
        self.reporter.due().is_none() && !self.reporter.has_news(&self.shared.counters)
    }

    pub(in crate::pool) fn generation(&self) -> u64 {
        self.generation
    }

    // Commands and modes.

    fn take_commands(&mut self, now: Instant) {
        let commands = self.shared.take_commands();
        commands
            .slices
            .into_iter()
            .for_each(|slice| self.pending.push_back(slice));
        match (commands.stop, &self.mode) {
            (Stop::WhenDone, Mode::Running) => self.mode = Mode::Draining,
            (Stop::CancelPending, Mode::Running | Mode::Draining) => {
                self.mode = Mode::Draining;
                self.cancel_pending();
            }
            (Stop::Terminate, Mode::Running | Mode::Draining) => {
                self.workers.iter().for_each(WorkerHandle::terminate);
                self.mode = Mode::Terminating {
                    kill_at: now + TERM_GRACE,
                };
            }
            (Stop::Kill, Mode::Running | Mode::Draining | Mode::Terminating { .. }) => {
                self.kill(now);
            }
            _ => {}
        }
        if matches!(self.mode, Mode::Terminating { kill_at } if kill_at <= now) {
            self.kill(now);
        }
    }

    fn kill(&mut self, now: Instant) {
        self.mode = Mode::Killing;
        self.kill_all(now);
    }

    /// Cancels the tasks that no worker has begun: in the queue, and in workers behind the task that each runs.
    fn cancel_pending(&mut self) {
        let workers = self.workers.iter_mut();
        let unbegun: Vec<_> = workers.flat_map(WorkerHandle::revoke_once).collect();
        for slice in self.pending.drain().chain(unbegun) {
            slice.fail(&JobError::Cancelled);
        }
    }

    fn kill_all(&mut self, now: Instant) {
        let workers = self.workers.iter_mut();
        workers.for_each(|worker| worker.kill_for_pool_end(now));
    }

    fn is_stopping(&self) -> bool {
        matches!(
            self.mode,
            Mode::Terminating { .. } | Mode::Killing | Mode::Broken(_)
        )
    }

    fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.workers.iter().all(|worker| worker.outstanding() == 0)
    }

    fn is_finished(&self) -> bool {
        let done = matches!(self.mode, Mode::Draining) && self.is_idle();
        self.workers.is_empty() && self.starting.is_empty() && (self.is_stopping() || done)
    }

    fn report(&mut self, now: Instant) {
        if self.reporter.has_news(&self.shared.counters) {
            let last = self.is_finished();
            if let Some(call) = self.reporter.report(&self.shared.counters, last, now) {
                self.shared.callbacks.push(call);
            }
        }
    }

    // Workers: how many, from their start to their end.

    /// Returns the number of workers that the pool should have now.
    fn wanted(&self) -> usize {
        match self.mode {
            Mode::Running => self.config.workers - self.parked,
            // A dead worker is replaced while tasks wait.
            Mode::Draining => {
                let there = self.workers.len() + self.starting.len();
                self.config.workers.min(there + self.pending.items())
            }
            Mode::Terminating { .. } | Mode::Killing | Mode::Broken(_) => 0,
        }
    }

    /// Stops workers that have been idle for the pool's limit. Reverses that when there are tasks for them.
    fn park_idle(&mut self, now: Instant) {
        let Some(limit) = self.config.idle_timeout else {
            return;
        };
        // Each starting worker counts as room for one item.
        let early = self.workers.iter().filter(|worker| worker.is_early());
        let coming = self.starting.len() + early.count();
        let missing = (self.config.workers - self.parked)
            .saturating_sub(self.workers.len() + self.starting.len());
        let room: usize = self.workers.iter().map(WorkerHandle::room).sum();
        let excess = self.pending.items().saturating_sub(room + coming + missing);
        self.parked = self.parked.saturating_sub(excess);
        // `build` waits until all workers have called `init`.
        let running = matches!(self.mode, Mode::Running);
        if !running || !self.pending.is_empty() || self.shared.is_starting() {
            return;
        }
        for worker in &mut self.workers {
            if worker.idle_until(limit).is_some_and(|until| until <= now) {
                worker.request_exit();
                self.parked += 1;
            }
        }
    }

    /// Requests starts until there are enough workers. Stops the workers of a draining pool that is idle.
    fn spawn_missing(&mut self, now: Instant) {
        while self.workers.len() + self.starting.len() < self.wanted()
            && self.backoff.next_start() <= now
        {
            self.started += 1;
            let name = format!("Worker-{}", self.started);
            let shared = Arc::clone(&self.shared);
            let notify = move || shared.notify_start();
            match PendingStart::request(self.config.options.clone(), name.clone(), notify) {
                Ok(start) => self.starting.push(PendingWorker { name, start }),
                Err(error) => self.start_failed(error.into(), true, now),
            }
        }
        if matches!(self.mode, Mode::Draining) && self.is_idle() {
            self.workers.iter_mut().for_each(WorkerHandle::request_exit);
        }
    }

    /// Takes over the processes that have been started. While the pool stops, kills them; they are reaped like the others.
    fn collect_starts(&mut self, now: Instant) {
        let mut index = 0;
        while index < self.starting.len() {
            let Some(answer) = self.starting[index].start.take() else {
                index += 1;
                continue;
            };
            let name = self.starting.remove(index).name;
            let worker = answer.and_then(|child| WorkerHandle::new(name, child, &self.config, now));
            match worker {
                Ok(worker) => {
                    self.shared.counters.started.fetch_add(1, Relaxed);
                    if self.is_stopping() {
                        worker.kill();
                    }
                    self.workers.push(worker);
                    self.publish_workers();
                }
                Err(error) if !self.is_stopping() => self.start_failed(error, true, now),
                Err(_) => {}
            }
        }
    }

    fn publish_workers(&mut self) {
        self.generation += 1;
        let workers = self.workers.iter();
        let workers = workers.map(|worker| ProcessInfo::new(worker.pid, worker.name.clone()));
        self.shared.set_workers(workers.collect());
    }

    /// Counts a failed start, and breaks the pool if no worker can be expected. `before_init`: the process did not call
    /// `init`.
    fn start_failed(&mut self, error: StartError, before_init: bool, now: Instant) {
        self.backoff.start_failed(now);
        // `build` reports the first error of the system.
        let starting = self.shared.is_starting();
        let at_once = starting && matches!(error, StartError::System(_));
        let enough = self.backoff.failures() >= MAX_FAILURES;
        // `build` also reports a worker that never reaches `init`, whatever the others do.
        let hopeless = starting && before_init;
        if at_once || (enough && (hopeless || !self.has_healthy_worker())) {
            self.break_pool(error, now);
        }
    }

    /// Returns whether a worker takes tasks, or was started before the first failure of the row.
    fn has_healthy_worker(&self) -> bool {
        self.workers.iter().any(|worker| {
            worker.takes_tasks()
                || (worker.is_early() && worker.started_at() < self.backoff.since())
        })
    }

    /// Circuit breaker: fails every pending job instead of restarting workers for ever.
    fn break_pool(&mut self, error: StartError, now: Instant) {
        self.shared.set_broken(error.clone());
        self.mode = Mode::Broken(error);
        self.kill_all(now);
    }

    // Tasks.

    /// Sends waiting tasks to the workers that have the fewest.
    fn dispatch(&mut self, now: Instant) {
        while !self.pending.is_empty() && !self.is_stopping() {
            let with_room = || self.workers.iter().filter(|worker| worker.room() > 0);
            let ready = with_room().count();
            let Some(worker) = self
                .workers
                .iter_mut()
                .filter(|worker| worker.room() > 0)
                .min_by_key(|worker| worker.outstanding())
            else {
                break;
            };
            // At most half of an equal share, so that items are left for the other workers.
            let mut share = (self.pending.items() / (2 * ready))
                .max(1)
                .min(worker.room());
            while share > 0
                && let Some(slice) = self.pending.pop_front(share)
            {
                share -= slice.count();
                if slice.assign() {
                    worker.assign(slice, now);
                }
            }
        }
        self.workers.iter_mut().for_each(WorkerHandle::flush);
        self.shared.set_queued(self.pending.items());
    }

    // Events.

    /// Handles the result of a poll.
    pub(in crate::pool) fn handle_events(&mut self, polled: &PollSet) {
        self.shared.notifier.awake(polled.has_commands());
        let now = Instant::now();
        let ready = polled.ready(self.workers.len(), self.generation);
        let mut ended = self.handle_ready(&ready, now);
        if self.has_several() && self.next_tick <= now {
            ended += self.reassign_stalled(now);
            self.tick = if ended > 0 {
                SHORT_TICK
            } else {
                (self.tick * 2).min(LONG_TICK)
            };
            self.next_tick = now + self.tick;
        }
        if ended > 0 {
            self.backoff.reset();
        }
        let reported = self.workers.iter().filter(|worker| worker.has_reported());
        self.shared.set_ready(reported.count());
    }

    /// Reads ready sockets, reaps exited workers, kills workers past their deadline. Returns the number of tasks
    /// completed.
    fn handle_ready(&mut self, ready: &[Readiness], now: Instant) -> usize {
        let mut ended = 0;
        let mut requeued = Vec::new();
        for (worker, ready) in self.workers.iter_mut().zip(ready) {
            if ready.socket {
                ended += worker.read_results(now);
            }
            requeued.extend(worker.enforce(now));
        }
        self.pending.requeue(requeued);
        for (index, _) in ready
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, ready)| ready.end)
        {
            self.reap(index, now);
        }
        ended
    }

    /// Collects results not yet flushed to the socket, and reassigns tasks queued behind a long-running one to idle
    /// workers.
    fn reassign_stalled(&mut self, now: Instant) -> usize {
        let workers = self.workers.iter_mut();
        let ended = workers.map(|worker| worker.read_journal(now)).sum();
        let others = self
            .workers
            .iter()
            .any(|worker| worker.outstanding() == 0 && worker.room() > 0)
            || self.workers.len() + self.starting.len() < self.wanted();
        let mut unbegun = Vec::new();
        for worker in &mut self.workers {
            if worker.is_stalled() && others && self.pending.is_empty() {
                unbegun.extend(worker.revoke());
            }
        }
        self.pending.requeue(unbegun);
        ended
    }

    fn reap(&mut self, index: usize, now: Instant) {
        let Some(exit) = self.workers[index].reap(now) else {
            return;
        };
        let reported = self.workers[index].has_reported();
        self.workers.remove(index);
        if self.workers.len() + self.starting.len() < self.wanted() {
            self.shared.counters.restarted.fetch_add(1, Relaxed);
        }
        self.publish_workers();
        let WorkerExit {
            start_error,
            died_idle,
            in_flight,
            mut unbegun,
            unbegun_limit,
            error,
        } = exit;
        if in_flight.is_none() {
            self.count_unbegun(&mut unbegun, &error, unbegun_limit);
        }
        self.pending.requeue(unbegun);
        if died_idle {
            self.backoff.died_early(now);
        }
        if let Some(lost) = in_flight {
            self.backoff.reset();
            self.fail_in_flight(lost, error);
        }
        if let Some(error) = start_error
            && !self.is_stopping()
        {
            self.start_failed(error, !reported, now);
        }
    }

    /// Counts a worker's death against the task that it would have begun next. At the limit, that task ends in the error.
    fn count_unbegun(&mut self, unbegun: &mut Vec<BatchSlice>, error: &JobError, limit: u32) {
        let Some(first) = unbegun.first_mut() else {
            return;
        };
        let mut suspect = first.split_front(1);
        if first.count() == 0 {
            unbegun.remove(0);
        }
        suspect.unbegun_deaths += 1;
        if suspect.unbegun_deaths >= limit {
            self.fail_in_flight(suspect, error.clone());
        } else {
            unbegun.insert(0, suspect);
        }
    }

    /// Requeues the task that a dead worker was running, within the pool's `retries`. Otherwise ends it in the error.
    fn fail_in_flight(&mut self, mut lost: BatchSlice, error: JobError) {
        if lost.deaths < self.config.retries && !self.is_stopping() {
            lost.deaths += 1;
            lost.unbegun_deaths = 0;
            lost.requeue();
            self.pending.requeue(vec![lost]);
            return;
        }
        match self.mode {
            Mode::Terminating { .. } | Mode::Killing => lost.fail(&JobError::Closed),
            _ => lost.fail(&error),
        }
    }

    // Waiting.

    fn has_several(&self) -> bool {
        self.workers.iter().any(|worker| worker.outstanding() > 1)
    }

    /// Sets the sleep flag. Returns the next wait.
    pub(in crate::pool) fn poll_set(&self) -> PollSet {
        let now = Instant::now();
        let quiet = self.is_quiet();
        let workers = self.workers.iter().map(|worker| {
            let [mut socket, end] = worker.interest();
            if quiet {
                // An idle worker sends nothing. The driver that assigns it a task also reads its result.
                socket.fd = -1;
            }
            [socket, end]
        });
        let timeout = if self.shared.prepare_to_sleep() {
            self.next_deadline(now)
                .map(|deadline| deadline.saturating_duration_since(now))
        } else {
            // There are commands already: the poll only reads which descriptors are ready.
            Some(Duration::ZERO)
        };
        let commands = sys::as_poll(self.shared.notifier.as_fd(), true, false);
        PollSet::new(commands, workers, timeout, self.generation)
    }

    fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let workers = self.workers.iter();
        let limits = workers.filter_map(|worker| worker.next_deadline(now));
        let missing = self.workers.len() + self.starting.len() < self.wanted();
        let start = missing.then(|| self.backoff.next_start());
        let tick = self
            .has_several()
            .then(|| self.next_tick.max(now + SHORT_TICK / 2));
        let kill = match self.mode {
            Mode::Terminating { kill_at } => Some(kill_at),
            _ => None,
        };
        let others = [start, tick, kill, self.next_idle(now), self.reporter.due()];
        limits.chain(others.into_iter().flatten()).min()
    }

    /// Returns when the next worker will have been idle for the pool's limit.
    fn next_idle(&self, now: Instant) -> Option<Instant> {
        let limit = self.config.idle_timeout?;
        if !matches!(self.mode, Mode::Running) {
            return None;
        }
        let workers = self.workers.iter();
        let until = workers
            .filter_map(|worker| worker.idle_until(limit))
            .min()?;
        // No worker is stopped before all have called `init`.
        let starting = self.shared.is_starting();
        Some(if starting {
            until.max(now + SHORT_TICK)
        } else {
            until
        })
    }

    /// Reads the journal for the result of a short task for up to `SPIN_BUDGET`.
    pub(in crate::pool) fn spin_for_result(&mut self) {
        let begun = Instant::now();
        let mut now = begun;
        while now - begun < SPIN_BUDGET {
            let mut short = self.workers.iter_mut().filter(|worker| worker.is_short());
            let Some(worker) = short.next() else { return };
            if worker.read_journal(now) > 0 {
                self.backoff.reset();
                return;
            }
            hint::spin_loop();
            now = Instant::now();
        }
    }
}

/// Ends every task, also when a panic drops the supervisor.
impl Drop for Supervisor {
    fn drop(&mut self) {
        let callbacks = Arc::clone(&self.shared.callbacks);
        let deferral = Deferral::begin(&callbacks, true);
        let error = match &self.mode {
            Mode::Broken(error) => JobError::Broken(error.clone()),
            _ => JobError::Closed,
        };
        for slice in self.pending.drain().chain(self.shared.finish(&error)) {
            slice.fail(&error);
        }
        // Dropping a worker's handle ends its tasks, before the pool's end is published.
        self.workers.clear();
        drop(deferral);
        self.shared.set_ended();
    }
}
