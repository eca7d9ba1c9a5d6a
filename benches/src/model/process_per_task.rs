//! A new process for each task.

use super::window;
use crate::{Failed, Outcome, Plan, Unit};

/// One task, in a process of its own.
#[procs::task]
pub fn in_process(unit: Unit) -> Result<Outcome, Failed> {
    unit.blocking()
}

/// Spawns a process for each task and joins the oldest when enough are running.
pub fn run(plan: &Plan) -> Result<Vec<Outcome>, Failed> {
    window::run(
        plan,
        |unit| procs::spawn(in_process, unit).map_err(Failed::at("starting a process")),
        |mut process| process.join().map_err(Failed::at("joining a process"))?,
    )
}
