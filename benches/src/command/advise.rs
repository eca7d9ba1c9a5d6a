//! `compare advise`.

use std::time::{Duration, Instant};

use clap::Args;

use crate::advice::Advice;
use crate::report::span;
use crate::rounds::{Entry, Rounds};
use crate::size::{RUN, sample};
use crate::{
    Contender, Failed, Mix, Model, Plan, Progress, Service, Services, Wish, Workload, duration,
    limits, output,
};

/// Further rounds begin within this time.
const BUDGET: Duration = Duration::from_secs(25);
/// What one run may take, besides what it should take.
const LIMIT: Duration = Duration::from_secs(60);
/// Longer tasks are measured in proportion: this long, with the same part of computing.
const LONGEST_TASK: Duration = Duration::from_millis(500);
/// Rounds at least.
const ROUNDS: u16 = 3;
/// Processes that are started in a run which starts one for each task.
const MOST_STARTS: u32 = 256;

/// Measures your mix of computing and waiting under every model here, and says which to use, why, and how to begin.
#[derive(Args, Debug)]
pub struct Advise {
    /// How long a task computes, on an idle processor
    #[arg(long, value_name = "TIME", value_parser = duration::parse, allow_hyphen_values = true)]
    cpu: Duration,

    /// How long a task waits, for a disk, a service, a user
    #[arg(long, value_name = "TIME", value_parser = duration::parse, allow_hyphen_values = true)]
    io: Duration,

    /// How many tasks there are
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    tasks: u32,

    /// Memory that all processes together may take, such as 512MiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    memory: Option<u64>,

    /// A task may crash, and must not take others along
    #[arg(long)]
    crashy: bool,

    /// Rounds of measuring [default: 3, and more within half a minute while noise could turn the answer]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    repeat: Option<u16>,

    /// Seconds that one run may take [default: 60, and four times what it should take]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

/// Reads a size in bytes: a number, and `KiB`, `MiB` or `GiB`.
fn size(text: &str) -> Result<u64, Failed> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
    let read = units.iter().find_map(|(unit, shift)| {
        let number: u64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        number.checked_mul(1 << shift).filter(|bytes| *bytes > 0)
    });
    read.ok_or_else(|| {
        Failed::new(
            "reading a size",
            format!("{text:?} is none; write 512MiB or 2GiB"),
        )
    })
}

impl Advise {
    /// Measures and prints; whether a model fits.
    ///
    /// # Errors
    /// When tasks neither compute nor wait, or the services cannot be started.
    pub fn run(&self) -> Result<bool, Failed> {
        if self.cpu.is_zero() && self.io.is_zero() {
            return Err(Failed::new(
                "advising",
                "tasks that neither compute nor wait need no model",
            ));
        }
        let (cpu, io, shrunk) = self.proportionate();
        let wish = Wish {
            mix: Mix::new(cpu, io),
            tasks: self.tasks,
            memory: self.memory,
            crashy: self.crashy,
        };
        let service = Service::start()?;
        let entries = self.entries(&wish, service.addresses());
        let runs = Rounds::runs(&entries);
        let progress = Progress::new(runs);
        progress.say(&format!(
            "measuring {} models, {runs} runs, about {}",
            entries.len(),
            span(planned(&wish, &entries).as_secs_f64())
        ));
        let limit = self.limit.map_or(LIMIT, Duration::from_secs);
        let rounds = Rounds {
            limit,
            progress: &progress,
            until: self.repeat.is_none().then(|| Instant::now() + BUDGET),
        };
        let measured = rounds.measure(entries);
        drop(progress);
        let mut rows = measured.rows;
        for row in &mut rows {
            row.tasks_per_s /= f64::from(shrunk);
        }
        let asked = Wish {
            mix: wish.mix.lasting(self.cpu, self.io),
            ..wish
        };
        let advice = Advice::new(asked, rows, &measured.left_out).measured_with(shrunk);
        output::print(&advice.to_string())?;
        Ok(advice.model().is_some())
    }

    /// Returns the computing and the waiting of the tasks that are measured, and by which factor they are shorter.
    ///
    /// What a model adds to a task does not grow with the task's length. So models that are level for short tasks are
    /// level for long ones, and an answer for tasks of minutes does not take minutes.
    fn proportionate(&self) -> (Duration, Duration, u32) {
        let ratio = (self.cpu + self.io).as_secs_f64() / LONGEST_TASK.as_secs_f64();
        let shrunk = (ratio.ceil() as u32).max(1);
        (self.cpu / shrunk, self.io / shrunk, shrunk)
    }

    fn entries(&self, wish: &Wish, services: Services) -> Vec<Entry> {
        let (tasks, at_once) = sample(wish);
        let rounds = self.repeat.unwrap_or(ROUNDS);
        let plan = Plan::new(Workload::Mixed, tasks)
            .with_mix(wish.mix)
            .with_concurrency(at_once)
            .with_services(services);
        // One after the other a few tell as much as many.
        let in_turn =
            (RUN.as_micros() / wish.mix.length().as_micros().max(1)).clamp(1, tasks.into());
        let in_turn = u32::try_from(in_turn).unwrap_or(tasks);
        let entry = |model| {
            let tasks = match model {
                Model::Serial => in_turn,
                // Some hundred starts tell as much as thousands.
                Model::ProcessPerTask => tasks.min(MOST_STARTS),
                _ => tasks,
            };
            Entry {
                contender: Contender::rust(model),
                plan: Plan {
                    tasks,
                    ..plan.clone()
                },
                rounds: rounds.into(),
            }
        };
        Model::ALL.into_iter().map(entry).collect()
    }
}

/// Returns how long these entries' own rounds should take: computations share the processors, waits overlap.
fn planned(wish: &Wish, entries: &[Entry]) -> Duration {
    let (cpu, io) = (
        Duration::from_micros(wish.mix.cpu_us.into()),
        Duration::from_micros(wish.mix.io_us.into()),
    );
    let run = |entry: &Entry| {
        let beside = |places: usize| {
            let at_once = entry.contender.model.concurrency(&entry.plan);
            let places = u32::try_from(places.min(at_once)).unwrap_or(u32::MAX);
            entry.plan.tasks.div_ceil(places.max(1))
        };
        let computing = cpu.saturating_mul(beside(limits::processors()));
        let waiting = io.saturating_mul(beside(usize::MAX));
        computing.max(waiting).max(cpu + io)
    };
    entries
        .iter()
        .map(|entry| run(entry).saturating_mul(u32::try_from(entry.rounds).unwrap_or(u32::MAX)))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_minute_is_enough_whatever_the_mix() {
        let times = [0, 1, 300, 20_000, 3_000_000, 3_600_000_000].map(Duration::from_micros);
        let nowhere = ([127, 0, 0, 1], 1).into();
        let services = Services {
            echo: nowhere,
            http: nowhere,
        };
        for (cpu, io) in times.iter().flat_map(|cpu| times.map(|io| (*cpu, io))) {
            for tasks in [1, 20, 10_000, u32::MAX] {
                let advise = Advise {
                    cpu,
                    io,
                    tasks,
                    memory: None,
                    crashy: false,
                    repeat: None,
                    limit: None,
                };
                let (cpu, io, _) = advise.proportionate();
                let wish = Wish {
                    mix: Mix::default().lasting(cpu, io),
                    tasks,
                    memory: None,
                    crashy: false,
                };
                let planned = planned(&wish, &advise.entries(&wish, services));
                assert!(
                    planned <= Duration::from_secs(25),
                    "{planned:?} for {tasks} of {cpu:?} and {io:?}"
                );
            }
        }
    }

    #[test]
    fn a_size_needs_its_unit() {
        assert_eq!(size("512MiB").unwrap(), 512 << 20);
        for text in ["512", "0MiB", "-1GiB", "99999999999GiB", "GiB", ""] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
