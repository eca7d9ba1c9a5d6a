//! `compare`: which model for my workload? Measures them all and says.

use std::path::PathBuf;
use std::process::ExitCode;

use benches::compare::{Options, compare};
use benches::report::{Folder, Report};
use benches::{Failed, Model, Workload};
use clap::{Parser, Subcommand};

/// Exit status for what the user asked and cannot be had, as clap uses it for bad arguments.
const USAGE: u8 = 2;

/// Compares processes, threads, coroutines and an event loop on CPU-bound, IO-bound and mixed work.
///
/// Prints a table and a verdict for each workload, and writes results.json and index.html.
#[derive(Parser, Debug)]
#[command(name = "compare", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    /// Fewer tasks and one run a row: under 30 seconds on two processors
    #[arg(long)]
    quick: bool,

    /// Only these workloads [default: all]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME")]
    workload: Vec<Workload>,

    /// Only these models, besides serial, whose checksum is the right one [default: all]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME")]
    model: Vec<Model>,

    /// Tasks in each row [default: as many as keep the serial model busy for a few seconds]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    tasks: Option<u32>,

    /// Workers of each pool [default: one a processor for CPU-bound work, else 50]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,

    /// Folder for results.json and index.html; made when it is not there
    #[arg(long, value_name = "DIR", default_value = "target/compare")]
    out: PathBuf,
}

#[derive(Subcommand, Debug)]
enum Command {
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
  compare                                       everything, about a minute
  compare --quick                               a first impression
  compare --workload echo,http                  only what waits
  compare --workload pi --model thread-pool,process-pool --workers 4
  compare --workload mixed --tasks 1000 --out /tmp/mixed
  compare peers --only threads                  our crates against others, if built with --features peers";

impl Arguments {
    fn options(&self) -> Options {
        Options {
            workloads: all_if_none(&self.workload, &Workload::ALL),
            models: all_if_none(&self.model, &Model::ALL),
            tasks: self.tasks,
            workers: self.workers.map(usize::from),
            quick: self.quick,
        }
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
    let arguments = Arguments::parse();
    if let Some(command) = &arguments.command {
        return match run_command(command) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(failed) => fail(&failed, 1),
        };
    }
    // Tried before the minute of measuring, not after it.
    let folder = match Folder::create(&arguments.out) {
        Ok(folder) => folder,
        Err(failed) => return fail(&failed, USAGE),
    };
    match run(&arguments, &folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => fail(&failed, 1),
    }
}

/// Whether what was asked for holds.
fn run_command(command: &Command) -> Result<bool, Failed> {
    match command {
        #[cfg(feature = "peers")]
        Command::Peers(peers) => peers.run(),
        #[cfg(not(feature = "peers"))]
        Command::Peers { .. } => Err(Failed::new(
            "comparing with peers",
            "they are not compiled in: cargo run --release --features peers -- peers",
        )),
    }
}

fn run(arguments: &Arguments, folder: &Folder) -> Result<(), Failed> {
    let report = Report::new(compare(&arguments.options())?);
    print!("{report}");
    folder.write(&report)?;
    println!(
        "\nPage: {}\nJSON: {}",
        folder.page().display(),
        folder.json().display()
    );
    Ok(())
}

fn fail(failed: &Failed, status: u8) -> ExitCode {
    eprintln!("compare: {failed}");
    ExitCode::from(status)
}
