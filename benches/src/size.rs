//! How many tasks a row has, when nobody says: enough to measure, few enough to measure all in a minute.

use crate::{Contender, Kind, Language, Model, Plan, Workload};

/// Times that each place in flight is taken, when tasks wait.
const TURNS: usize = 3;
/// Tasks that wait one after the other.
const IN_TURN: usize = 12;
/// Tasks of Python that compute: each takes as long as several of Rust.
const PYTHON_COMPUTES: usize = 6;

/// Tasks for this contender, with the plan's concurrency; `quick` is a first impression.
#[must_use]
pub fn tasks(contender: Contender, plan: &Plan, quick: bool) -> u32 {
    let python = contender.language == Language::Python;
    let full = match plan.workload.kind() {
        Kind::CpuBound if python => PYTHON_COMPUTES,
        Kind::CpuBound => computing(plan.workload),
        Kind::IoBound | Kind::Mixed if contender.model == Model::Serial => IN_TURN,
        Kind::IoBound | Kind::Mixed if python => plan.concurrency.max(IN_TURN),
        Kind::IoBound | Kind::Mixed => (TURNS * plan.concurrency).max(IN_TURN),
    };
    let tasks = if quick { full / 2 } else { full };
    u32::try_from(tasks).unwrap_or(u32::MAX).max(1)
}

/// About a seventh of a second's work on one processor.
fn computing(workload: Workload) -> usize {
    match workload {
        Workload::Primes => 64,
        Workload::Sha256 => 24,
        _ => 12,
    }
}
