//! The whole comparison: every chosen contender on every chosen workload, at every chosen concurrency.

use std::time::Instant;

use crate::map::Map;
use crate::options::Series;
use crate::rounds::{Entry, Rounds};
use crate::scratch::{self, Scratch};
use crate::timeline::Timeline;
use crate::{Failed, LeftOut, Model, Options, Plan, Progress, Results, Service, Workload, python};

/// Measures every row and shows how far it is. A row that fails is among those left out, and the others go on.
///
/// From then on ctrl-c and SIGTERM end the program after the tasks' files have been removed.
///
/// # Errors
/// When the services that tasks ask cannot be started, or the tasks' folder cannot be made.
pub fn compare(options: &Options) -> Result<Results, Failed> {
    let series = options.series();
    let entries = |services| {
        series
            .iter()
            .map(move |series| options.entries(*series, services))
    };
    let mut runs: usize = entries(None).map(|entries| Rounds::runs(&entries)).sum();
    if let Some(rounds) = options.overview {
        let cells = Map::entries(options, None, rounds);
        runs += cells
            .iter()
            .map(|entries| Rounds::runs(entries))
            .sum::<usize>();
    }
    let progress = Progress::new(runs);
    let files = Scratch::make(options.scratch())?;
    scratch::remove_when_stopped(files.path())?;
    let service = start_service(&series, options, &progress)?;
    let services = service.as_ref().map(Service::addresses);
    if let Some((python, _)) = &options.python {
        python::install(python, files.path())?;
    }
    let cells = options
        .overview
        .map(|rounds| Map::entries(options, services, rounds));
    let mut budget = Budget::new(options, series.len() + cells.as_ref().map_or(0, Vec::len));
    let mut rounds = Rounds {
        limit: options.limit,
        progress: &progress,
        until: None,
    };
    let mut results = Results::default();
    for entries in entries(services) {
        let (entries, repeated) = without_repetition(entries, &results);
        rounds.until = budget.next();
        let mut measured = rounds.measure(entries);
        measured.left_out.extend(repeated);
        progress.end(&measured.rows);
        results.extend(measured);
    }
    if let Some(cells) = cells {
        results.map = Some(Map::measure(
            cells,
            |entries| {
                rounds.until = budget.next();
                rounds.measure(entries)
            },
            &progress,
        ));
        progress.say("recording who runs when, as a timeline");
        results.timelines = timelines()?;
    }
    Ok(results)
}

/// Time that is left, shared evenly by the series that are left.
struct Budget {
    end: Option<Instant>,
    parts: usize,
}

impl Budget {
    fn new(options: &Options, parts: usize) -> Self {
        Self {
            end: options.budget.map(|budget| Instant::now() + budget),
            parts,
        }
    }

    /// Returns the end of the next series' share. What a series leaves of its share is the others'.
    fn next(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let parts = u32::try_from(self.parts.max(1)).unwrap_or(u32::MAX);
        self.parts = self.parts.saturating_sub(1);
        Some(now + self.end?.saturating_duration_since(now) / parts)
    }
}

/// The two tasks of `ab` under each model.
fn timelines() -> Result<Vec<Timeline>, Failed> {
    let plan = Plan::new(Workload::Ab, 2).with_concurrency(2);
    Model::ALL
        .into_iter()
        .map(|model| Timeline::record(model, &plan))
        .collect()
}

fn start_service(
    series: &[Series],
    options: &Options,
    progress: &Progress,
) -> Result<Option<Service>, Failed> {
    let needed = series.iter().any(|series| series.workload.needs_service());
    if !needed && options.overview.is_none() {
        return Ok(None);
    }
    progress.say("starting the services that IO-bound tasks ask");
    Service::start().map(Some)
}

/// Takes those out who would do again what they have done: one task at a time is the same at every concurrency.
fn without_repetition(entries: Vec<Entry>, so_far: &Results) -> (Vec<Entry>, Vec<LeftOut>) {
    let (again, new): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(|entry| {
        entry.contender.model == Model::Serial
            && so_far
                .rows
                .iter()
                .any(|row| row.workload == entry.plan.workload && row.contender == entry.contender)
    });
    let left_out = again.into_iter().map(
        |Entry {
             contender, plan, ..
         }| LeftOut {
            workload: plan.workload,
            contender,
            concurrency: plan.concurrency,
            reason: "it has one task at a time whatever the concurrency, and was measured so"
                .into(),
            failed: false,
        },
    );
    (new, left_out.collect())
}
