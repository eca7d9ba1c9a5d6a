//! What tasks are made of: a computation, a question to a service, a file, a pause.
//!
//! Each part can be done in three ways, which differ only in how they wait: blocking the thread, giving other
//! coroutines their turn and looking again later, or suspended until the event loop has news.

use std::time::{Duration, Instant};

use coroutines::Co;

use super::{Computation, Exchange, File, Turn};
use crate::tape::{Tape, What};
use crate::{Failed, clock};

/// One part of a task.
pub enum Part {
    /// Uses a processor.
    Compute(Box<dyn Computation>),
    /// Waits for a service.
    Ask(Exchange),
    /// Waits for a disk.
    Write(File),
    /// Waits for a time to pass.
    Pause(Duration),
}

impl Part {
    fn what(&self) -> What {
        match self {
            Self::Compute(_) => What::Run,
            Self::Ask(_) | Self::Write(_) | Self::Pause(_) => What::Wait,
        }
    }

    /// Does it on the calling thread, which blocks while it waits.
    pub fn blocking(self, tape: &mut Tape) -> Result<u64, Failed> {
        let (what, begin) = (self.what(), clock::now_ns());
        let done = match self {
            Self::Compute(computation) => Ok(compute(computation)),
            Self::Ask(exchange) => exchange.blocking(),
            Self::Write(file) => file.blocking(),
            Self::Pause(time) => {
                std::thread::sleep(time);
                Ok(0)
            }
        };
        tape.record(what, begin);
        done
    }

    /// Does it in steps, and yields after each and whenever it would wait.
    ///
    /// The kernel knows no file that is not ready, so writing one holds up all coroutines.
    pub async fn polled(self, co: &mut Co<'_, Turn>, tape: &mut Tape) -> Result<u64, Failed> {
        let (what, begin) = (self.what(), clock::now_ns());
        let done = match self {
            Self::Compute(computation) => return Ok(compute_in_turns(computation, co, tape).await),
            Self::Ask(exchange) => exchange.polled(co).await,
            Self::Write(file) => file.blocking(),
            Self::Pause(time) => {
                let end = Instant::now() + time;
                while Instant::now() < end {
                    co.yield_(Turn::Waited).await;
                }
                Ok(0)
            }
        };
        tape.record(what, begin);
        done
    }

    /// Does it on the event loop, which a computation holds up, as any does. A file is written on a thread of the
    /// loop's pool.
    pub async fn awaited(self, tape: &mut Tape) -> Result<u64, Failed> {
        let (what, begin) = (self.what(), clock::now_ns());
        let done = match self {
            Self::Compute(computation) => Ok(compute(computation)),
            Self::Ask(exchange) => exchange.awaited().await,
            Self::Write(file) => file.awaited().await,
            Self::Pause(time) => {
                aio::sleep(time).await;
                Ok(0)
            }
        };
        tape.record(what, begin);
        done
    }
}

fn compute(mut computation: Box<dyn Computation>) -> u64 {
    while computation.step() {}
    computation.checksum()
}

async fn compute_in_turns(
    mut computation: Box<dyn Computation>,
    co: &mut Co<'_, Turn>,
    tape: &mut Tape,
) -> u64 {
    loop {
        let begin = clock::now_ns();
        let more = computation.step();
        tape.record(What::Run, begin);
        if !more {
            return computation.checksum();
        }
        co.yield_(Turn::Worked).await;
    }
}
