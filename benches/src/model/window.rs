//! A bound on the tasks in flight, for the models that start a task and collect it later.

use std::collections::VecDeque;

use crate::{Failed, Outcome, Plan, Unit};

/// Starts every unit of the plan and collects its outcome, oldest first; before a unit is started
/// that would exceed the plan's concurrency, the oldest is collected.
pub fn run<H>(
    plan: &Plan,
    mut start: impl FnMut(Unit) -> Result<H, Failed>,
    mut collect: impl FnMut(H) -> Result<Outcome, Failed>,
) -> Result<Vec<Outcome>, Failed> {
    let mut in_flight = VecDeque::with_capacity(plan.concurrency);
    let mut outcomes = Vec::with_capacity(plan.tasks as usize);
    let mut units = plan.units();
    loop {
        if in_flight.len() < plan.concurrency
            && let Some(unit) = units.next()
        {
            in_flight.push_back(start(unit)?);
        } else if let Some(oldest) = in_flight.pop_front() {
            outcomes.push(collect(oldest)?);
        } else {
            return Ok(outcomes);
        }
    }
}
