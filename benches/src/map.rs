//! The crossover map: which model wins where, between computing and waiting, and between one task at a time and many.

use std::time::Duration;

use serde::Serialize;

use crate::rounds::{Entry, Rounds};
use crate::{Contender, Mix, Model, Options, Plan, Services, Workload};

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
    /// The models from the quickest on, with their tasks per second.
    pub ranking: Vec<(Model, f64)>,
}

impl Cell {
    /// The quickest model and how many times it leads the next; `None` when nothing could be measured.
    #[must_use]
    pub fn winner(&self) -> Option<(Model, f64)> {
        let &(model, rate) = self.ranking.first()?;
        let next = self.ranking.get(1).map_or(rate, |(_, next)| *next);
        Some((model, rate / next))
    }

    /// Models that are as quick as the winner, as far as can be told, beside it.
    #[must_use]
    pub fn ties(&self) -> Vec<Model> {
        let best = self.ranking.first().map_or(0.0, |(_, rate)| *rate);
        let rest = self.ranking.iter().skip(1);
        rest.filter(|(_, rate)| rate * TIE >= best)
            .map(|(model, _)| *model)
            .collect()
    }
}

/// The cells, those of one fraction after the other.
#[derive(Debug, Clone, Serialize)]
pub struct Map {
    /// Milliseconds that a task takes when nothing is in its way.
    pub task_ms: f64,
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
        let places = CPU_PERCENT
            .iter()
            .flat_map(|percent| AT_ONCE.map(|at_once| (*percent, at_once)));
        let cells = places
            .zip(entries)
            .map(|((cpu_percent, concurrency), entries)| {
                let rows = rounds.measure(entries).rows;
                let mut ranking: Vec<(Model, f64)> = rows
                    .iter()
                    .map(|row| (row.contender.model, row.tasks_per_s))
                    .collect();
                ranking.sort_by(|a, b| b.1.total_cmp(&a.1));
                Cell {
                    cpu_percent,
                    concurrency,
                    ranking,
                }
            });
        Self {
            task_ms: TASK.as_secs_f64() * 1e3,
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

    #[test]
    fn a_lead_within_a_tenth_is_a_tie() {
        let cell = Cell {
            cpu_percent: 5,
            concurrency: 8,
            ranking: vec![
                (Model::EventLoop, 120.0),
                (Model::ThreadPool, 110.0),
                (Model::Prefork, 60.0),
            ],
        };
        let (winner, lead) = cell.winner().unwrap();
        assert_eq!(
            (winner, cell.ties()),
            (Model::EventLoop, vec![Model::ThreadPool])
        );
        assert!((lead - 120.0 / 110.0).abs() < 1e-9);
    }
}
