//! How many workers there are: starting them, letting them go, giving up.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::error::StartError;
use crate::process::info::ProcessInfo;
use crate::sys::SIGKILL;

use crate::pool::Supervisor;
use crate::pool::shared::Stop;
use crate::pool::worker::{Stage, WorkerHandle};

/// After so many starts in a row that came to nothing, a pool without a single ready worker gives up.
const MAX_FAILURES: u32 = 5;
/// The pause after the first of them; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

impl Supervisor {
    /// How many workers there should be now.
    pub(in crate::pool) fn wanted(&self) -> usize {
        match self.stop {
            _ if self.is_stopping() => 0,
            Stop::No => self.plan.workers - self.dormant,
            // Those that are still needed: a dead one is replaced as long as work waits.
            _ => self
                .plan
                .workers
                .min(self.workers.len() + self.pending_items),
        }
    }

    /// Lets workers go that have had nothing to do for long enough, and calls for new ones when there is work.
    pub(in crate::pool) fn rest(&mut self) {
        let Some(limit) = self.plan.idle_timeout else {
            return;
        };
        let room: usize = self.workers.iter().map(WorkerHandle::room).sum();
        let too_much = self.pending_items.saturating_sub(room);
        self.dormant = self.dormant.saturating_sub(too_much);
        // The pool's maker waits until all are there.
        if self.stop != Stop::No || !self.pending.is_empty() || self.shared.is_starting() {
            return;
        }
        let now = Instant::now();
        for member in &mut self.workers {
            if member.idle_until(limit).is_some_and(|until| until <= now) {
                member.dismiss();
                self.dormant += 1;
            }
        }
    }

    /// Starts workers until there are enough; lets them go when everything is done.
    pub(in crate::pool) fn staff(&mut self) {
        let now = Instant::now();
        while self.workers.len() < self.wanted() && self.next_start <= now {
            self.started += 1;
            let name = format!("Worker-{}", self.started);
            match WorkerHandle::start(name, &self.plan) {
                Ok(member) => {
                    self.shared.counters.started.fetch_add(1, Relaxed);
                    self.workers.push(member);
                    self.publish_crew();
                }
                Err(error) => self.start_failed(error, now),
            }
        }
        if self.stop == Stop::WhenDone && self.is_idle() {
            self.workers.iter_mut().for_each(WorkerHandle::dismiss);
        }
    }

    pub(in crate::pool) fn publish_crew(&mut self) {
        self.crew_number += 1;
        let workers = self
            .workers
            .iter()
            .map(|member| ProcessInfo::new(member.pid, member.name.clone()))
            .collect();
        self.shared.set_crew(workers);
    }

    pub(in crate::pool) fn start_failed(&mut self, error: StartError, now: Instant) {
        self.failures += 1;
        self.hold_off(now);
        let alone = !self
            .workers
            .iter()
            .any(|member| member.stage == Stage::Ready);
        // A pool that has not yet begun to work tells its maker at once what the system refuses.
        let at_once = matches!(error, StartError::System(_)) && self.shared.is_starting();
        if at_once || (alone && self.failures >= MAX_FAILURES) {
            self.give_up(error);
        }
    }

    /// Whatever it is that ends workers before they have done anything, it is not fed with new ones without a pause.
    pub(in crate::pool) fn hold_off(&mut self, now: Instant) {
        self.short_lives += 1;
        self.next_start = now + FIRST_PAUSE * 2_u32.pow(self.short_lives.min(8) - 1);
    }

    /// Workers live long enough to work.
    pub(in crate::pool) fn thrive(&mut self) {
        self.failures = 0;
        self.short_lives = 0;
    }

    /// The breaker: rather an error for everybody than a storm of starts.
    pub(in crate::pool) fn give_up(&mut self, error: StartError) {
        self.shared.set_broken(error.clone());
        self.broken = Some(error);
        self.signal_all(SIGKILL);
    }
}
