//! Bound on the tasks in flight, for the models that start a task and collect it later.
//!
//! The rule of admission is that of all models: a place that becomes free is given to the next task, whichever task
//! has left it. A long task therefore occupies one place and holds up nothing else.

use std::sync::mpsc::{self, Sender};

use crate::{Failed, Outcome, Plan, Unit};

/// Tells the window that the task at a place has ended. Dropping it tells so too, so that no end is missed.
pub struct Ended {
    place: usize,
    window: Sender<usize>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        // A window that has failed no longer listens.
        let _ = self.window.send(self.place);
    }
}

/// Runs every unit of the plan, at most `concurrency` at once, and collects each when its [`Ended`] is dropped.
pub fn run<H>(
    plan: &Plan,
    mut start: impl FnMut(Unit, Ended) -> Result<H, Failed>,
    collect: impl FnMut(H) -> Result<Outcome, Failed>,
) -> Result<Vec<Outcome>, Failed> {
    let (window, ends) = mpsc::channel();
    run_by(
        plan,
        |unit, place| {
            let window = window.clone();
            start(unit, Ended { place, window })
        },
        |_| {
            ends.recv()
                .map_err(Failed::at("waiting for the end of a task"))
        },
        collect,
    )
}

/// Runs every unit of the plan, at most `concurrency` at once. `ended` blocks until the task at one of the occupied
/// places has ended, and returns the place.
pub fn run_by<H>(
    plan: &Plan,
    mut start: impl FnMut(Unit, usize) -> Result<H, Failed>,
    mut ended: impl FnMut(&[Option<H>]) -> Result<usize, Failed>,
    mut collect: impl FnMut(H) -> Result<Outcome, Failed>,
) -> Result<Vec<Outcome>, Failed> {
    let mut places: Vec<Option<H>> = Vec::with_capacity(plan.concurrency);
    let mut outcomes = Vec::with_capacity(plan.tasks as usize);
    let mut units = plan.units();
    for place in 0..plan.concurrency {
        let Some(unit) = units.next() else { break };
        places.push(Some(start(unit, place)?));
    }
    while outcomes.len() < plan.tasks as usize {
        let place = ended(&places)?;
        if let Some(handle) = places[place].take() {
            outcomes.push(collect(handle)?);
        }
        if let Some(unit) = units.next() {
            places[place] = Some(start(unit, place)?);
        }
    }
    Ok(outcomes)
}
