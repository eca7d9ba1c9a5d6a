//! A new thread for each task.

use super::window;
use crate::{Failed, Outcome, Plan};

/// Spawns a thread for each task and joins the oldest when enough are running.
pub fn run(plan: &Plan) -> Result<Vec<Outcome>, Failed> {
    window::run(
        plan,
        |unit| threads::spawn(move || unit.blocking()).map_err(Failed::at("starting a thread")),
        |mut thread| thread.join().map_err(Failed::at("joining a thread"))?,
    )
}
