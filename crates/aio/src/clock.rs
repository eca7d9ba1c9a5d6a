//! The loop's clock: the system's, or one for tests that jumps.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use crate::current;

/// Counts nanoseconds from its epoch.
pub(crate) struct Clock {
    epoch: Instant,
    /// The time of a clock that stands still until the loop is idle.
    standing: Option<Cell<u64>>,
    /// The loop was idle before it looked at its sockets once more.
    idle: Cell<bool>,
}

impl Clock {
    pub(crate) fn new(is_virtual: bool) -> Self {
        Clock {
            epoch: Instant::now(),
            standing: is_virtual.then(Cell::default),
            idle: Cell::new(false),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        match &self.standing {
            None => Instant::now(),
            Some(ticks) => self.instant(ticks.get()).unwrap_or(self.epoch),
        }
    }

    pub(crate) fn ticks(&self, when: Instant) -> u64 {
        u64::try_from(when.saturating_duration_since(self.epoch).as_nanos()).unwrap_or(u64::MAX)
    }

    pub(crate) fn instant(&self, ticks: u64) -> Option<Instant> {
        self.epoch.checked_add(Duration::from_nanos(ticks))
    }

    /// The loop is idle until `next`. True when it need not wait for that: a virtual clock jumps, once the sockets have
    /// been looked at and have brought nothing.
    pub(crate) fn jump(&self, next: Option<u64>) -> bool {
        let (Some(ticks), Some(next)) = (&self.standing, next) else {
            return false;
        };
        if self.idle.replace(true) {
            ticks.set(next.max(ticks.get()));
            self.idle.set(false);
        }
        true
    }

    /// The loop has something to do.
    pub(crate) fn busy(&self) {
        self.idle.set(false);
    }
}

/// The time on the running loop's clock; outside a loop, the system's.
pub(crate) fn now() -> Instant {
    current::with_engine((), |(), engine| engine.now()).unwrap_or_else(|()| Instant::now())
}
