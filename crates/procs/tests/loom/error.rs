//! Stands for the errors of a pool's jobs.

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum JobError {
    Closed,
}

#[derive(Clone, Debug)]
pub(crate) struct StartError;
