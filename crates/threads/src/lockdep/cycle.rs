//! What is reported.

use std::fmt;
use std::panic::Location;

/// Locks that were taken in orders that may deadlock: each step's thread holds what the step before waits
/// for, and the first step's thread holds what the last one waits for.
#[derive(Debug, Clone)]
pub struct Cycle {
    pub(super) steps: Vec<Step>,
}

/// One wait for a lock by a thread that holds another.
#[derive(Debug, Clone)]
pub struct Step {
    pub(super) thread: String,
    pub(super) held_at: &'static Location<'static>,
    pub(super) wanted_at: &'static Location<'static>,
}

impl Cycle {
    /// The waits that make the circle; the first is the one that closed it, by the calling thread.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

impl Step {
    /// The name of the thread.
    #[must_use]
    pub fn thread(&self) -> &str {
        &self.thread
    }

    /// Where the thread took the lock that it held.
    #[must_use]
    pub fn held_at(&self) -> &'static Location<'static> {
        self.held_at
    }

    /// Where the thread went to wait for the next lock.
    #[must_use]
    pub fn wanted_at(&self) -> &'static Location<'static> {
        self.wanted_at
    }
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these orders of taking locks may deadlock; take the locks in one order:")?;
        self.steps
            .iter()
            .try_for_each(|step| write!(f, "\n  {step}"))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "thread {:?} took a lock at {} and then wanted the next at {}",
            self.thread, self.held_at, self.wanted_at
        )
    }
}
