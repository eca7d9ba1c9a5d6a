//! The handshake: the first message from a parent to a new child, and the child's refusal.
//!
//! Parent to child: the length (u32) of the [`Setup`], the set-up, the length (u64) of the arguments of the task or of the
//! initializer, the arguments.

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{StartError, SystemError};
use crate::process::limits::RawLimit;
use crate::sys::Capabilities;
use crate::wire::codec;

/// Time limit of a child from its start to the record `Ready`.
pub(crate) const START_DEADLINE: Duration = Duration::from_secs(10);

/// Attributes and role of a child.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Setup {
    /// The parent's build; the child's must be the same.
    pub(crate) build: u64,
    /// Depth of nesting: 1 for a child of the program's first process.
    pub(crate) depth: u32,
    /// The child's name.
    pub(crate) name: String,
    /// The parent's name.
    pub(crate) parent_name: String,
    /// The parent's capabilities, if it may read them: the child gives up all others.
    pub(crate) capabilities: Option<Capabilities>,
    /// Resource limits of the child.
    pub(crate) limits: Vec<RawLimit>,
    /// The process group that the child joins; `None`: it leads one of its own.
    pub(crate) group: Option<u32>,
    /// Which standard streams the first descriptors of the message replace.
    pub(crate) replaced: [bool; 3],
    pub(crate) role: Role,
}

/// Purpose of a child.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Role {
    /// Runs one task and exits.
    Once(TaskName),
    /// Runs the initializer, if there is one, and then tasks until the frame `STOP`. The journal's descriptor comes with
    /// the handshake.
    Pool(Option<TaskName>),
}

/// A task by id, name and signature, all of which must agree on both sides.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TaskName {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) signature: String,
}

/// Reason why a child does not serve.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Refusal {
    BuildDiffers,
    UnknownTask(String),
    NotOnMainThread,
    /// Its working directory, outputs, limits or process group could not be set: the system's error number.
    SetupFailed(i32),
}

/// Decodes a refusal from a record's payload.
pub(crate) fn refusal_of(payload: &[u8]) -> StartError {
    match codec::decode(payload) {
        Ok(Refusal::BuildDiffers) => StartError::BuildDiffers,
        Ok(Refusal::UnknownTask(name)) => StartError::UnknownTask(name),
        Ok(Refusal::NotOnMainThread) => StartError::NotOnMainThread,
        Ok(Refusal::SetupFailed(number)) => {
            let error = io::Error::from_raw_os_error(number);
            StartError::System(SystemError::new(
                "set the working directory, outputs, limits or process group of a new process",
            )(error))
        }
        Err(_) => StartError::Garbled,
    }
}
