//! The supervisor of a pool: owns every worker and everything that is on its way.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::error::{JobError, StartError};
use crate::sys::{POLLIN, PollFd, SIGKILL, SIGTERM};

use crate::pool::PoolConfig;
use crate::pool::job::batch::BatchSlice;
use crate::pool::progress::Reporter;
use crate::pool::shared::{Shared, Stop};
use crate::pool::worker::{Stage, WorkerHandle};

pub(in crate::pool) mod caller_runs;
mod poll_set;
mod scaling;

use poll_set::Watch;

/// How often workers with several tasks are looked at, while they make progress.
const SHORT_TICK: Duration = Duration::from_millis(1);
/// And while they do not.
const LONG_TICK: Duration = Duration::from_millis(32);
/// How long a worker has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_millis(200);

pub(in crate::pool) struct Supervisor {
    shared: Arc<Shared>,
    plan: PoolConfig,
    workers: Vec<WorkerHandle>,
    pending: VecDeque<BatchSlice>,
    pending_items: usize,
    stop: Stop,
    /// When those that were asked to end are killed.
    kill_at: Option<Instant>,
    /// Starts in a row that came to nothing.
    failures: u32,
    /// Those, and workers that died before their first task.
    short_lives: u32,
    next_start: Instant,
    started: u64,
    crew_number: u64,
    tick: Duration,
    next_look: Instant,
    broken: Option<StartError>,
    /// How many workers were let go because they had nothing to do.
    dormant: usize,
    reporter: Reporter,
}

impl Supervisor {
    pub(in crate::pool) fn new(shared: Arc<Shared>, plan: PoolConfig) -> Self {
        let reporter = Reporter::new(plan.progress.clone());
        Self {
            shared,
            plan,
            workers: Vec::new(),
            pending: VecDeque::new(),
            pending_items: 0,
            stop: Stop::No,
            kill_at: None,
            failures: 0,
            short_lives: 0,
            next_start: Instant::now(),
            started: 0,
            crew_number: 0,
            tick: SHORT_TICK,
            next_look: Instant::now(),
            broken: None,
            dormant: 0,
            reporter,
        }
    }

    /// Does what can be done now. False: the pool has ended.
    pub(in crate::pool) fn advance(&mut self) -> bool {
        self.take_orders();
        self.rest();
        self.staff();
        self.dispatch();
        if self.reporter.has_news(&self.shared.counters) {
            let last = self.is_finished();
            self.reporter.report(&self.shared.counters, last);
        }
        !self.is_finished()
    }

    /// Whether there is nothing to do but to wait for orders and for workers that die.
    pub(in crate::pool) fn is_quiet(&self) -> bool {
        self.stop == Stop::No
            && !self.is_stopping()
            && self.pending.is_empty()
            && self.workers.len() == self.wanted()
            && self.workers.iter().all(WorkerHandle::is_quiet)
    }

    /// Changes whenever a worker comes or goes.
    pub(in crate::pool) fn crew_number(&self) -> u64 {
        self.crew_number
    }

    fn take_orders(&mut self) {
        let orders = self.shared.take_orders();
        for work in orders.works {
            self.pending_items += work.count();
            self.pending.push_back(work);
        }
        if orders.stop > self.stop {
            self.stop = orders.stop;
            match self.stop {
                Stop::No | Stop::WhenDone => {}
                Stop::Terminate => {
                    self.signal_all(SIGTERM);
                    self.kill_at = Some(Instant::now() + GRACE);
                }
                Stop::Kill => self.signal_all(SIGKILL),
            }
        }
    }

    fn signal_all(&self, number: i32) {
        self.workers.iter().for_each(|member| member.signal(number));
    }

    fn is_stopping(&self) -> bool {
        self.stop >= Stop::Terminate || self.broken.is_some()
    }

    fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.workers.iter().all(|member| member.outstanding == 0)
    }

    fn is_finished(&self) -> bool {
        self.workers.is_empty()
            && (self.is_stopping() || (self.stop == Stop::WhenDone && self.is_idle()))
    }

    /// Gives waiting work to the workers that have least.
    fn dispatch(&mut self) {
        let now = Instant::now();
        while !self.pending.is_empty() && !self.is_stopping() {
            let ready = self
                .workers
                .iter()
                .filter(|member| member.room() > 0)
                .count();
            let Some(member) = self
                .workers
                .iter_mut()
                .filter(|member| member.room() > 0)
                .min_by_key(|m| m.outstanding)
            else {
                break;
            };
            // Not everything at once to one of them: the others shall have their part of what there is.
            let mut share = (self.pending_items / (2 * ready)).max(1).min(member.room());
            while share > 0
                && let Some(work) = take_front(&mut self.pending, share)
            {
                self.pending_items -= work.count();
                share -= work.count();
                if work.hand_out() {
                    member.give(work, now);
                }
            }
        }
        self.workers.iter_mut().for_each(WorkerHandle::flush);
    }

    /// Attends to what a wait has found.
    pub(in crate::pool) fn attend(&mut self, mut watch: Watch) {
        self.shared.wake.awake(watch.polled[0].revents != 0);
        if watch.failed || watch.crew_number != self.crew_number {
            // Who was found is not known, or is not who is here now: everybody is looked at.
            let looked_at = 1 + 2 * self.workers.len();
            watch.polled.resize(looked_at, watch.polled[0]);
            watch
                .polled
                .iter_mut()
                .for_each(|polled| polled.revents = POLLIN);
        }
        let now = Instant::now();
        let mut ended = self.hear(&watch.polled[1..], now);
        if watch.several && self.next_look <= now {
            ended += self.look_behind(now);
            self.tick = if ended > 0 {
                SHORT_TICK
            } else {
                (self.tick * 2).min(LONG_TICK)
            };
            self.next_look = now + self.tick;
        }
        if ended > 0 {
            self.thrive();
        }
        if self.kill_at.is_some_and(|kill_at| kill_at <= now) {
            self.kill_at = None;
            self.signal_all(SIGKILL);
        }
        let there = |member: &&WorkerHandle| !matches!(member.stage, Stage::Starting(_));
        self.shared
            .set_ready(self.workers.iter().filter(there).count());
    }

    /// Reads what has come, buries the dead, and ends what takes too long. Returns how many tasks have ended.
    fn hear(&mut self, polled: &[PollFd], now: Instant) -> usize {
        let mut ended = 0;
        let mut dead = Vec::new();
        for (index, (member, polled)) in self
            .workers
            .iter_mut()
            .zip(polled.chunks_exact(2))
            .enumerate()
        {
            if polled[0].revents != 0 {
                ended += member.listen(now);
            }
            if polled[1].revents != 0 {
                dead.push(index);
            }
            member.enforce(self.plan.task_timeout, now);
        }
        for index in dead.into_iter().rev() {
            self.bury(index, now);
        }
        ended
    }

    /// Tasks that are stuck behind a long one go to workers that have nothing to do; results that are, come home.
    fn look_behind(&mut self, now: Instant) -> usize {
        let ended = self.workers.iter_mut().map(|member| member.peek(now)).sum();
        let idle = self
            .workers
            .iter()
            .any(|member| member.outstanding == 0 && member.room() > 0);
        for member in &mut self.workers {
            if member.is_stuck() && idle && self.pending.is_empty() {
                let unbegun = member.take_back();
                give_back(&mut self.pending, &mut self.pending_items, unbegun);
            }
        }
        ended
    }

    fn bury(&mut self, index: usize, now: Instant) {
        let Some(remains) = self.workers[index].bury(now) else {
            return;
        };
        let member = self.workers.remove(index);
        if self.workers.len() < self.wanted() {
            self.shared.counters.restarted.fetch_add(1, Relaxed);
        }
        self.publish_crew();
        give_back(&mut self.pending, &mut self.pending_items, remains.unbegun);
        if remains.untried {
            self.hold_off(now);
        }
        if let Some(lost) = remains.lost {
            self.thrive();
            self.mourn(&member, lost, remains.died);
        }
        if let Some(error) = remains.stillborn
            && !self.is_stopping()
        {
            self.start_failed(error, now);
        }
    }

    /// The task that a worker died of is tried again, if the pool may; otherwise it ends in an error that says why.
    fn mourn(&mut self, member: &WorkerHandle, mut lost: BatchSlice, died: JobError) {
        if lost.deaths < self.plan.retries && !self.is_stopping() {
            lost.deaths += 1;
            lost.take_back();
            give_back(&mut self.pending, &mut self.pending_items, vec![lost]);
            return;
        }
        let error = match self.plan.task_timeout {
            _ if self.stop >= Stop::Terminate => JobError::Closed,
            Some(limit) if member.overdue => JobError::TaskTimedOut {
                limit,
                pid: member.pid,
            },
            _ => died,
        };
        lost.fail(&error);
    }
}

/// Nothing is left on the way when the supervisor ends, however it ends.
impl Drop for Supervisor {
    fn drop(&mut self) {
        let error = self
            .broken
            .take()
            .map_or(JobError::Closed, JobError::Broken);
        for work in self.pending.drain(..).chain(self.shared.finish(&error)) {
            work.fail(&error);
        }
        // What a worker holds ends as its member is dropped: before anybody is told that all has ended.
        self.workers.clear();
        self.shared.announce_end();
    }
}

/// Takes up to `count` items from the front of the queue.
fn take_front(pending: &mut VecDeque<BatchSlice>, count: usize) -> Option<BatchSlice> {
    let front = pending.front_mut()?;
    if front.count() > count {
        Some(front.split_front(count))
    } else {
        pending.pop_front()
    }
}

/// Puts work back to the front, in order.
fn give_back(pending: &mut VecDeque<BatchSlice>, items: &mut usize, works: Vec<BatchSlice>) {
    for work in works.into_iter().rev() {
        *items += work.count();
        pending.push_front(work);
    }
}
