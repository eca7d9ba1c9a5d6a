//! A new thread for each task.

use super::window;
use crate::{Failed, Outcome, Plan};

/// Spawns a thread for each task, and joins each when its task has ended.
pub fn run(plan: &Plan) -> Result<Vec<Outcome>, Failed> {
    window::run(
        plan,
        |unit, ended| {
            threads::spawn(move || {
                let _ended = ended;
                unit.blocking()
            })
            .map_err(Failed::at("starting a thread"))
        },
        |mut thread| thread.join().map_err(Failed::at("joining a thread"))?,
    )
}
