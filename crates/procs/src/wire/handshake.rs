//! The handshake: what a parent sends to a new child before anything else, and how the child refuses.
//!
//! Parent to child: the length (u32) of the [`Setup`], the set-up, the length (u64) of the arguments that it needs, the
//! arguments.

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{StartError, SystemError};
use crate::process::limits::RawLimit;
use crate::sys::Capabilities;
use crate::wire::codec;

/// How long a child may take to say that it is ready.
pub(crate) const START_DEADLINE: Duration = Duration::from_secs(10);

/// What a child must know before it can work.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Setup {
    /// The parent's build; the child's must be the same.
    pub(crate) build: u64,
    /// How many processes lie between the child and the program's first.
    pub(crate) depth: u32,
    /// The child's name.
    pub(crate) name: String,
    /// The parent's name.
    pub(crate) parent_name: String,
    /// The parent's capabilities, if it may read them. The child has no more.
    pub(crate) capabilities: Option<Capabilities>,
    /// What the system shall allow it.
    pub(crate) limits: Vec<RawLimit>,
    /// Which of the standard streams are replaced by the first descriptors that come with this.
    pub(crate) replaced: [bool; 3],
    /// What the child shall do.
    pub(crate) duty: Role,
}

/// What a child shall do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Role {
    /// Run one task and end.
    Once(TaskName),
    /// Run the initializer, if there is one, then tasks until it is told to stop. A memory descriptor follows.
    Pool(Option<TaskName>),
}

/// A task, with all that must agree on both sides.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TaskName {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) signature: String,
}

/// Why a child will not work.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Refusal {
    BuildDiffers,
    UnknownTask(String),
    NotOnMainThread,
    /// Its working directory, outputs or limits could not be set: the system's error number.
    SetupFailed(i32),
}

/// Why a child will not work.
pub(crate) fn refusal_of(payload: &[u8]) -> StartError {
    match codec::decode(payload) {
        Ok(Refusal::BuildDiffers) => StartError::BuildDiffers,
        Ok(Refusal::UnknownTask(name)) => StartError::UnknownTask(name),
        Ok(Refusal::NotOnMainThread) => StartError::NotOnMainThread,
        Ok(Refusal::SetupFailed(number)) => {
            let error = io::Error::from_raw_os_error(number);
            StartError::System(SystemError::new(
                "set the working directory, outputs or limits of a new process",
            )(error))
        }
        Err(_) => StartError::Garbled,
    }
}
