//! How several loops fail together.

use std::{error::Error, fmt};

use super::RunError;

/// Why [`run_per_core`](crate::run_per_core) or [`run_loops`](crate::run_loops) gave no results.
#[derive(Debug)]
pub enum PerCoreError<E> {
    /// An event loop already runs on this thread, and waiting for others would hold it up.
    AlreadyRunning,
    /// Loops failed: all of their failures, the one that came first at the front.
    Failed(Vec<LoopFailure<E>>),
}

impl<E: fmt::Display> fmt::Display for PerCoreError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PerCoreError::AlreadyRunning => f.write_str(
                "an event loop already runs on this thread: call this from a thread without one, or in to_thread()",
            ),
            PerCoreError::Failed(failures) => {
                let mut between = "";
                failures.iter().try_for_each(|failure| {
                    write!(f, "{between}{failure}")?;
                    between = "; ";
                    Ok(())
                })
            }
        }
    }
}

impl<E: fmt::Debug + fmt::Display> Error for PerCoreError<E> {}

/// How one of several loops failed.
#[derive(Debug)]
pub struct LoopFailure<E> {
    /// Which loop: its [`Core::index`](crate::Core::index).
    pub index: usize,
    /// What happened there.
    pub cause: FailureCause<E>,
}

/// What made one of several loops fail.
#[derive(Debug)]
pub enum FailureCause<E> {
    /// Its main coroutine returned this error.
    Error(E),
    /// Its main coroutine panicked, was cancelled or stopped its loop; or the system refused a thread or descriptors.
    Run(RunError),
}

impl<E: fmt::Display> fmt::Display for LoopFailure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loop {}: ", self.index)?;
        match &self.cause {
            FailureCause::Error(error) => error.fmt(f),
            FailureCause::Run(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> Error for LoopFailure<E> {}
