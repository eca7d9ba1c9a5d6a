//! What the fork server is asked for.

use serde::{Deserialize, Serialize};

/// What a new process is to have; its descriptors come with it.
#[derive(Serialize, Deserialize)]
pub(crate) struct ForkRequest {
    /// What tools shall show.
    pub(crate) name: String,
    /// Changes to the environment with which the server was started.
    pub(crate) env: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub(crate) cwd: Option<Vec<u8>>,
    /// Whether standard output and standard error are among the descriptors.
    pub(crate) outputs: [bool; 2],
}

/// Has the dynamic linker resolve everything at once: what the server has not resolved, each duplicate would.
pub(crate) const EAGER: &str = "LD_BIND_NOW";

/// The value by which the server knows that its duplicates are not to inherit that.
pub(crate) const OURS: &str = "procs";
