//! Words for a model: its name in a sentence and in a table, and a program to start from.

use crate::report::grouped;
use crate::{Model, Row};

/// How many tasks a row's model worked at, at once: of those that a pool was given, as many as it has workers.
pub fn at_once(row: &Row) -> usize {
    match row.contender.model {
        Model::Serial => 1,
        Model::ThreadPool | Model::ProcessPool => row.workers.min(row.concurrency),
        _ => row.concurrency,
    }
}

/// How many wait while another computes, in words.
pub fn who_waits(others: u32) -> String {
    match others {
        0 => "no other waits as long".into(),
        1 => "one other can wait".into(),
        _ => format!("{} others can wait", grouped(others.into())),
    }
}

/// What to call a model in a sentence, and the crate that has it.
pub fn in_words(model: Model, workers: usize) -> String {
    match model {
        Model::Serial => "a plain loop; no crate is needed".into(),
        Model::ProcessPerTask => "a process for each task, from the crate procs".into(),
        Model::ProcessPool => format!("a pool of {workers} processes, from the crate procs"),
        Model::ThreadPerTask => "a thread for each task, from the crate threads".into(),
        Model::ThreadPool => format!("a pool of {workers} threads, from the crate threads"),
        Model::Coroutines => {
            "coroutines that are resumed in turn, from the crate coroutines".into()
        }
        Model::EventLoop => "an event loop, from the crate aio".into(),
        Model::EventLoopPerCore => {
            "an event loop on a thread for each processor, from the crates aio and threads".into()
        }
        Model::Prefork => {
            "an event loop in a process for each processor, from the crates aio and procs".into()
        }
    }
}

/// The same in a few words, for a table.
pub fn in_short(model: Model, workers: usize) -> String {
    match model {
        Model::Serial => "a plain loop".into(),
        Model::ProcessPerTask => "a process a task (procs)".into(),
        Model::ProcessPool => format!("{workers} processes, a pool (procs)"),
        Model::ThreadPerTask => "a thread a task (threads)".into(),
        Model::ThreadPool => format!("{workers} threads, a pool (threads)"),
        Model::Coroutines => "coroutines in turn (coroutines)".into(),
        Model::EventLoop => "an event loop (aio)".into(),
        Model::EventLoopPerCore => "an event loop a core (aio, threads)".into(),
        Model::Prefork => "a process a core with a loop (aio, procs)".into(),
    }
}

/// A program to start from; `crashy`: a task may crash, and the others' results must be kept.
pub fn program(model: Model, crashy: bool) -> &'static str {
    let text = match model {
        Model::ProcessPool if crashy => include_str!("../examples/start_crashy_pool.rs"),
        Model::Serial => include_str!("../examples/start_serial.rs"),
        Model::ProcessPerTask => include_str!("../examples/start_process_per_task.rs"),
        Model::ProcessPool => include_str!("../examples/start_process_pool.rs"),
        Model::ThreadPerTask => include_str!("../examples/start_thread_per_task.rs"),
        Model::ThreadPool => include_str!("../examples/start_thread_pool.rs"),
        Model::Coroutines => include_str!("../examples/start_coroutines.rs"),
        Model::EventLoop => include_str!("../examples/start_event_loop.rs"),
        Model::EventLoopPerCore => include_str!("../examples/start_event_loop_per_core.rs"),
        Model::Prefork => include_str!("../examples/start_prefork.rs"),
    };
    // The header says how to run it as an example.
    text.split_once("\n\n").map_or(text, |(_, program)| program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_counted_in_words() {
        let said = [0, 1, 2].map(who_waits);
        let expected = [
            "no other waits as long",
            "one other can wait",
            "2 others can wait",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn a_pool_works_at_as_many_tasks_as_it_has_workers() {
        let plan = crate::Plan::new(crate::Workload::Pi, 1000).with_concurrency(1000);
        let at_once = |model| {
            let contender = crate::Contender::rust(model);
            at_once(&Row::of(contender, &plan, vec![crate::Run::default()]).unwrap())
        };
        assert_eq!(at_once(Model::Serial), 1);
        assert_eq!(at_once(Model::EventLoop), 1000);
        assert_eq!(at_once(Model::ThreadPool), crate::limits::processors());
    }

    #[test]
    fn every_program_is_short_and_whole() {
        for (model, crashy) in Model::ALL
            .map(|model| (model, false))
            .into_iter()
            .chain([(Model::ProcessPool, true)])
        {
            let program = program(model, crashy);
            let lines = program.lines().count();
            assert!(
                program.contains("fn main()") && lines <= 28,
                "{model}: {lines}"
            );
        }
    }
}
