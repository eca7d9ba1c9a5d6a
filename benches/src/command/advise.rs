//! `compare advise`.

use std::time::Duration;

use clap::Args;

use crate::advice::Advice;
use crate::report::span;
use crate::rounds::{Entry, Rounds};
use crate::size::sample;
use crate::{
    Contender, Failed, Mix, Model, Plan, Progress, Service, Wish, Workload, duration, limits,
    output,
};

/// What one run may take, besides what it should take.
const LIMIT: Duration = Duration::from_secs(60);
/// Nobody wants to wait for several rounds of runs that take longer than this.
const LONG: Duration = Duration::from_secs(5);
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

    /// Rounds of measuring [default: 3, or 1 where a run takes longer than 5 s]
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
        let wish = Wish {
            mix: Mix::new(self.cpu, self.io),
            tasks: self.tasks,
            memory: self.memory,
            crashy: self.crashy,
        };
        let service = Service::start()?;
        let run = self.run_time(&wish);
        let entries = self.entries(&wish, &service, run);
        let runs = Rounds::runs(&entries);
        let progress = Progress::new(runs);
        progress.say(&format!(
            "measuring {} models, {runs} runs of about {} each",
            entries.len(),
            span(run.as_secs_f64())
        ));
        let limit = self.limit.map_or(LIMIT + 4 * run, Duration::from_secs);
        let rounds = Rounds {
            limit,
            progress: &progress,
        };
        let measured = rounds.measure(entries);
        drop(progress);
        let advice = Advice::new(wish, measured.rows, &measured.left_out);
        output::print(&advice.to_string())?;
        Ok(advice.model().is_some())
    }

    /// How long a run should take, whose waits overlap.
    fn run_time(&self, wish: &Wish) -> Duration {
        let (tasks, at_once) = sample(wish);
        let turns = |beside: usize| tasks.div_ceil(u32::try_from(beside).unwrap_or(u32::MAX));
        let computing = self.cpu.saturating_mul(turns(limits::processors()));
        let waiting = self.io.saturating_mul(turns(at_once));
        computing.max(waiting).max(self.cpu + self.io)
    }

    fn entries(&self, wish: &Wish, service: &Service, run: Duration) -> Vec<Entry> {
        let (tasks, at_once) = sample(wish);
        let rounds = self.repeat.unwrap_or(if run > LONG { 1 } else { 3 });
        let plan = Plan::new(Workload::Mixed, tasks)
            .with_mix(wish.mix)
            .with_concurrency(at_once)
            .with_services(service.addresses());
        // One after the other a few tell as much as many.
        let each = self.cpu + self.io;
        let in_turn =
            (Duration::from_secs(1).as_micros() / each.as_micros().max(1)).clamp(1, tasks.into());
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

#[cfg(test)]
mod tests {
    use super::*;

    fn advise(cpu: Duration, io: Duration, tasks: u32) -> (Advise, Wish) {
        let advise = Advise {
            cpu,
            io,
            tasks,
            memory: None,
            crashy: false,
            repeat: None,
            limit: None,
        };
        let mix = Mix::new(Duration::ZERO, io);
        let wish = Wish {
            mix,
            tasks,
            memory: None,
            crashy: false,
        };
        (advise, wish)
    }

    #[test]
    fn a_run_takes_as_long_as_its_longest_task() {
        let (hour, second) = (Duration::from_secs(3600), Duration::from_secs(1));
        let (advise, wish) = advise(Duration::ZERO, second, 1);
        assert_eq!(advise.run_time(&wish), second);
        let (advise, wish) = self::advise(hour, hour, u32::MAX);
        assert!(advise.run_time(&wish) >= 2 * hour);
    }

    #[test]
    fn a_size_needs_its_unit() {
        assert_eq!(size("512MiB").unwrap(), 512 << 20);
        for text in ["512", "0MiB", "-1GiB", "99999999999GiB", "GiB", ""] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
