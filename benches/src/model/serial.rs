//! One task after the other: the yardstick of all models.

use crate::{Failed, Outcome, Plan, Unit};

/// Runs the tasks on the calling thread.
pub fn run(plan: &Plan) -> Result<Vec<Outcome>, Failed> {
    plan.units().map(Unit::blocking).collect()
}
