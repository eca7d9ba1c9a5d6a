//! `compare timeline`.

use std::path::PathBuf;

use clap::Args;

use crate::report::{Folder, timeline_svg};
use crate::scratch::{self, Scratch};
use crate::timeline::{Timeline, chrome_trace};
use crate::{Failed, Mix, Model, Plan, Progress, Service, Workload, duration, limits, output};

/// Characters that a lane takes where there is no terminal that is wider or narrower.
const WIDTH: usize = 64;
/// Characters before it.
const LABEL: usize = 36;

/// Draws who ran and who waited, on which process, thread or coroutine.
///
/// Prints the lanes, and writes timeline.svg and timeline.json, which chrome://tracing and Perfetto (ui.perfetto.dev) open.
#[derive(Args, Debug)]
pub struct Timelines {
    /// What the tasks do
    #[arg(long, value_enum, value_name = "NAME", default_value = "ab")]
    workload: Workload,

    /// Only these models [default: all]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME")]
    model: Vec<Model>,

    /// How many tasks [default: 2 of ab, else 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    tasks: Option<u32>,

    /// Tasks in flight at once [default: all, or two a processor that compute]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: Option<u16>,

    /// How long each task of the workload mixed computes
    #[arg(long, value_name = "TIME", default_value = "2ms", value_parser = duration::parse)]
    cpu: std::time::Duration,

    /// How long each task of the workload mixed waits
    #[arg(long, value_name = "TIME", default_value = "20ms", value_parser = duration::parse)]
    io: std::time::Duration,

    /// Folder for timeline.svg and timeline.json; made when it is not there
    #[arg(long, value_name = "DIR", default_value = "target/compare")]
    out: PathBuf,
}

impl Timelines {
    /// Runs the tasks under each model, prints and writes.
    ///
    /// # Errors
    /// When a task fails, the services cannot be started, or a file cannot be written.
    pub fn run(&self) -> Result<(), Failed> {
        let folder = Folder::create(&self.out)?;
        let service = self
            .workload
            .needs_service()
            .then(Service::start)
            .transpose()?;
        let mut plan = self.plan();
        plan.services = service.as_ref().map(Service::addresses);
        let files = Scratch::make(self.out.join("files"))?;
        scratch::remove_when_stopped(files.path())?;
        plan.folder = Some(files.path().to_owned());
        let timelines = self.record(&plan)?;
        let mut text = format!(
            "{}: {}; █ ran, · waited\n\n",
            self.workload,
            self.workload.about()
        );
        let lane = output::width().map_or(WIDTH, |width| {
            width.saturating_sub(LABEL).clamp(20, 2 * WIDTH)
        });
        for timeline in &timelines {
            text += &timeline.text(lane);
            text.push('\n');
        }
        let (svg, trace) = folder.write_timelines(
            &timeline_svg(self.workload, &timelines),
            &chrome_trace(self.workload, &timelines),
        )?;
        text += &format!("Picture: {}\nTrace:   {}\n", svg.display(), trace.display());
        output::print(&text)
    }

    /// Runs the tasks under each model that was chosen and can do so.
    fn record(&self, plan: &Plan) -> Result<Vec<Timeline>, Failed> {
        let chosen: Vec<Model> = Model::ALL
            .into_iter()
            .filter(|model| self.model.is_empty() || self.model.contains(model))
            .collect();
        let progress = Progress::new(chosen.len());
        let record = |model| {
            progress.say(&format!("recording {} by {model}", plan.workload));
            let timeline = match limits::refuses(model, plan) {
                Some(reason) => Err(Failed::new(format!("recording {model}"), reason)),
                None => Timeline::record(model, plan),
            };
            progress.step();
            timeline
        };
        chosen.into_iter().map(record).collect()
    }

    fn plan(&self) -> Plan {
        let tasks = self
            .tasks
            .unwrap_or(if self.workload == Workload::Ab { 2 } else { 8 });
        let plan = Plan::new(self.workload, tasks).with_mix(Mix::new(self.cpu, self.io));
        let at_once = plan.concurrency.min(tasks as usize);
        plan.with_concurrency(self.concurrency.map_or(at_once, usize::from))
    }
}
