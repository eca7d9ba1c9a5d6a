//! `compare advise`.

use std::time::Duration;

use clap::Args;

use crate::advice::{Advice, Wish};
use crate::rounds::{Entry, Rounds};
use crate::size::sample;
use crate::{Contender, Failed, Mix, Model, Plan, Progress, Service, Workload, duration};

/// Measures your mix of computing and waiting under every model here, and says which to use, why, and how to begin.
#[derive(Args, Debug)]
pub struct Advise {
    /// How long a task computes, on an idle processor
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    cpu: Duration,

    /// How long a task waits, for a disk, a service, a user
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
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

    /// Rounds of measuring
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    repeat: u16,

    /// Seconds that one run may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
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
            format!("{text:?} is not one, as 512MiB and 2GiB are"),
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
        let entries = self.entries(&wish, &service);
        let progress = Progress::new(Rounds::runs(&entries));
        let rounds = Rounds {
            limit: Duration::from_secs(self.limit),
            progress: &progress,
        };
        let measured = rounds.measure(entries);
        drop(progress);
        let advice = Advice::new(wish, measured.rows, &measured.left_out);
        print!("{advice}");
        Ok(advice.model().is_some())
    }

    fn entries(&self, wish: &Wish, service: &Service) -> Vec<Entry> {
        let (tasks, at_once) = sample(wish);
        let plan = Plan::new(Workload::Mixed, tasks)
            .with_mix(wish.mix)
            .with_concurrency(at_once)
            .with_services(service.addresses());
        // One after the other a few tell as much as many.
        let each = self.cpu + self.io;
        let in_turn = (Duration::from_secs(1).as_micros() / each.as_micros().max(1))
            .clamp(2, tasks.max(2).into());
        let in_turn = u32::try_from(in_turn).unwrap_or(tasks).min(tasks);
        let entry = |model| {
            let tasks = if model == Model::Serial {
                in_turn
            } else {
                tasks
            };
            Entry {
                contender: Contender::rust(model),
                plan: Plan {
                    tasks,
                    ..plan.clone()
                },
                rounds: self.repeat.into(),
            }
        };
        Model::ALL.into_iter().map(entry).collect()
    }
}
