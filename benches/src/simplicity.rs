//! How much a model asks of a program and of its reader: it decides between models that are level.

use crate::Model;

/// More waits than this at once are for an event loop rather than for threads.
const CROWD: usize = 500;

/// Models from the one that asks least of a program, and of its reader, to the one that asks most.
const SIMPLEST: [Model; 9] = [
    Model::Serial,
    Model::ThreadPool,
    Model::ThreadPerTask,
    Model::EventLoop,
    Model::ProcessPool,
    Model::ProcessPerTask,
    Model::EventLoopPerCore,
    Model::Prefork,
    Model::Coroutines,
];

/// How many models ask less than this one, of a program that has so many waits at once.
pub fn simplest(model: Model, waits_at_once: usize) -> usize {
    let place = |model| SIMPLEST.iter().position(|one| *one == model);
    match model {
        Model::EventLoop if waits_at_once > CROWD => place(Model::ThreadPool),
        Model::ThreadPool | Model::ThreadPerTask if waits_at_once > CROWD => {
            place(Model::EventLoop)
        }
        _ => place(model),
    }
    .unwrap_or(SIMPLEST.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_that_waits_is_for_an_event_loop() {
        let quicker = |a, b, waits| simplest(a, waits) < simplest(b, waits);
        assert!(quicker(Model::ThreadPool, Model::EventLoop, 50));
        assert!(quicker(Model::EventLoop, Model::ThreadPool, 1000));
        assert!(quicker(Model::Serial, Model::EventLoop, 1000));
    }
}
