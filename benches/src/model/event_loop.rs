//! Coroutines on one thread that the event loop wakes when their socket is ready.

use std::cell::RefCell;
use std::rc::Rc;

use crate::{Failed, Outcome, Plan, Unit};

/// Starts the plan's concurrency of tasks, each of which takes one unit after the other.
pub fn run(plan: &Plan) -> Result<Vec<Outcome>, Failed> {
    run_all(plan.units(), plan.concurrency)
}

/// Runs these units on an event loop of the calling thread, so many at once.
pub fn run_all(
    units: impl Iterator<Item = Unit> + 'static,
    concurrency: usize,
) -> Result<Vec<Outcome>, Failed> {
    aio::run(async move {
        let units = Rc::new(RefCell::new(units));
        let workers = (0..concurrency).map(|_| work(units.clone()));
        Ok(aio::gather(workers).await?.into_iter().flatten().collect())
    })
    .map_err(Failed::at("running the event loop"))?
}

/// Takes one unit after the other until none is left.
async fn work(units: Rc<RefCell<impl Iterator<Item = Unit>>>) -> Result<Vec<Outcome>, Failed> {
    let mut outcomes = Vec::new();
    loop {
        let next = units.borrow_mut().next();
        let Some(unit) = next else {
            return Ok(outcomes);
        };
        outcomes.push(unit.awaited().await?);
    }
}
