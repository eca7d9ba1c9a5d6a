//! `compare peers`.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{ROUNDS, Row, Table, aio, aio_http, coroutines, procs, threads};
use crate::{Failed, output};

/// Holds each crate against its peers: every ratio with its target, measured in turn in this run.
#[derive(Args, Debug)]
pub struct Peers {
    /// Only these crates [default: all]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "CRATE")]
    only: Vec<Crate>,

    /// Rounds of each row, whose medians count
    #[arg(long, value_name = "N", default_value_t = ROUNDS, value_parser = rounds)]
    rounds: usize,

    /// Also writes the rows as JSON to this file; `-` is standard output, instead of the table
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Exit status 1 when a row falls short of its target
    #[arg(long)]
    strict: bool,
}

/// A crate that has peers.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Crate {
    Procs,
    Threads,
    Coroutines,
    Aio,
    /// `aio`'s HTTP server and WebSockets.
    AioHttp,
}

impl Crate {
    fn rows(self, rounds: usize) -> Vec<Row> {
        match self {
            Self::Procs => procs::rows(rounds),
            Self::Threads => threads::rows(rounds),
            Self::Coroutines => coroutines::rows(rounds),
            Self::AioHttp => aio_http::rows(rounds),
            Self::Aio => aio::rows(rounds),
        }
    }
}

fn rounds(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least one round is needed".to_owned()),
        Ok(rounds) => Ok(rounds),
        Err(error) => Err(format!("{error}")),
    }
}

impl Peers {
    /// Measures, prints, and says whether the exit status is to be that of success.
    ///
    /// # Errors
    /// When the JSON cannot be written.
    pub fn run(&self) -> Result<bool, Failed> {
        let chosen = Crate::value_variants()
            .iter()
            .filter(|one| self.only.is_empty() || self.only.contains(one));
        let rows: Vec<Row> = chosen.flat_map(|one| one.rows(self.rounds)).collect();
        let to_stdout = self
            .json
            .as_ref()
            .is_some_and(|path| path.as_os_str() == "-");
        if !to_stdout {
            output::print(&Table(&rows).to_string())?;
        }
        let short: Vec<&Row> = rows.iter().filter(|row| row.falls_short()).collect();
        eprintln!(
            "{} of {} rows fall short of their targets",
            short.len(),
            rows.len()
        );
        if let Some(path) = &self.json {
            write_json(path, to_stdout, &rows).map_err(|error| {
                Failed::new(format!("writing {}", path.display()), error.to_string())
            })?;
        }
        Ok(!self.strict || short.is_empty())
    }
}

fn write_json(path: &PathBuf, to_stdout: bool, rows: &[Row]) -> std::io::Result<()> {
    let text = serde_json::to_string_pretty(rows)?;
    if to_stdout {
        return writeln!(std::io::stdout(), "{text}");
    }
    std::fs::write(path, text + "\n")
}
