//! How far a comparison is: a bar on a terminal, lines elsewhere; both on standard error.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::{Contender, Plan, Row};

/// Says how far it is while it lives.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    plain: bool,
}

impl Progress {
    /// Of a measurement with so many runs.
    #[must_use]
    pub fn new(runs: usize) -> Self {
        let plain = !std::io::stderr().is_terminal();
        let bar = if plain {
            ProgressBar::hidden()
        } else {
            ProgressBar::new(0)
        };
        bar.set_length(runs as u64);
        let template = "{spinner} [{bar:30}] {pos}/{len} {elapsed}, {eta} left: {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        if !plain {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self { bar, plain }
    }

    /// What is done now, besides runs.
    pub fn say(&self, what: &str) {
        if self.plain {
            eprintln!("{what}");
        }
        self.bar.set_message(what.to_owned());
    }

    /// A run begins.
    pub fn begin(&self, plan: &Plan, contender: Contender, stage: &str) {
        let workload = plan.workload;
        self.bar
            .set_message(format!("{workload} by {contender}, {stage}"));
    }

    /// A run is over, or will not be.
    pub fn step(&self) {
        self.bar.inc(1);
    }

    /// These rows are final.
    pub fn end(&self, rows: &[Row]) {
        if !self.plain {
            return;
        }
        let (at, all) = (self.bar.position(), self.bar.length().unwrap_or(0));
        for row in rows {
            let Row {
                workload,
                contender,
                concurrency,
                tasks_per_s,
                ..
            } = row;
            eprintln!(
                "[{at}/{all}] {workload} by {contender}, {concurrency} at once: {tasks_per_s:.0} tasks/s"
            );
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
