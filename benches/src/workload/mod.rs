//! Seven kinds of work; each task yields a checksum that every model must reproduce.

mod chain;
mod echo;
mod exchange;
mod file;
mod http;
mod part;
mod pi;
mod primes;
mod sha256;
mod unit;

pub use chain::Chain;
use exchange::Exchange;
pub use exchange::Turn;
use file::File;
use pi::Pi;
use primes::Primes;
use sha256::Buffer;
pub use unit::Unit;

use serde::{Deserialize, Serialize};

/// What the tasks of a run do.
///
/// ```
/// use benches::{Kind, Workload};
///
/// assert_eq!(Workload::Echo.kind(), Kind::IoBound);
/// assert_eq!(Workload::Pi.to_string(), "pi");
/// ```
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Workload {
    /// CPU-bound: 480 digits of pi with big numbers.
    Pi,
    /// CPU-bound: the primes of a range by trial division.
    Primes,
    /// CPU-bound: SHA-256 over a buffer of 1 MiB.
    Sha256,
    /// IO-bound: a request to a TCP service that answers after 20 ms.
    Echo,
    /// IO-bound: GET /hello/{name} from our own HTTP server, 20 ms each.
    Http,
    /// IO-bound: a file of 16 KiB written and forced to the disk.
    Fsync,
    /// Mixed: a computation, then a request; `--cpu` and `--io` say how long each takes.
    Mixed,
    /// Two tasks: a says 0 1 2, b says a b c, with a pause after each. To be looked at, not to be measured.
    Ab,
}

/// What a workload spends its time on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It computes; more processors help, more tasks at once do not.
    CpuBound,
    /// It waits; more tasks at once help, more processors do not.
    IoBound,
    /// It does both, in turn.
    Mixed,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kind::CpuBound => "CPU-bound",
            Kind::IoBound => "IO-bound",
            Kind::Mixed => "mixed",
        })
    }
}

impl Workload {
    /// Every workload that is measured, in the order of the report.
    pub const ALL: [Self; 7] = [
        Self::Pi,
        Self::Primes,
        Self::Sha256,
        Self::Echo,
        Self::Http,
        Self::Fsync,
        Self::Mixed,
    ];

    /// What this workload spends its time on.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::Pi | Self::Primes | Self::Sha256 => Kind::CpuBound,
            Self::Echo | Self::Http | Self::Fsync | Self::Ab => Kind::IoBound,
            Self::Mixed => Kind::Mixed,
        }
    }

    /// What to call this task.
    #[must_use]
    pub fn task_name(self, index: u32) -> String {
        match (self, index) {
            (Self::Ab, 0) => "a".into(),
            (Self::Ab, 1) => "b".into(),
            _ => format!("task {index}"),
        }
    }

    /// Whether its tasks ask a service, which must then be running.
    #[must_use]
    pub fn needs_service(self) -> bool {
        matches!(self, Self::Echo | Self::Http | Self::Mixed)
    }

    /// One sentence for people.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::Pi => "each task computes 480 digits of pi with big numbers",
            Self::Primes => "each task finds the primes of a range by trial division",
            Self::Sha256 => "each task hashes a buffer of 1 MiB with SHA-256",
            Self::Fsync => "each task writes a file of 16 KiB and forces it to the disk",
            Self::Echo => "each task asks a TCP service that answers after 20 ms",
            Self::Http => {
                "each task GETs /hello/{name} from our own HTTP server, which takes 20 ms"
            }
            Self::Mixed => "each task computes, then asks a service",
            Self::Ab => "a says 0 1 2, b says a b c, and both pause after each",
        }
    }
}

impl std::fmt::Display for Workload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Pi => "pi",
            Self::Sha256 => "sha256",
            Self::Fsync => "fsync",
            Self::Ab => "ab",
            Self::Primes => "primes",
            Self::Echo => "echo",
            Self::Http => "http",
            Self::Mixed => "mixed",
        })
    }
}

/// A computation that can stop between steps, so that a coroutine can give others their turn.
pub trait Computation {
    /// Does the next step; false when that was the last one.
    fn step(&mut self) -> bool;

    /// The result so far, as a number that a wrong result would change.
    fn checksum(&self) -> u64;
}

/// The first eight bytes of a hash, as a number.
fn first_eight(hash: &[u8]) -> u64 {
    hash.iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Folds one value into a checksum (the FNV-1a step, on 64-bit values).
fn mix(hash: u64, value: u64) -> u64 {
    (hash ^ value ^ 0xcbf2_9ce4_8422_2325).wrapping_mul(0x0000_0100_0000_01b3)
}
