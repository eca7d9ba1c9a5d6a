//! Generators on one thread, resumed in turn.
//!
//! Nothing tells a generator that its socket is ready, so each looks when it is resumed. That is
//! the price of this model, and why an event loop exists: the processor is busy while all wait.

use coroutines::{Boxed, Co, CoroutineState, generator};

use crate::workload::Turn;
use crate::{Failed, Outcome, Plan, Unit};

type Running = Boxed<'static, Turn, (), Result<Outcome, Failed>>;

/// Keeps the plan's concurrency of generators and resumes them round robin.
pub fn run(plan: &Plan) -> Result<Vec<Outcome>, Failed> {
    let mut units = plan.units();
    let mut running = Vec::with_capacity(plan.concurrency);
    let mut outcomes = Vec::with_capacity(plan.tasks as usize);
    loop {
        let room = plan.concurrency - running.len();
        running.extend(units.by_ref().take(room).map(start));
        if running.is_empty() {
            return Ok(outcomes);
        }
        if !round(&mut running, &mut outcomes)? {
            // Every socket was empty: let the service have this processor.
            std::thread::yield_now();
        }
    }
}

fn start(unit: Unit) -> Running {
    generator(async move |mut co: Co<'_, Turn>| unit.polled(&mut co).await).boxed()
}

/// Resumes each generator once; whether any of them got on.
fn round(running: &mut Vec<Running>, outcomes: &mut Vec<Outcome>) -> Result<bool, Failed> {
    let mut progress = false;
    let mut at = 0;
    while let Some(generator) = running.get_mut(at) {
        match generator.resume(()) {
            CoroutineState::Yielded(turn) => {
                progress |= turn == Turn::Worked;
                at += 1;
            }
            CoroutineState::Complete(outcome) => {
                progress = true;
                outcomes.push(outcome?);
                drop(running.swap_remove(at));
            }
        }
    }
    Ok(progress)
}
