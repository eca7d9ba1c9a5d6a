//! How many tasks a row has, when nobody says: enough to measure, few enough to measure all in a minute.

use std::time::Duration;

use crate::{Contender, Kind, Language, Model, Plan, Wish, Workload, limits};

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
        Kind::CpuBound if contender.model == Model::Serial => computing(plan.workload),
        Kind::CpuBound => computing(plan.workload) * limits::processors(),
        Kind::IoBound | Kind::Mixed if contender.model == Model::Serial => IN_TURN,
        Kind::IoBound | Kind::Mixed if python => plan.concurrency.max(IN_TURN),
        Kind::IoBound | Kind::Mixed => (TURNS * plan.concurrency).max(IN_TURN),
    };
    let tasks = if quick { full / 4 } else { full };
    u32::try_from(tasks).unwrap_or(u32::MAX).max(1)
}

/// About half a second's work on one processor: shorter runs say more of the machine's other work than of a model.
fn computing(workload: Workload) -> usize {
    match workload {
        Workload::Primes => 224,
        Workload::Sha256 => 84,
        _ => 42,
    }
}

/// What a run of a sample should take, if the tasks are not longer.
pub const RUN: Duration = Duration::from_millis(700);

/// How much of a wish to measure: tasks, and how many of them at once.
///
/// As many at once as keep the processors busy four times over, since more only wait for each other; so many tasks
/// that a run takes about [`RUN`], but each place is taken once at least.
#[must_use]
pub fn sample(wish: &Wish) -> (u32, usize) {
    const MOST_AT_ONCE: usize = 1000;
    /// Fewer tasks than this that are over at once would measure the start of the workers.
    const ENOUGH: usize = 5_000;
    let tasks = wish.tasks as usize;
    let enough = match wish.mix.io_us {
        0 => 2 * limits::processors(),
        _ => wish.mix.workers().saturating_mul(4),
    };
    let at_once = enough.min(MOST_AT_ONCE).min(tasks).max(1);
    let waited = f64::from(wish.mix.io_us) / 1e6 / at_once as f64;
    let computed = f64::from(wish.mix.cpu_us) / 1e6 / limits::processors() as f64;
    let in_time = (RUN.as_secs_f64() / waited.max(computed).max(1e-6)) as usize;
    // Waits overlap, so that a turn of all costs no more than one; computations do not.
    let (most, least) = match wish.mix.io_us {
        0 => (ENOUGH, 1),
        _ => (
            4 * at_once,
            at_once.min((RUN.as_secs_f64() / computed.max(1e-6)) as usize),
        ),
    };
    let sampled = in_time
        .min(most)
        .max(least)
        .max(limits::processors())
        .min(tasks);
    (
        u32::try_from(sampled).unwrap_or(u32::MAX),
        at_once.min(sampled),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mix;

    #[test]
    fn a_sample_fits_into_a_run() {
        let wish = |cpu, io, tasks| Wish {
            mix: Mix::new(cpu, io),
            tasks,
            memory: None,
            crashy: false,
        };
        let slow = wish(Duration::from_secs(1), Duration::ZERO, 1_000_000);
        assert!(sample(&slow).0 as usize <= 2 * limits::processors());
        let (tasks, at_once) = sample(&wish(Duration::ZERO, Duration::from_millis(1), 5));
        assert!(tasks <= 5 && at_once <= 5);
        let long_waits = wish(Duration::ZERO, Duration::from_secs(10), 100_000);
        assert_eq!(
            sample(&long_waits),
            (1000, 1000),
            "they overlap, so 1000 take no longer than one"
        );
        let short = wish(Duration::from_micros(1), Duration::ZERO, 100_000);
        assert_eq!(sample(&short).0, 5_000);
    }
}
