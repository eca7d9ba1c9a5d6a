//! A process for each processor, with an event loop in each: processes and coroutines.
//!
//! The processes share one number, that of the next task, as preforked servers share one listening socket: whichever
//! has room takes the next.

use procs::SharedValue;

use super::event_loop;
use crate::{Failed, Outcome, Plan};

/// The body of one of the processes: takes tasks until none is left, so many at once.
#[procs::task]
pub fn serve(
    plan: Plan,
    next: SharedValue<u32>,
    concurrency: usize,
) -> Result<Vec<Outcome>, Failed> {
    let units = std::iter::from_fn(move || {
        let index = next.update(|index| index.saturating_add(1));
        (index < plan.tasks).then(|| plan.unit(index))
    });
    event_loop::run_all(units, concurrency)
}

/// Starts the processes and collects their outcomes.
pub fn run(plan: &Plan) -> Result<Vec<Outcome>, Failed> {
    let next = SharedValue::new(0_u32).map_err(Failed::at("sharing the next task's number"))?;
    let starting = plan.loops().map(|concurrency| {
        procs::Process::builder()
            .daemon(true)
            .spawn(serve, (plan.clone(), next.clone(), concurrency))
            .map_err(Failed::at("starting a process"))
    });
    let mut processes = starting.collect::<Result<Vec<_>, _>>()?;
    let mut outcomes = Vec::with_capacity(plan.tasks as usize);
    for process in &mut processes {
        outcomes.extend(process.join().map_err(Failed::at("joining a process"))??);
    }
    Ok(outcomes)
}
