//! The crossover map: which model wins where, between computing and waiting, and between one task at a time and many.

use std::time::Duration;

use serde::Serialize;

use crate::lead::{self, Rate};
use crate::rounds::Entry;
use crate::simplicity::simplest;
use crate::{Contender, Mix, Model, Options, Plan, Progress, Results, Row, Services, Workload};

/// A task of every cell takes this long when nothing is in its way.
const TASK: Duration = Duration::from_millis(2);
/// How much of it is computing, in per cent.
const CPU_PERCENT: [u32; 4] = [0, 10, 50, 100];
/// Tasks in flight at once.
const AT_ONCE: [usize; 3] = [8, 64, 256];
/// Fewer tasks than this say nothing, more take too long.
const TASKS: (u32, u32) = (16, 256);

/// A fraction of computing at one concurrency, and how the models did.
#[derive(Debug, Clone, Serialize)]
pub struct Cell {
    /// Computing, in per cent of a task's time.
    pub cpu_percent: u32,
    /// Tasks in flight at once.
    pub concurrency: usize,
    /// The models from the quickest on.
    pub ranking: Vec<Rank>,
}

/// How quick a model was in a cell: the median of its runs, and how far they were apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rank {
    /// The model.
    pub model: Model,
    /// Tasks per second of the median run.
    pub tasks_per_s: f64,
    /// The fastest run's tasks per second less the slowest's, in parts of the median's.
    pub spread: f64,
    /// Number of runs.
    pub runs: usize,
}

/// What a cell says.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// Nothing could be measured.
    Nobody,
    /// This model is ahead of all others; so many times as quick as the next.
    Wins(Model, f64),
    /// No model is ahead of these. The first is the simplest of them.
    Level(Model, Vec<Model>),
}

impl Cell {
    /// Returns the winner, or the models that are level.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let (level, behind) = lead::split(self.ranking.clone(), Rank::rate);
        let mut level: Vec<Model> = level.iter().map(|rank| rank.model).collect();
        // Models that compute for a part of the time wait for the rest of it.
        let waits = if self.cpu_percent < 100 {
            self.concurrency
        } else {
            0
        };
        level.sort_by_key(|model| simplest(*model, waits));
        match (level.split_first(), self.ranking.first(), behind.first()) {
            (Some((model, [])), Some(first), Some(next)) => {
                Standing::Wins(*model, first.tasks_per_s / next.tasks_per_s)
            }
            (Some((model, [])), ..) => Standing::Wins(*model, 1.0),
            (Some((simplest, others)), ..) => Standing::Level(*simplest, others.to_vec()),
            (None, ..) => Standing::Nobody,
        }
    }
}

/// The cells, those of one fraction after the other.
#[derive(Debug, Clone, Serialize)]
pub struct Map {
    /// Milliseconds that a task takes when nothing is in its way.
    pub task_ms: f64,
    /// How many times each model was measured in each cell, at least; the spread of a single run is unknown.
    pub runs: usize,
    /// The fractions of computing, in per cent: the map's lines.
    pub cpu_percent: Vec<u32>,
    /// The concurrencies: the map's columns.
    pub at_once: Vec<usize>,
    /// The cells, line by line.
    pub cells: Vec<Cell>,
}

impl Map {
    /// Every entry of every cell, in this order.
    pub(crate) fn entries(
        options: &Options,
        services: Option<Services>,
        rounds: usize,
    ) -> Vec<Vec<Entry>> {
        let mixes = CPU_PERCENT.map(|percent| {
            let cpu = TASK * percent / 100;
            Mix::new(cpu, TASK.saturating_sub(cpu))
        });
        let cells = mixes
            .iter()
            .flat_map(|mix| AT_ONCE.map(|at_once| (*mix, at_once)));
        cells
            .map(|(mix, at_once)| cell(options, mix, at_once, services, rounds))
            .collect()
    }

    /// Measures the cells in turn.
    pub(crate) fn measure(
        entries: Vec<Vec<Entry>>,
        mut measure: impl FnMut(Vec<Entry>) -> Results,
        progress: &Progress,
    ) -> Self {
        let every = entries.iter().flatten().map(|entry| entry.rounds);
        let runs = every.max().unwrap_or(0);
        let places = CPU_PERCENT
            .iter()
            .flat_map(|percent| AT_ONCE.map(|at_once| (*percent, at_once)));
        let cells = places
            .zip(entries)
            .map(|((cpu_percent, concurrency), entries)| {
                let rows = measure(entries).rows;
                let mut ranking: Vec<Rank> = rows.iter().map(Rank::of).collect();
                ranking.sort_by(|a, b| b.tasks_per_s.total_cmp(&a.tasks_per_s));
                progress.note(&format!(
                    "crossover map, {cpu_percent} % computing, {concurrency} at once"
                ));
                Cell {
                    cpu_percent,
                    concurrency,
                    ranking,
                }
            });
        Self {
            task_ms: TASK.as_secs_f64() * 1e3,
            runs,
            cpu_percent: CPU_PERCENT.to_vec(),
            at_once: AT_ONCE.to_vec(),
            cells: cells.collect(),
        }
    }

    /// The cells of each fraction.
    pub fn lines(&self) -> impl Iterator<Item = &[Cell]> {
        self.cells.chunks(self.at_once.len())
    }
}

impl Rank {
    fn of(row: &Row) -> Self {
        Self {
            model: row.contender.model,
            tasks_per_s: row.tasks_per_s,
            spread: row.spread,
            runs: row.runs,
        }
    }

    fn rate(&self) -> Rate {
        Rate {
            median: self.tasks_per_s,
            spread: self.spread,
            runs: self.runs,
        }
    }
}

fn cell(
    options: &Options,
    mix: Mix,
    at_once: usize,
    services: Option<Services>,
    rounds: usize,
) -> Vec<Entry> {
    let tasks = u32::try_from(2 * at_once)
        .unwrap_or(u32::MAX)
        .clamp(TASKS.0, TASKS.1);
    let plan = Plan {
        services,
        ..Plan::new(Workload::Mixed, options.tasks.unwrap_or(tasks))
    };
    let plan = plan.with_mix(mix).with_concurrency(at_once);
    // A plain loop has one task at a time, and is held against the others in the tables.
    let models = options.all_models().into_iter();
    let models = models.filter(|model| *model != Model::Serial);
    models
        .map(|model| Entry {
            contender: Contender::rust(model),
            plan: plan.clone(),
            rounds,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(ranking: &[(Model, f64, f64)]) -> Standing {
        let rank = |&(model, tasks_per_s, spread): &(Model, f64, f64)| Rank {
            model,
            tasks_per_s,
            spread,
            runs: 3,
        };
        let cell = Cell {
            cpu_percent: 5,
            concurrency: 8,
            ranking: ranking.iter().map(rank).collect(),
        };
        cell.standing()
    }

    #[test]
    fn of_level_models_the_simplest_is_named() {
        let ranking = [
            (Model::EventLoop, 120.0, 0.0),
            (Model::ThreadPool, 110.0, 0.05),
            (Model::Prefork, 60.0, 0.0),
        ];
        assert_eq!(
            standing(&ranking),
            Standing::Level(Model::ThreadPool, vec![Model::EventLoop])
        );
    }

    #[test]
    fn a_lead_within_the_spread_is_level() {
        let first = (Model::EventLoop, 120.0, 0.1);
        let steady = [first, (Model::ThreadPool, 60.0, 0.9)];
        let unsteady = [first, (Model::ThreadPool, 60.0, 1.0)];
        assert_eq!(standing(&steady), Standing::Wins(Model::EventLoop, 2.0));
        let level = Standing::Level(Model::ThreadPool, vec![Model::EventLoop]);
        assert_eq!(standing(&unsteady), level);
    }

    #[test]
    fn one_model_wins_and_none_is_nobody() {
        let alone = [(Model::Serial, 9.0, 0.3)];
        assert_eq!(standing(&alone), Standing::Wins(Model::Serial, 1.0));
        assert_eq!(standing(&[]), Standing::Nobody);
    }
}
