//! How far a comparison is: a bar on a terminal, lines elsewhere; both on standard error.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::report::figure;
use crate::{Contender, Plan, Row};

/// Says how far it is while it lives.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    plain: bool,
    begun: Instant,
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
        let template = "{spinner} [{bar:20}] {pos} of {len} runs, about {eta} left: {wide_msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        if !plain {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self {
            bar,
            plain,
            begun: Instant::now(),
        }
    }

    /// What is done now, besides runs.
    pub fn say(&self, what: &str) {
        if self.plain {
            print(what);
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

    /// There are so many runs more.
    pub fn extend(&self, runs: usize) {
        self.bar.inc_length(runs as u64);
    }

    /// So much is done.
    pub fn note(&self, what: &str) {
        if self.plain {
            print(&format!("{} {what}", self.place()));
        }
    }

    /// How many of all runs are over, and how long the others will take if they are like these.
    fn place(&self) -> String {
        let (at, all) = (self.bar.position(), self.bar.length().unwrap_or(0));
        let elapsed = self.begun.elapsed().as_secs_f64();
        let left = elapsed / at.max(1) as f64 * all.saturating_sub(at) as f64;
        format!("[{at} of {all} runs, about {left:.0} s left]")
    }

    /// These rows are final.
    pub fn end(&self, rows: &[Row]) {
        for row in rows {
            let Row {
                workload,
                contender,
                concurrency,
                tasks_per_s,
                ..
            } = row;
            self.note(&format!(
                "{workload} by {contender}, {concurrency} at once: {} tasks/s",
                figure(*tasks_per_s)
            ));
        }
    }
}

/// Nobody has to look: a standard error that is closed is no reason to stop.
fn print(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
