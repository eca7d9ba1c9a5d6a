//! An event loop on a thread for each processor; they take their tasks from one source.

use std::sync::{Arc, Mutex, PoisonError};

use super::event_loop;
use crate::{Failed, Outcome, Plan, Unit};

/// Starts the loops; whichever has room takes the next unit.
pub fn run(plan: &Plan) -> Result<Vec<Outcome>, Failed> {
    let units = Arc::new(Mutex::new(plan.units()));
    let starting = plan.loops().map(|concurrency| {
        let mine = Source(Arc::clone(&units));
        threads::spawn(move || event_loop::run_all(mine, concurrency))
            .map_err(Failed::at("starting a thread"))
    });
    let mut loops = starting.collect::<Result<Vec<_>, _>>()?;
    let mut outcomes = Vec::with_capacity(plan.tasks as usize);
    for one in &mut loops {
        outcomes.extend(one.join().map_err(Failed::at("joining a thread"))??);
    }
    Ok(outcomes)
}

/// Units that several threads take from.
struct Source<I>(Arc<Mutex<I>>);

impl<I: Iterator<Item = Unit>> Iterator for Source<I> {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next()
    }
}
