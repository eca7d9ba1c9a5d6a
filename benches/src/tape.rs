//! What a task did when, for those who want to see it.

use serde::{Deserialize, Serialize};

use crate::clock;

/// Spans of the same kind that are closer than this are one: nobody can see the gap.
const SEAM_NS: u64 = 20_000;

/// What a task did for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// It used a processor, or wanted to.
    Run,
    /// It waited for a service, a disk or a time.
    Wait,
}

/// What a task did from one moment to another, on the clock of [`clock::now_ns`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// What it did.
    pub what: What,
    /// When it began.
    pub begin_ns: u64,
    /// When it ended.
    pub end_ns: u64,
}

/// Where a task was, and what it did there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// The process's number.
    pub process: u32,
    /// The kernel's number of the thread.
    pub thread: u64,
    /// What it did, in the order of time.
    pub spans: Vec<Span>,
}

/// Records what a task does, or nothing when nobody wants to see it.
#[derive(Debug, Default)]
pub struct Tape(Option<Trace>);

impl Tape {
    /// A tape that records when `on`; it belongs to the calling thread.
    pub fn new(on: bool) -> Self {
        Self(on.then(|| Trace {
            process: std::process::id(),
            thread: threads::current().native_id().unwrap_or(0),
            spans: Vec::new(),
        }))
    }

    /// The task has done this since `begin_ns`.
    pub fn record(&mut self, what: What, begin_ns: u64) {
        let Some(Trace { spans, .. }) = &mut self.0 else {
            return;
        };
        let end_ns = clock::now_ns();
        match spans.last_mut() {
            Some(last) if last.what == what && begin_ns < last.end_ns + SEAM_NS => {
                last.end_ns = end_ns;
            }
            _ => spans.push(Span {
                what,
                begin_ns,
                end_ns,
            }),
        }
    }

    /// What was recorded.
    pub fn into_trace(self) -> Option<Trace> {
        self.0
    }
}
