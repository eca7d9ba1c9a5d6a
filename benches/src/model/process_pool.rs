//! Processes that stay and take one task after the other.

use super::process_per_task::in_process;
use super::window;
use crate::{Failed, Outcome, Plan};

/// Submits each task to a pool of the plan's workers.
pub fn run(plan: &Plan) -> Result<Vec<Outcome>, Failed> {
    let pool = procs::Pool::new(plan.workers).map_err(Failed::at("starting a process pool"))?;
    window::run(
        plan,
        |unit, ended| {
            let job = pool.submit(in_process, unit);
            job.on_done(move || drop(ended));
            Ok(job)
        },
        |job| {
            job.result()
                .map_err(Failed::at("a task in the process pool"))?
        },
    )
}
