//! Which model to use for a mix of computing and waiting, and why.

use std::fmt::Write;

use crate::report::{Machine, bytes, figure, span};
use crate::{LeftOut, Mix, Model, Row, limits};

/// Models this close to the quickest are as quick; the simplest of them is advised.
const LEVEL: f64 = 0.9;

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

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// What each task does.
    pub mix: Mix,
    /// How many tasks there are.
    pub tasks: u32,
    /// Memory that all processes together may take, in bytes.
    pub memory: Option<u64>,
    /// Whether a task may crash, and must not take others along.
    pub crashy: bool,
}

/// What was measured for it, and what follows.
#[derive(Debug, Clone)]
pub struct Advice {
    wish: Wish,
    workers: usize,
    /// From the one that is advised on.
    ranked: Vec<Row>,
    /// Who does not fit the wish, and why.
    unfit: Vec<(Model, String)>,
}

impl Advice {
    /// Ranks what was measured: those who fit the wish by their speed, where those who are level are ranked by how
    /// simple they are.
    #[must_use]
    pub fn new(wish: Wish, rows: Vec<Row>, left_out: &[LeftOut]) -> Self {
        let mut unfit: Vec<(Model, String)> = left_out
            .iter()
            .map(|left_out| (left_out.contender.model, left_out.reason.clone()))
            .collect();
        let mut ranked = Vec::new();
        for row in rows {
            match wish.refuses(&row) {
                Some(reason) => unfit.push((row.contender.model, reason)),
                None => ranked.push(row),
            }
        }
        ranked.sort_by(|a, b| b.tasks_per_s.total_cmp(&a.tasks_per_s));
        let level = ranked.first().map_or(0.0, |row| row.tasks_per_s * LEVEL);
        let ahead = ranked
            .iter()
            .take_while(|row| row.tasks_per_s >= level)
            .count();
        ranked[..ahead].sort_by_key(|row| {
            SIMPLEST
                .iter()
                .position(|model| *model == row.contender.model)
        });
        let workers = ranked.first().map_or(0, |row| row.workers);
        Self {
            wish,
            workers,
            ranked,
            unfit,
        }
    }

    /// The model that is advised, if one fits.
    #[must_use]
    pub fn model(&self) -> Option<Model> {
        self.ranked.first().map(|row| row.contender.model)
    }

    /// Why, in sentences.
    fn reasons(&self, best: &Row) -> Vec<String> {
        let mut reasons = vec![self.how_long(best)];
        if best.contender.model != Model::Serial
            && let Some(serial) = self.row(Model::Serial)
        {
            let seconds = f64::from(self.wish.tasks) / serial.tasks_per_s;
            reasons.push(format!(
                "One after the other they would take {}.",
                span(seconds)
            ));
        }
        reasons.push(self.nature());
        let level: Vec<&Row> = self
            .ranked
            .iter()
            .skip(1)
            .filter(|row| row.tasks_per_s >= best.tasks_per_s * LEVEL)
            .collect();
        if !level.is_empty() {
            let names: Vec<String> = level.iter().map(|row| row.contender.to_string()).collect();
            reasons.push(format!(
                "As quick, within a tenth, but more to write or to pay for: {}.",
                names.join(", ")
            ));
        } else if let Some(next) = self.ranked.get(1) {
            let times = figure(best.tasks_per_s / next.tasks_per_s);
            reasons.push(format!(
                "The next, {}, is {times} times slower.",
                next.contender
            ));
        }
        if self.wish.crashy {
            reasons.push("A task that crashes ends its process and nothing else: its result is an error, the other tasks go on.".into());
        }
        if let Some(memory) = self.wish.memory {
            let (took, limit) = (bytes(best.peak_rss_bytes), bytes(memory));
            reasons.push(format!(
                "It took {took} at its most, with {} tasks at once; the limit is {limit}.",
                best.concurrency
            ));
        }
        reasons
    }

    fn how_long(&self, best: &Row) -> String {
        let seconds = f64::from(self.wish.tasks) / best.tasks_per_s;
        let rate = figure(best.tasks_per_s);
        if best.tasks >= self.wish.tasks {
            format!(
                "It did all {} in {}: {rate} tasks/s.",
                best.tasks,
                span(seconds)
            )
        } else {
            format!(
                "It did a sample of {} at {rate} tasks/s; at that rate all {} take {}.",
                best.tasks,
                self.wish.tasks,
                span(seconds)
            )
        }
    }

    /// What the mix is like.
    fn nature(&self) -> String {
        let Mix { cpu_us, io_us, .. } = self.wish.mix;
        let share = 100.0 * f64::from(cpu_us) / f64::from((cpu_us + io_us).max(1));
        let processors = limits::processors();
        match (cpu_us, io_us) {
            (_, 0) => format!("The tasks only compute, so that what counts is to keep {processors} processors busy, and no more than that helps."),
            (0, _) => "The tasks only wait, so that what counts is how many wait at once, and what each costs while it does.".into(),
            _ => format!(
                "The tasks compute for {share:.0} % of their time: while one computes, {} others can wait, so that {} at once keep {processors} processors busy.",
                io_us / cpu_us,
                self.wish.mix.workers()
            ),
        }
    }

    fn row(&self, model: Model) -> Option<&Row> {
        self.ranked.iter().find(|row| row.contender.model == model)
    }
}

impl Wish {
    /// Why a model that was measured is not to be advised.
    fn refuses(&self, row: &Row) -> Option<String> {
        let model = row.contender.model;
        if self.crashy && !matches!(model, Model::ProcessPerTask | Model::ProcessPool) {
            return Some(match model {
                Model::Prefork => "a crash takes all tasks of its process along".into(),
                _ => "a crash takes the whole program along".into(),
            });
        }
        let limit = self.memory.filter(|limit| row.peak_rss_bytes > *limit)?;
        Some(format!(
            "it took {}, more than {}",
            bytes(row.peak_rss_bytes),
            bytes(limit)
        ))
    }
}

/// What to call a model in a sentence, and the crate that has it.
fn in_words(model: Model, workers: usize) -> String {
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

/// A program to start from.
fn program(model: Model) -> &'static str {
    let text = match model {
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

impl std::fmt::Display for Advice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Wish { mix, tasks, .. } = self.wish;
        writeln!(f, "{tasks} tasks of {mix} each, on {}\n", Machine::this())?;
        let Some(best) = self.ranked.first() else {
            writeln!(f, "No model fits:")?;
            return write_unfit(f, &self.unfit);
        };
        let model = best.contender.model;
        writeln!(f, "Use {}.\n", in_words(model, self.workers))?;
        for reason in self.reasons(best) {
            writeln!(f, "  - {reason}")?;
        }
        writeln!(
            f,
            "\n  {:<22}{:>10}{:>9}{:>12}{:>12}",
            "measured", "tasks/s", "spread", "CPU ms/task", "memory"
        )?;
        for row in &self.ranked {
            writeln!(
                f,
                "  {:<22}{:>10}{:>8.0} %{:>11}{:>12}",
                row.contender.to_string(),
                figure(row.tasks_per_s),
                100.0 * row.spread,
                figure(1e3 * row.cpu_s / f64::from(row.tasks)),
                bytes(row.peak_rss_bytes)
            )?;
        }
        write_unfit(f, &self.unfit)?;
        writeln!(f, "\nStart from this:\n")?;
        program(model)
            .lines()
            .try_for_each(|line| f.write_char(' ').and_then(|()| writeln!(f, "   {line}")))
    }
}

fn write_unfit(f: &mut std::fmt::Formatter<'_>, unfit: &[(Model, String)]) -> std::fmt::Result {
    unfit
        .iter()
        .try_for_each(|(model, reason)| writeln!(f, "  {model:<22}not for this: {reason}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Contender, Plan, Run, Workload};

    fn row(model: Model, tasks_per_s: f64, mebibytes: u64) -> Row {
        let run = Run {
            wall_s: 100.0 / tasks_per_s,
            peak_rss_bytes: mebibytes << 20,
            ..Run::default()
        };
        let plan = Plan::new(Workload::Mixed, 100);
        Row::of(Contender::rust(model), &plan, vec![run]).unwrap()
    }

    fn wish() -> Wish {
        Wish {
            mix: Mix::new(Duration::ZERO, Duration::from_millis(1)),
            tasks: 1000,
            memory: None,
            crashy: false,
        }
    }

    fn rows() -> Vec<Row> {
        vec![
            row(Model::Serial, 10.0, 3),
            row(Model::ThreadPool, 950.0, 20),
            row(Model::EventLoop, 1000.0, 4),
            row(Model::ProcessPool, 500.0, 90),
        ]
    }

    #[test]
    fn of_those_who_are_level_the_simplest_is_advised() {
        let advice = Advice::new(wish(), rows(), &[]);
        assert_eq!(advice.model(), Some(Model::ThreadPool));
        let text = advice.to_string();
        assert!(
            text.contains("As quick, within a tenth, but more to write or to pay for: event-loop."),
            "{text}"
        );
        assert!(text.contains("all 1000 take 1.05 s"), "{text}");
        assert!(text.contains("threads::Pool"), "{text}");
    }

    #[test]
    fn what_may_crash_goes_to_processes() {
        let advice = Advice::new(
            Wish {
                crashy: true,
                ..wish()
            },
            rows(),
            &[],
        );
        assert_eq!(advice.model(), Some(Model::ProcessPool));
        assert!(
            advice
                .to_string()
                .contains("a crash takes the whole program along")
        );
    }

    #[test]
    fn what_takes_too_much_memory_is_left_out() {
        let tight = Wish {
            memory: Some(10 << 20),
            ..wish()
        };
        assert_eq!(
            Advice::new(tight, rows(), &[]).model(),
            Some(Model::EventLoop)
        );
        let impossible = Wish {
            crashy: true,
            ..tight
        };
        let advice = Advice::new(impossible, rows(), &[]);
        assert_eq!(advice.model(), None);
        assert!(
            advice
                .to_string()
                .contains("it took 90.0 MiB, more than 10.0 MiB"),
            "{advice}"
        );
    }
}
