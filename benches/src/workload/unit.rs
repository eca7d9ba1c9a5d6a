//! One task of a workload: what it is made of, and three ways to run it.

use std::path::PathBuf;
use std::time::Duration;

use coroutines::Co;
use serde::{Deserialize, Serialize};

use super::part::Part;
use super::{Buffer, Chain, File, Pi, Primes, Turn, Workload, echo, http, mix};
use crate::tape::Tape;
use crate::{Failed, Mix, Outcome, Plan, Services, clock};

/// Numbers that a `primes` task looks through: about 2 ms of work.
const PRIMES_WIDTH: u64 = 8_192;
/// What the service of `echo` takes to answer.
const ECHO: Duration = Duration::from_millis(20);
/// What `ab` computes for each of its three words, in links of a chain, and how long it waits after it.
const AB: (u32, Duration) = (256, Duration::from_millis(5));
const AB_WORDS: usize = 3;

/// One task, small enough to be sent to another process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Unit {
    workload: Workload,
    mix: Mix,
    index: u32,
    services: Option<Services>,
    folder: Option<PathBuf>,
    traced: bool,
    handed_over_ns: u64,
}

impl Unit {
    /// The plan's task with this number, handed over now: its latency counts from here.
    pub(crate) fn hand_over(plan: &Plan, index: u32) -> Self {
        Self {
            workload: plan.workload,
            mix: plan.mix,
            index,
            services: plan.services,
            folder: plan.folder.clone(),
            traced: plan.traced,
            handed_over_ns: clock::now_ns(),
        }
    }

    fn parts(&self) -> Result<Vec<Part>, Failed> {
        let compute = |links| Part::Compute(Box::new(Chain::task(self.index, links)));
        Ok(match self.workload {
            Workload::Pi => vec![Part::Compute(Box::new(Pi::task(self.index)))],
            Workload::Primes => {
                vec![Part::Compute(Box::new(Primes::task(
                    self.index,
                    PRIMES_WIDTH,
                )))]
            }
            Workload::Sha256 => vec![Part::Compute(Box::new(Buffer::task(self.index)))],
            Workload::Echo => vec![self.ask_echo(ECHO)?],
            Workload::Http => vec![Part::Ask(http::ask(self.index, self.services()?.http))],
            Workload::Fsync => vec![Part::Write(self.file()?)],
            Workload::Mixed => {
                let mut parts = Vec::with_capacity(2);
                if self.mix.links > 0 {
                    parts.push(compute(self.mix.links));
                }
                if self.mix.io_us > 0 {
                    parts.push(self.ask_echo(Duration::from_micros(self.mix.io_us.into()))?);
                }
                parts
            }
            Workload::Ab => (0..AB_WORDS)
                .flat_map(|_| [compute(AB.0), Part::Pause(AB.1)])
                .collect(),
        })
    }

    fn ask_echo(&self, delay: Duration) -> Result<Part, Failed> {
        Ok(Part::Ask(echo::ask(
            self.index,
            delay,
            self.services()?.echo,
        )))
    }

    fn services(&self) -> Result<Services, Failed> {
        self.services
            .ok_or_else(|| self.lacks("its service was not started"))
    }

    fn file(&self) -> Result<File, Failed> {
        let folder = self.folder.as_ref();
        let folder = folder.ok_or_else(|| self.lacks("it has no folder for its files"))?;
        Ok(File {
            path: folder.join(format!("task-{}", self.index)),
            index: self.index,
        })
    }

    fn lacks(&self, what: &str) -> Failed {
        Failed::new(format!("running {}", self.workload), what)
    }

    fn outcome(&self, checksum: u64, tape: Tape) -> Outcome {
        Outcome {
            index: self.index,
            checksum,
            latency_ns: clock::now_ns().saturating_sub(self.handed_over_ns),
            trace: tape.into_trace(),
        }
    }

    /// Runs the task on the calling thread, which blocks while the task waits.
    pub fn blocking(self) -> Result<Outcome, Failed> {
        let (mut checksum, mut tape) = (0, Tape::new(self.traced));
        for part in self.parts()? {
            checksum = mix(checksum, part.blocking(&mut tape)?);
        }
        Ok(self.outcome(checksum, tape))
    }

    /// Runs the task as a coroutine that yields after every step and whenever it would wait.
    pub async fn polled(self, co: &mut Co<'_, Turn>) -> Result<Outcome, Failed> {
        let (mut checksum, mut tape) = (0, Tape::new(self.traced));
        for part in self.parts()? {
            checksum = mix(checksum, part.polled(co, &mut tape).await?);
        }
        Ok(self.outcome(checksum, tape))
    }

    /// Runs the task on the event loop. Its computation holds the loop up, as any does; only its
    /// waiting is suspended.
    pub async fn awaited(self) -> Result<Outcome, Failed> {
        let (mut checksum, mut tape) = (0, Tape::new(self.traced));
        for part in self.parts()? {
            checksum = mix(checksum, part.awaited(&mut tape).await?);
        }
        Ok(self.outcome(checksum, tape))
    }
}
