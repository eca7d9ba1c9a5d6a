//! `compare`: which model for my workload? Measures them all and says.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use benches::command::{Advise, Serve, Timelines};
use benches::compare::compare;
use benches::python::Python;
use benches::report::{Baseline, Folder, Report};
use benches::{Failed, Mix, Model, Options, Workload, duration, limits, output, python};
use clap::{Parser, Subcommand};

/// Exit status for what the user asked and cannot be had, as clap uses it for bad arguments.
const USAGE: u8 = 2;
/// Rounds of a comparison at least, of its overview, and of a quick one.
const ROUNDS: (u16, u16, u16) = (3, 2, 1);
/// What the default comparison measures: a workload of each kind.
const SHORT: [Workload; 4] = [
    Workload::Primes,
    Workload::Echo,
    Workload::Fsync,
    Workload::Mixed,
];

/// Compares processes, threads, coroutines and an event loop on CPU-bound, IO-bound and mixed work.
///
/// Prints a table and a verdict for each workload, and writes results.json and index.html.
#[derive(Parser, Debug)]
#[command(name = "compare", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    /// Measures every workload, and prints every table besides the answers
    #[arg(long)]
    full: bool,

    /// Fewer tasks and one round: under 30 seconds on two processors
    #[arg(long)]
    quick: bool,

    /// Only these workloads [default: all]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME")]
    workload: Vec<Workload>,

    /// Only these models, besides serial, which the others are compared with [default: all]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME")]
    model: Vec<Model>,

    /// Only rows whose name, such as "echo by event-loop", has one of these texts in it
    #[arg(long, value_delimiter = ',', value_name = "TEXT")]
    filter: Vec<String>,

    /// Tasks in each row [default: what takes some tenths of a second]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    tasks: Option<u32>,

    /// Tasks in flight at once; several make a series of rows each [default: 50 that wait, or two that compute a processor]
    #[arg(long, value_delimiter = ',', value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    concurrency: Vec<u32>,

    /// How long each task of the workload mixed computes, on an idle processor
    #[arg(long, value_name = "TIME", default_value = "2ms", value_parser = duration::parse)]
    cpu: Duration,

    /// How long each task of the workload mixed waits
    #[arg(long, value_name = "TIME", default_value = "20ms", value_parser = duration::parse)]
    io: Duration,

    /// Workers of each pool [default: as many as tasks in flight that wait, or one a processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,

    /// Seconds for all: rounds are repeated within them while noise could turn a result
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    time: u64,

    /// Rounds of measuring, whose median is shown [default: 3 and more while there is --time, or 1 with --quick]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    repeat: Option<u16>,

    /// The overview, too: echo at 1 to 1,000 tasks at once, the crossover map, a timeline [default: when all is compared]
    #[arg(long, overrides_with = "no_overview")]
    overview: bool,

    /// Only the tables
    #[arg(long)]
    no_overview: bool,

    /// Python's counterparts, too, by this interpreter; without one that is an error [default: python3, if there is one]
    #[arg(long, overrides_with = "no_python", value_name = "PROGRAM", num_args = 0..=1, require_equals = true, default_missing_value = "python3")]
    python: Option<OsString>,

    /// Rust alone
    #[arg(long)]
    no_python: bool,

    /// Seconds that one run of one row may take; then it is killed and said to have failed
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,

    /// An earlier results.json: says which rows have changed since
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,

    /// Writes the results to this file, too; - is standard output, which then has nothing else
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Folder for results.json and index.html; made when it is not there
    #[arg(long, value_name = "DIR", default_value = "target/compare")]
    out: PathBuf,
}

#[derive(Subcommand, Debug)]
enum Command {
    Advise(Advise),
    Timeline(Timelines),
    Serve(Serve),
    #[cfg(feature = "peers")]
    Peers(benches::peers::Peers),
    /// Holds each crate against its peers; needs a build with `--features peers`
    #[cfg(not(feature = "peers"))]
    Peers {
        #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
}

const EXAMPLES: &str = "\
Examples:
  compare                                       the answers, in about a minute
  compare --full                                every workload and every table
  compare --quick                               a first impression
  compare --workload echo,http                  only what waits
  compare --workload echo --concurrency 1,10,100,1000
  compare --workload mixed --cpu 500us --io 5ms --concurrency 100
  compare --workload pi --model thread-pool,process-pool --workers 4 --repeat 9
  compare --baseline before.json --filter 'echo by event'
  compare --python=venv/bin/python --workload http   Python's rows by this interpreter
  compare advise --cpu 2ms --io 40ms --tasks 10000 --crashy
  compare timeline --workload echo --model thread-pool,event-loop
  compare serve                                 the last page, on http://127.0.0.1:8000
  compare peers --only threads                  our crates against others, if built with --features peers";

impl Arguments {
    fn options(&self, python: Option<Python>) -> Options {
        let rounds = if self.quick { ROUNDS.2 } else { ROUNDS.0 };
        let default = if self.full || self.is_particular() {
            &Workload::ALL[..]
        } else {
            &SHORT
        };
        let exact = self.quick || self.repeat.is_some();
        Options {
            workloads: all_if_none(&self.workload, default),
            models: all_if_none(&self.model, &Model::ALL),
            filter: self.filter.clone(),
            tasks: self.tasks,
            concurrency: self.concurrency.iter().map(|n| *n as usize).collect(),
            workers: self.workers.map(usize::from),
            repeat: self.repeat.unwrap_or(rounds).into(),
            python: python.map(|python| (python, self.repeat.unwrap_or(1).into())),
            overview: self
                .has_overview()
                .then(|| self.repeat.unwrap_or(ROUNDS.1).into()),
            budget: (!exact).then(|| Duration::from_secs(self.time)),
            limit: Duration::from_secs(self.limit),
            quick: self.quick,
            mix: Mix::new(self.cpu, self.io),
            folder: self.out.clone(),
        }
    }
}

impl Arguments {
    /// Whoever asks for something particular wants no overview, unless they say so.
    fn has_overview(&self) -> bool {
        let unasked = !self.is_particular() && !self.quick && !self.no_overview;
        self.overview || unasked
    }

    /// Returns whether certain rows were asked for, so that their tables are the answer.
    fn is_particular(&self) -> bool {
        let everything =
            self.workload.is_empty() && self.model.is_empty() && self.filter.is_empty();
        let as_usual =
            self.tasks.is_none() && self.concurrency.is_empty() && self.workers.is_none();
        !(everything && as_usual)
    }
}

/// What was chosen, in the report's order and each once; everything when nothing was.
fn all_if_none<T: Copy + PartialEq>(chosen: &[T], all: &[T]) -> Vec<T> {
    all.iter()
        .copied()
        .filter(|one| chosen.is_empty() || chosen.contains(one))
        .collect()
}

fn main() -> ExitCode {
    procs::init();
    #[cfg(feature = "peers")]
    benches::peers::procs::init();
    let arguments = Arguments::parse();
    limits::raise_open_files();
    if let Some(command) = &arguments.command {
        return match run_command(command) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(failed) => fail(&failed, 1),
        };
    }
    match prepare(&arguments) {
        Ok(prepared) => run(&arguments, prepared).unwrap_or_else(|failed| fail(&failed, 1)),
        Err(failed) => fail(&failed, USAGE),
    }
}

/// Whether what was asked for holds.
fn run_command(command: &Command) -> Result<bool, Failed> {
    match command {
        Command::Advise(advise) => advise.run(),
        Command::Timeline(timelines) => timelines.run().map(|()| true),
        Command::Serve(serve) => serve.run().map(|()| true),
        #[cfg(feature = "peers")]
        Command::Peers(peers) => peers.run(),
        #[cfg(not(feature = "peers"))]
        Command::Peers { .. } => Err(Failed::new(
            "comparing with peers",
            "they are not compiled in: cargo run --release --features peers -- peers",
        )),
    }
}

/// What is worth failing for before a minute of measuring, rather than after it.
struct Prepared {
    folder: Folder,
    baseline: Option<Baseline>,
    python: Result<Python, Failed>,
}

fn prepare(arguments: &Arguments) -> Result<Prepared, Failed> {
    let baseline = arguments
        .baseline
        .as_deref()
        .map(Baseline::read)
        .transpose()?;
    let python = if arguments.no_python {
        Err(Failed::new("left out", "--no-python says so"))
    } else {
        python::find(arguments.python.as_deref())
    };
    if arguments.python.is_some() {
        python.as_ref().map_err(Failed::clone)?;
    }
    if let Some(file) = arguments
        .json
        .as_deref()
        .filter(|file| file.as_os_str() != "-")
    {
        can_be_written(file)?;
    }
    Ok(Prepared {
        folder: Folder::create(&arguments.out)?,
        baseline,
        python,
    })
}

fn run(arguments: &Arguments, prepared: Prepared) -> Result<ExitCode, Failed> {
    let Prepared {
        folder,
        baseline,
        python,
    } = prepared;
    let options = arguments.options(python.clone().ok());
    if options.leave_nothing() {
        let failed = Failed::new(
            "choosing what to compare",
            "no row is left: --filter has no text of one, or --workload is ab, which is for compare timeline",
        );
        return Ok(fail(&failed, USAGE));
    }
    let results = compare(&options)?;
    let status = if results.has_failed() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    };
    let remark = match python {
        Ok(python) => python.introduction,
        Err(failed) => format!("no rows of Python: {failed}"),
    };
    let mut report = Report::new(results).with_python(remark);
    if let Some(baseline) = baseline {
        report = report.with_baseline(baseline);
    }
    folder.write(&report)?;
    match &arguments.json {
        Some(file) if file.as_os_str() == "-" => {
            output::print(&report.json()?)?;
            return Ok(status);
        }
        Some(file) => write(file, &report.json()?)?,
        None => {}
    }
    output::print(&format!(
        "{}\nPage: {}\nJSON: {}\n",
        report.text(output::width(), arguments.full || arguments.is_particular()),
        folder.page().display(),
        folder.json().display()
    ))?;
    Ok(status)
}

/// What is in the file stays until there is something to take its place.
fn can_be_written(file: &Path) -> Result<(), Failed> {
    let opened = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(file);
    opened
        .map(drop)
        .map_err(Failed::at(format!("writing {}", file.display())))
}

fn write(file: &Path, text: &str) -> Result<(), Failed> {
    std::fs::write(file, text).map_err(Failed::at(format!("writing {}", file.display())))
}

fn fail(failed: &Failed, status: u8) -> ExitCode {
    // Nobody has to look.
    let _ = writeln!(std::io::stderr(), "compare: {failed}");
    ExitCode::from(status)
}
