//! How long a task of the mixed workload computes, and how long it waits.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::workload::Chain;

/// A computation, then a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mix {
    /// Links of the chain of hashes, which is the computation.
    pub(crate) links: u32,
    /// Microseconds of the computation on an idle processor.
    pub cpu_us: u32,
    /// Microseconds that the service takes to answer.
    pub io_us: u32,
}

impl Default for Mix {
    /// Neither.
    fn default() -> Self {
        Self::of_links(0, 0, 0)
    }
}

impl Mix {
    /// A computation that takes `cpu` on an idle processor of this machine, which is measured here and now, then a wait
    /// of `io`. Both are cut to an hour.
    #[must_use]
    pub fn new(cpu: Duration, io: Duration) -> Self {
        let links = if cpu.is_zero() {
            0
        } else {
            Chain::links_for(cpu).max(1)
        };
        Self::of_links(links, micros(cpu), micros(io))
    }

    /// The same computation, said to take `cpu`, and a wait of `io`.
    pub(crate) fn lasting(self, cpu: Duration, io: Duration) -> Self {
        Self::of_links(self.links, micros(cpu), micros(io))
    }

    /// Returns how long a task takes when nothing is in its way.
    pub(crate) fn length(&self) -> Duration {
        Duration::from_micros(u64::from(self.cpu_us) + u64::from(self.io_us))
    }

    fn of_links(links: u32, cpu_us: u32, io_us: u32) -> Self {
        Self {
            links,
            cpu_us,
            io_us,
        }
    }

    /// Workers that keep all processors busy: while one computes, so many others wait.
    #[must_use]
    pub fn workers(&self) -> usize {
        let waiting = self.io_us.checked_div(self.cpu_us).unwrap_or(u32::MAX - 1);
        limits::processors().saturating_mul(waiting as usize + 1)
    }
}

impl std::fmt::Display for Mix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.cpu_us, self.io_us) {
            (cpu, 0) => write!(f, "{} of computing", time(cpu)),
            (0, io) => write!(f, "{} of waiting", time(io)),
            (cpu, io) => write!(f, "{} of computing and {} of waiting", time(cpu), time(io)),
        }
    }
}

/// In the unit that people would take.
fn time(us: u32) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{} ms", f64::from(us) / 1e3),
        _ => format!("{} s", f64::from(us) / 1e6),
    }
}

fn micros(time: Duration) -> u32 {
    const HOUR: u32 = 3_600_000_000;
    u32::try_from(time.as_micros()).unwrap_or(HOUR).min(HOUR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_in_units_that_suit() {
        assert_eq!(Mix::of_links(1, 1, 0).to_string(), "1 µs of computing");
        assert_eq!(
            Mix::of_links(0, 0, 10_000_000).to_string(),
            "10 s of waiting"
        );
        let both = Mix::of_links(1, 500, 2_500).to_string();
        assert_eq!(both, "500 µs of computing and 2.5 ms of waiting");
    }

    #[test]
    fn more_workers_for_more_waiting() {
        let processors = limits::processors();
        assert_eq!(Mix::of_links(1, 1_000, 0).workers(), processors);
        assert_eq!(Mix::of_links(1, 1_000, 20_000).workers(), 21 * processors);
        assert!(Mix::of_links(0, 0, 1).workers() > 1_000_000);
    }
}
