//! Several contenders measured in turn, several times over.
//!
//! The contenders take turns, so that a machine that is busy with something else for a second does not decide: each is
//! measured once a round, every round begins with another one, and the median over the rounds is shown with their
//! spread. One run each before the first round is not counted: it warms the caches up, and shows which contenders
//! cannot run the plan at all.
//!
//! The rule for stopping: after the rounds that the entries ask for, another round follows as long as some contender's
//! median is more than a tenth below the best one's and noise could turn the two, until the time is up or [`MOST`]
//! rounds are done. More rounds cannot make a difference within a tenth matter, so that none follows for that.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::lead::Rate;
use crate::measure::{Run, measure};
use crate::{Contender, Failed, Language, LeftOut, Plan, Progress, Results, Row};

/// A run before the first round has this part of the tasks.
const WARM_UP_PART: u32 = 4;
/// Maximum number of rounds.
pub const MOST: usize = 15;

/// Who is to be measured, and on what.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Who.
    pub contender: Contender,
    /// On what.
    pub plan: Plan,
    /// In how many rounds, at least one; with one there is no warm-up either.
    pub rounds: usize,
}

impl Entry {
    /// How often it is run, the warm-up counted.
    fn runs(&self) -> usize {
        if self.rounds > 1 { self.rounds + 1 } else { 1 }
    }
}

/// How to measure.
#[derive(Debug, Clone, Copy)]
pub struct Rounds<'p> {
    /// How long one run may take.
    pub limit: Duration,
    /// Where to say how far it is.
    pub progress: &'p Progress,
    /// Until when further rounds may begin. `None`: there are no further rounds.
    pub until: Option<Instant>,
}

impl Rounds<'_> {
    /// Measures entries of one workload, each as many times as it says, in turn, and checks that they agree on every task.
    #[must_use]
    pub fn measure(&self, entries: Vec<Entry>) -> Results {
        let mut agreed = Agreed::default();
        let mut field: Vec<Candidate> = entries.into_iter().map(Candidate::new).collect();
        for candidate in field
            .iter_mut()
            .filter(|candidate| candidate.entry.rounds > 1)
        {
            let plan = candidate.entry.plan.clone();
            candidate.run(&warm_up(plan), self, &mut agreed, "warm-up");
            candidate.runs.clear();
        }
        let rounds = field
            .iter()
            .map(|candidate| candidate.entry.rounds)
            .max()
            .unwrap_or(0);
        for round in 0..rounds {
            self.round(&mut field, round, &mut agreed);
        }
        let mut round = rounds;
        while rounds > 1 && round < MOST && self.has_time() && !is_settled(&field) {
            let rust = field
                .iter_mut()
                .filter(|candidate| candidate.entry.contender.language == Language::Rust);
            for candidate in rust {
                candidate.entry.rounds = round + 1;
            }
            let taking_part = field
                .iter()
                .filter(|candidate| candidate.entry.rounds > round);
            self.progress.extend(taking_part.count());
            self.round(&mut field, round, &mut agreed);
            round += 1;
        }
        let mut results = Results::default();
        for candidate in field {
            candidate.finish(&mut results);
        }
        results
    }

    /// One run of each candidate that takes part in this round.
    fn round(&self, field: &mut [Candidate], round: usize, agreed: &mut Agreed) {
        let first = round % field.len().max(1);
        field.rotate_left(first);
        for candidate in field
            .iter_mut()
            .filter(|candidate| candidate.entry.rounds > round)
        {
            let plan = candidate.entry.plan.clone();
            let stage = format!("round {}", round + 1);
            candidate.run(&plan, self, agreed, &stage);
        }
        field.rotate_right(first);
    }

    fn has_time(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }

    /// Runs that measuring these entries takes, further rounds not counted.
    #[must_use]
    pub fn runs(entries: &[Entry]) -> usize {
        entries.iter().map(Entry::runs).sum()
    }
}

/// Returns whether further rounds would change nothing: each rate is within a tenth of the best, or the best is ahead of
/// it by more than noise explains.
fn is_settled(field: &[Candidate]) -> bool {
    let rates: Vec<Rate> = field.iter().filter_map(Candidate::rate).collect();
    let Some(best) = rates
        .iter()
        .max_by(|a, b| a.median.total_cmp(&b.median))
        .copied()
    else {
        return true;
    };
    let steady = |rate: Rate| Rate {
        spread: 0.0,
        ..rate
    };
    rates
        .iter()
        .all(|rate| best.is_ahead_of(rate) == steady(best).is_ahead_of(&steady(*rate)))
}

/// Fewer tasks, but as many at once.
fn warm_up(plan: Plan) -> Plan {
    let at_once = u32::try_from(plan.concurrency).unwrap_or(u32::MAX);
    let tasks = (plan.tasks / WARM_UP_PART)
        .max(at_once)
        .clamp(1, plan.tasks);
    Plan { tasks, ..plan }
}

/// An entry, what it has done so far, and why it is out, if it is.
struct Candidate {
    entry: Entry,
    runs: Vec<Run>,
    out: Option<(String, bool)>,
}

impl Candidate {
    fn new(entry: Entry) -> Self {
        let refused = entry.contender.refuses(&entry.plan);
        Self {
            entry,
            runs: Vec::new(),
            out: refused.map(|reason| (reason, false)),
        }
    }

    /// One run of this plan, unless the candidate is out; one that fails is out from then on.
    fn run(&mut self, plan: &Plan, rounds: &Rounds, agreed: &mut Agreed, stage: &str) {
        if self.out.is_none() {
            let contender = self.entry.contender;
            rounds.progress.begin(plan, contender, stage);
            let run =
                measure(contender, plan, rounds.limit).and_then(|run| agreed.check(contender, run));
            match run {
                Ok(run) => self.runs.push(run),
                Err(failed) => self.out = Some((failed.to_string(), true)),
            }
        }
        rounds.progress.step();
    }

    /// The rate so far, unless the candidate is out. Python's models take part in fewer rounds and decide nothing here.
    fn rate(&self) -> Option<Rate> {
        let Entry {
            contender, plan, ..
        } = &self.entry;
        if self.out.is_some() || contender.language == Language::Python {
            return None;
        }
        Some(Row::of(*contender, plan, self.runs.clone())?.rate())
    }

    fn finish(self, results: &mut Results) {
        let Entry {
            contender, plan, ..
        } = self.entry;
        if let Some((reason, failed)) = self.out {
            results.left_out.push(LeftOut {
                workload: plan.workload,
                contender,
                concurrency: plan.concurrency,
                reason,
                failed,
            });
        } else {
            results.rows.extend(Row::of(contender, &plan, self.runs));
        }
    }
}

/// What each task must yield: what it yielded first, and who said so.
#[derive(Default)]
struct Agreed {
    checksums: HashMap<usize, (u64, Contender)>,
}

impl Agreed {
    fn check(&mut self, contender: Contender, run: Run) -> Result<Run, Failed> {
        for (task, &checksum) in run.checksums.iter().enumerate() {
            let (expected, by) = *self.checksums.entry(task).or_insert((checksum, contender));
            if checksum != expected {
                return Err(Failed::new(
                    format!("checking task {task} by {contender}"),
                    format!("its checksum is {checksum:016x}, and was {expected:016x} by {by}"),
                ));
            }
        }
        Ok(run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Model;

    fn run(checksums: &[u64]) -> Run {
        Run {
            checksums: checksums.to_vec(),
            ..Run::default()
        }
    }

    #[test]
    fn a_task_that_differs_is_named_with_who_said_otherwise() {
        let (serial, pool) = (
            Contender::rust(Model::Serial),
            Contender::rust(Model::ThreadPool),
        );
        let mut agreed = Agreed::default();
        agreed.check(serial, run(&[1, 2])).unwrap();
        agreed.check(pool, run(&[1, 2, 3])).unwrap();
        let failed = agreed.check(serial, run(&[1, 2, 4])).unwrap_err();
        assert_eq!(
            failed.to_string(),
            "checking task 2 by serial: its checksum is 0000000000000004, and was 0000000000000003 by thread-pool"
        );
    }

    #[test]
    fn rounds_end_when_noise_can_turn_nothing() {
        let plan = Plan::new(crate::Workload::Primes, 100);
        let candidate = |model, walls: &[f64]| {
            let entry = Entry {
                contender: Contender::rust(model),
                plan: plan.clone(),
                rounds: 3,
            };
            let mut candidate = Candidate::new(entry);
            let runs = walls.iter().map(|wall_s| Run {
                wall_s: *wall_s,
                ..Run::default()
            });
            candidate.runs.extend(runs);
            candidate
        };
        let first = || candidate(Model::ThreadPool, &[1.0, 1.0, 1.0]);
        let settled = |walls: &[f64]| is_settled(&[first(), candidate(Model::Prefork, walls)]);
        assert!(settled(&[1.05, 1.0, 1.5]), "within a tenth");
        assert!(settled(&[2.0, 2.0, 2.1]), "far behind, steadily");
        assert!(!settled(&[1.0, 1.3, 1.6]), "behind, within the noise");
        assert!(is_settled(&[first()]));
    }

    #[test]
    fn a_warm_up_is_shorter_and_as_wide() {
        let plan = Plan::new(crate::Workload::Echo, 400).with_concurrency(50);
        assert_eq!(warm_up(plan.clone()).tasks, 100);
        assert_eq!(
            warm_up(Plan {
                tasks: 120,
                ..plan.clone()
            })
            .tasks,
            50
        );
        assert_eq!(warm_up(Plan { tasks: 3, ..plan }).tasks, 3);
    }
}
