//! Threads that stay and take one task after the other.

use super::window;
use crate::{Failed, Outcome, Plan};

/// Submits each task to a pool of the plan's workers.
pub fn run(plan: &Plan) -> Result<Vec<Outcome>, Failed> {
    let pool = threads::Pool::new(plan.workers).map_err(Failed::at("starting a thread pool"))?;
    window::run(
        plan,
        |unit, ended| {
            Ok(pool.submit(move || {
                let _ended = ended;
                unit.blocking()
            }))
        },
        |job| {
            job.result()
                .map_err(Failed::at("a task in the thread pool"))?
        },
    )
}
