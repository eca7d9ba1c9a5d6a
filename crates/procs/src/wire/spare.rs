//! What passes between this process, its fork server and the spares of that.
//!
//! A *spare* is a duplicate of the fork server that waits for its hand-over.
//!
//! | from | to | bytes | descriptors |
//! |---|---|---|---|
//! | process | fork server | an [`Order`] | of a guard: the program's pidfd |
//! | fork server | process | the spare's process id, or a negative error number (i32) | the spare's pidfd, the process's end of the spare's socket |
//! | process | spare | the length (u32) and the bytes of a [`HandOver`], then the handshake | standard output and error |

use serde::{Deserialize, Serialize};

/// What a process wants of its fork server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// One more spare.
    Spare,
    /// The end of a program and its descendants when the ordering process ends.
    Guard { pid: u32 },
    /// The end of the server once the programs that it guards have ended.
    Retire,
}

/// The length of an order in bytes.
pub(crate) const ORDER_SIZE: usize = 5;

impl Order {
    pub(crate) fn to_bytes(self) -> [u8; ORDER_SIZE] {
        let (kind, pid) = match self {
            Self::Spare => (b'S', 0),
            Self::Guard { pid } => (b'G', pid),
            Self::Retire => (b'R', 0),
        };
        let [a, b, c, d] = pid.to_le_bytes();
        [kind, a, b, c, d]
    }

    /// `None`: these bytes are no order.
    pub(crate) fn from_bytes([kind, pid @ ..]: [u8; ORDER_SIZE]) -> Option<Self> {
        match kind {
            b'S' => Some(Self::Spare),
            b'G' => Some(Self::Guard {
                pid: u32::from_le_bytes(pid),
            }),
            b'R' => Some(Self::Retire),
            _ => None,
        }
    }
}

/// What a spare takes over from the process that starts it. Descriptors come with it.
#[derive(Serialize, Deserialize)]
pub(crate) struct HandOver {
    /// The name that tools show.
    pub(crate) name: String,
    /// Changes to the environment with which the server was started.
    pub(crate) env: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// The working directory, if it is not the server's.
    pub(crate) cwd: Option<Vec<u8>>,
    /// Whether standard output and standard error are among the descriptors.
    pub(crate) outputs: [bool; 2],
}

/// Has the dynamic linker resolve everything at once: what the server has not resolved, each duplicate would.
pub(crate) const EAGER: &str = "LD_BIND_NOW";

/// The value that tells the server that its duplicates are not to inherit [`EAGER`].
pub(crate) const OURS: &str = "procs";
