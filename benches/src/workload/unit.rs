//! One task of a workload: what it computes, what it asks, and three ways to run it.

use coroutines::Co;
use serde::{Deserialize, Serialize};

use super::pi::Pi;
use super::primes::Primes;
use super::{Computation, Exchange, Turn, Workload, echo, http, mix};
use crate::{Failed, Outcome, Services, clock};

/// Numbers that a `primes` task looks through: about 2 ms of work.
const PRIMES_WIDTH: u64 = 8_192;
/// Numbers that a `mixed` task looks through: about 2 ms of work.
const MIXED_WIDTH: u64 = 8_192;

/// One task, small enough to be sent to another process.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Unit {
    workload: Workload,
    index: u32,
    services: Option<Services>,
    handed_over_ns: u64,
}

impl Unit {
    /// The task with this number, handed over now: its latency counts from here.
    pub(crate) fn hand_over(workload: Workload, index: u32, services: Option<Services>) -> Self {
        Self {
            workload,
            index,
            services,
            handed_over_ns: clock::now_ns(),
        }
    }

    fn computation(&self) -> Option<Box<dyn Computation>> {
        match self.workload {
            Workload::Pi => Some(Box::new(Pi::task(self.index))),
            Workload::Primes => Some(Box::new(Primes::task(self.index, PRIMES_WIDTH))),
            Workload::Mixed => Some(Box::new(Primes::task(self.index, MIXED_WIDTH))),
            Workload::Echo | Workload::Http => None,
        }
    }

    fn exchange(&self) -> Result<Option<Exchange>, Failed> {
        if !self.workload.needs_service() {
            return Ok(None);
        }
        let services = self.services.ok_or_else(|| {
            Failed::new(
                format!("running {}", self.workload),
                "its service was not started",
            )
        })?;
        Ok(Some(match self.workload {
            Workload::Http => http::ask(self.index, services.http),
            _ => echo::ask(self.index, services.echo),
        }))
    }

    fn outcome(&self, computed: u64, answered: u64) -> Outcome {
        Outcome {
            index: self.index,
            checksum: mix(computed, answered),
            latency_ns: clock::now_ns().saturating_sub(self.handed_over_ns),
        }
    }

    /// Runs the task on the calling thread, which blocks while the task waits.
    pub fn blocking(self) -> Result<Outcome, Failed> {
        let computed = self.computation().map_or(0, compute);
        let answered = self
            .exchange()?
            .map_or(Ok(0), |exchange| exchange.blocking())?;
        Ok(self.outcome(computed, answered))
    }

    /// Runs the task as a coroutine that yields after every step and whenever it would wait.
    pub async fn polled(self, co: &mut Co<'_, Turn>) -> Result<Outcome, Failed> {
        let mut computed = 0;
        if let Some(mut computation) = self.computation() {
            while computation.step() {
                co.yield_(Turn::Worked).await;
            }
            computed = computation.checksum();
        }
        let answered = match self.exchange()? {
            Some(exchange) => exchange.polled(co).await?,
            None => 0,
        };
        Ok(self.outcome(computed, answered))
    }

    /// Runs the task on the event loop. Its computation holds the loop up, as any does; only its
    /// waiting is suspended.
    pub async fn awaited(self) -> Result<Outcome, Failed> {
        let computed = self.computation().map_or(0, compute);
        let answered = match self.exchange()? {
            Some(exchange) => exchange.awaited().await?,
            None => 0,
        };
        Ok(self.outcome(computed, answered))
    }
}

fn compute(mut computation: Box<dyn Computation>) -> u64 {
    while computation.step() {}
    computation.checksum()
}
