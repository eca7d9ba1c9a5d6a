//! What a supervisor waits for.

use std::hint;
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use crate::sys::{self, PollFd};

use super::{SHORT_TICK, Supervisor};
use crate::pool::shared::Stop;

/// How long a short task is looked for before its worker is waited for.
const MOMENT: Duration = Duration::from_micros(8);

/// What a supervisor waits for, so that it can be let go of meanwhile.
pub(in crate::pool) struct Watch {
    /// The orders' descriptor, then two of each worker.
    pub(in crate::pool) polled: Vec<PollFd>,
    timeout: Option<Duration>,
    /// Whether a worker has several tasks.
    pub(in crate::pool) several: bool,
    /// Whose descriptors these are.
    pub(in crate::pool) crew_number: u64,
    pub(in crate::pool) failed: bool,
}

impl Watch {
    /// Sleeps until something happens.
    pub(in crate::pool) fn wait(&mut self) {
        if sys::poll(&mut self.polled, self.timeout).is_err() {
            // The kernel was out of memory. Everybody is looked at, a little later.
            thread::sleep(Duration::from_millis(10));
            self.failed = true;
        }
    }
}

impl Supervisor {
    /// What to wait for next.
    pub(in crate::pool) fn watch(&self) -> Watch {
        let now = Instant::now();
        let several = self.workers.iter().any(|member| member.outstanding > 1);
        let quiet = self.is_quiet();
        let mut polled = vec![sys::as_poll(self.shared.wake.as_fd(), true, false)];
        for member in &self.workers {
            let [mut socket, end] = member.interest();
            if quiet {
                // It has nothing to say. Whoever gives it a task listens.
                socket.fd = -1;
            }
            polled.extend([socket, end]);
        }
        let timeout = if self.shared.prepare_to_sleep() {
            self.next_deadline(now, several)
                .map(|deadline| deadline.saturating_duration_since(now))
        } else {
            // Commands have come meanwhile: only look at the descriptors.
            Some(Duration::ZERO)
        };
        Watch {
            polled,
            timeout,
            several,
            crew_number: self.crew_number,
            failed: false,
        }
    }

    fn next_deadline(&self, now: Instant, several: bool) -> Option<Instant> {
        let members = self
            .workers
            .iter()
            .filter_map(|member| member.next_look(self.plan.task_timeout, now));
        let start = (self.workers.len() < self.wanted()).then_some(self.next_start);
        let tick = several.then_some(self.next_look.max(now + SHORT_TICK / 2));
        let idle = self.plan.idle_timeout.filter(|_| self.stop == Stop::No);
        let idle = idle.and_then(|limit| {
            let workers = self.workers.iter();
            let until = workers
                .filter_map(|member| member.idle_until(limit))
                .min()?;
            // Nobody rests before all have come.
            let starting = self.shared.is_starting();
            Some(if starting {
                until.max(now + SHORT_TICK)
            } else {
                until
            })
        });
        let others = [self.kill_at, idle, self.reporter.due()];
        members
            .chain(start)
            .chain(tick)
            .chain(others.into_iter().flatten())
            .min()
    }

    /// Looks for results of short tasks for a moment before a sleep, which would cost more than most of them take.
    pub(in crate::pool) fn linger(&mut self) {
        let begun = Instant::now();
        let mut now = begun;
        while now - begun < MOMENT {
            let mut short = self.workers.iter_mut().filter(|member| member.is_short());
            let Some(member) = short.next() else { return };
            if member.peek(now) > 0 {
                self.thrive();
                return;
            }
            hint::spin_loop();
            now = Instant::now();
        }
    }
}
