//! The protocol of a process, its fork server and the server's spares.
//!
//! A *spare* is a clone of the fork server that waits for its hand-over.
//!
//! | from | to | bytes | descriptors |
//! |---|---|---|---|
//! | process | fork server | an [`Order`] | of a guard: the program's pidfd |
//! | fork server | process | the spare's process id, or a negative error number (i32) | the spare's pidfd, the process's end of the spare's socket |
//! | process | spare | the length (u32) and the bytes of a [`HandOver`], then the handshake | standard output and error |

use serde::{Deserialize, Serialize};

/// A request of a process to its fork server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Make one more spare.
    Spare,
    /// Kill a program and its descendants when the ordering process ends.
    Guard { pid: u32 },
    /// Exit once the guarded programs have ended.
    Retire,
}

/// Size of an order in bytes.
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

    /// Decodes an order. `None`: the bytes are no order.
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

/// Attributes that a spare takes over from the process that starts it. Descriptors come with it.
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

/// Name of a fork server that tools show. A new spare has it too.
pub(crate) const SERVER_NAME: &str = "procs-forks";

/// Name of a spare that tools show, until its hand-over.
pub(crate) const SPARE_NAME: &str = "procs-spare";

/// Environment variable that makes the dynamic linker resolve all symbols at once, so that no spare has to.
pub(crate) const BIND_NOW: &str = "LD_BIND_NOW";

/// Value of [`BIND_NOW`] when this crate has set it: the server then removes it, so that spares do not inherit it.
pub(crate) const SET_BY_PROCS: &str = "procs";
