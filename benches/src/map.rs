//! The crossover map: which model wins where, between computing and waiting, and between one task at a time and many.

use std::time::Duration;

use serde::Serialize;

use crate::rounds::{Entry, Rounds};
use crate::{Contender, Mix, Model, Options, Plan, Row, Services, Workload};

/// A task of every cell takes this long when nothing is in its way.
const TASK: Duration = Duration::from_millis(2);
/// How much of it is computing, in per cent.
const CPU_PERCENT: [u32; 5] = [0, 5, 20, 50, 100];
/// Tasks in flight at once.
const AT_ONCE: [usize; 4] = [1, 8, 64, 256];
/// Fewer tasks than this say nothing, more take too long.
const TASKS: (u32, u32) = (16, 256);
/// A lead that is smaller is none.
const TIE: f64 = 1.1;

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
}

/// What a cell says.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// Nothing could be measured.
    Nobody,
    /// The first leads the next so many times.
    Wins(Model, f64),
    /// The same, but its runs or the next one's were further apart than the two models.
    Unsure(Model, f64),
    /// The first and these others are within a tenth of each other.
    Level(Model, Vec<Model>),
}

impl Cell {
    /// Who wins, and how surely.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let Some((first, others)) = self.ranking.split_first() else {
            return Standing::Nobody;
        };
        let close = |rank: &&Rank| rank.tasks_per_s * TIE >= first.tasks_per_s;
        let level: Vec<Model> = others
            .iter()
            .take_while(close)
            .map(|rank| rank.model)
            .collect();
        if !level.is_empty() {
            return Standing::Level(first.model, level);
        }
        let Some(next) = others.first() else {
            return Standing::Wins(first.model, 1.0);
        };
        let lead = first.tasks_per_s / next.tasks_per_s;
        if lead > 1.0 + first.spread.max(next.spread) {
            Standing::Wins(first.model, lead)
        } else {
            Standing::Unsure(first.model, lead)
        }
    }
}

/// The cells, those of one fraction after the other.
#[derive(Debug, Clone, Serialize)]
pub struct Map {
    /// Milliseconds that a task takes when nothing is in its way.
    pub task_ms: f64,
    /// How many times each model was measured in each cell; with one nobody knows how sure a lead is.
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
    pub(crate) fn measure(entries: Vec<Vec<Entry>>, rounds: &Rounds) -> Self {
        let every = entries.iter().flatten().map(|entry| entry.rounds);
        let runs = every.max().unwrap_or(0);
        let places = CPU_PERCENT
            .iter()
            .flat_map(|percent| AT_ONCE.map(|at_once| (*percent, at_once)));
        let cells = places
            .zip(entries)
            .map(|((cpu_percent, concurrency), entries)| {
                let rows = rounds.measure(entries).rows;
                let mut ranking: Vec<Rank> = rows.iter().map(Rank::of).collect();
                ranking.sort_by(|a, b| b.tasks_per_s.total_cmp(&a.tasks_per_s));
                rounds.progress.note(&format!(
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
    // One task at a time needs no model, so it is only there as the yardstick of the first column.
    let models = options.all_models().into_iter();
    let models = models.filter(|model| at_once == 1 || *model != Model::Serial);
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
        };
        let cell = Cell {
            cpu_percent: 5,
            concurrency: 8,
            ranking: ranking.iter().map(rank).collect(),
        };
        cell.standing()
    }

    #[test]
    fn a_lead_within_a_tenth_is_a_tie() {
        let ranking = [
            (Model::EventLoop, 120.0, 0.0),
            (Model::ThreadPool, 110.0, 0.5),
            (Model::Prefork, 60.0, 0.0),
        ];
        assert_eq!(
            standing(&ranking),
            Standing::Level(Model::EventLoop, vec![Model::ThreadPool])
        );
    }

    #[test]
    fn a_lead_within_the_spread_is_unsure() {
        let first = (Model::EventLoop, 120.0, 0.1);
        let steady = [first, (Model::ThreadPool, 60.0, 0.9)];
        let unsteady = [first, (Model::ThreadPool, 60.0, 1.0)];
        assert_eq!(standing(&steady), Standing::Wins(Model::EventLoop, 2.0));
        assert_eq!(standing(&unsteady), Standing::Unsure(Model::EventLoop, 2.0));
    }

    #[test]
    fn who_is_alone_wins_and_nobody_is_nobody() {
        let alone = [(Model::Serial, 9.0, 0.3)];
        assert_eq!(standing(&alone), Standing::Wins(Model::Serial, 1.0));
        assert_eq!(standing(&[]), Standing::Nobody);
    }
}
