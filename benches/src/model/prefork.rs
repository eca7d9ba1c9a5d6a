//! A process for each processor, with an event loop in each: processes and coroutines.
//!
//! Nothing is shared between them, so the tasks are dealt out beforehand, as a kernel deals out connections among
//! processes that listen on one port.

use super::event_loop;
use crate::{Failed, Outcome, Plan};

/// What one of the processes does: every `step`th task from `first` on, so many at once.
#[procs::task]
pub fn serve(
    plan: Plan,
    first: u32,
    step: u32,
    concurrency: usize,
) -> Result<Vec<Outcome>, Failed> {
    let indices = (first..plan.tasks).step_by(step as usize);
    let units = indices.map(move |index| plan.unit(index));
    event_loop::run_all(units, concurrency)
}

/// Starts the processes and collects what they did.
pub fn run(plan: &Plan) -> Result<Vec<Outcome>, Failed> {
    let step = u32::try_from(plan.loops().len()).unwrap_or(u32::MAX);
    let starting = (0..step).zip(plan.loops()).map(|(first, concurrency)| {
        procs::Process::builder()
            .daemon(true)
            .spawn(serve, (plan.clone(), first, step, concurrency))
            .map_err(Failed::at("starting a process"))
    });
    let mut processes = starting.collect::<Result<Vec<_>, _>>()?;
    let mut outcomes = Vec::with_capacity(plan.tasks as usize);
    for process in &mut processes {
        outcomes.extend(process.join().map_err(Failed::at("joining a process"))??);
    }
    Ok(outcomes)
}
