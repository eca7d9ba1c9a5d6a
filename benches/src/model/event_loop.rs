//! Coroutines on one thread that the event loop wakes when their socket is ready.

use std::cell::RefCell;
use std::rc::Rc;

use crate::{Failed, Outcome, Plan, Unit};

/// Starts the plan's concurrency of tasks, each of which takes one unit after the other.
pub fn run(plan: &Plan) -> Result<Vec<Outcome>, Failed> {
    let plan = plan.clone();
    aio::run(async move {
        let units = Rc::new(RefCell::new(plan.units()));
        let workers = (0..plan.concurrency).map(|_| work(Rc::clone(&units)));
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
