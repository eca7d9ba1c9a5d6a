//! The whole comparison: every chosen contender on every chosen workload, at every chosen concurrency.

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
    let rounds = Rounds {
        limit: options.limit,
        progress: &progress,
    };
    let mut results = Results::default();
    for entries in entries(services) {
        let (entries, repeated) = without_repetition(entries, &results);
        let mut measured = rounds.measure(entries);
        measured.left_out.extend(repeated);
        progress.end(&measured.rows);
        results.extend(measured);
    }
    if let Some(repeat) = options.overview {
        results.map = Some(Map::measure(
            Map::entries(options, services, repeat),
            &rounds,
        ));
        progress.say("recording who runs when, as a timeline");
        results.timelines = timelines()?;
    }
    Ok(results)
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
