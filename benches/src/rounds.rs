//! Several contenders measured in turn, several times over.
//!
//! A machine that is busy with something else for a second must not decide who wins. So the contenders take turns:
//! each is measured once a round, every round begins with another one, and the median over the rounds is shown with
//! how far they were apart. One run each before the first round is not counted: it warms the caches up, and shows
//! who cannot run the plan at all.

use std::collections::HashMap;
use std::time::Duration;

use crate::measure::{Run, measure};
use crate::{Contender, Failed, LeftOut, Plan, Progress, Results, Row};

/// A run before the first round has this part of the tasks.
const WARM_UP_PART: u32 = 4;

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
            let first = round % field.len().max(1);
            field.rotate_left(first);
            for candidate in field
                .iter_mut()
                .filter(|candidate| candidate.entry.rounds > round)
            {
                let plan = candidate.entry.plan.clone();
                let stage = format!("round {} of {}", round + 1, candidate.entry.rounds);
                candidate.run(&plan, self, &mut agreed, &stage);
            }
            field.rotate_right(first);
        }
        let mut results = Results::default();
        for candidate in field {
            candidate.finish(&mut results);
        }
        results
    }

    /// Runs that measuring these entries takes.
    #[must_use]
    pub fn runs(entries: &[Entry]) -> usize {
        entries.iter().map(Entry::runs).sum()
    }
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
