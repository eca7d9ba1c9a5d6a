//! Every error of the crate.
//!
//! `Display` prints the whole reason, that of a wrapped error included. [`source`](std::error::Error::source) returns only
//! what is not printed, so that reporters that walk the chain print no text twice.

mod command;
mod exchange;
mod fork;
mod invalid;
mod job;
mod manager;
mod panicked;
mod process;
mod queue;
mod signal;
mod start;
mod sync;
mod system;
mod value;

pub use command::CommandError;
pub use exchange::{ReceiveError, SendError};
pub use fork::ForkError;
pub use invalid::InvalidOption;
pub(crate) use invalid::check_variable;
pub use job::{JobError, SubmitError, TimedOut};
pub use manager::ManagerError;
pub use panicked::Panicked;
pub use process::ProcessError;
pub use queue::{GetError, PutError, TaskDoneError, WaitError};
pub use signal::SignalError;
pub use start::{SpawnError, StartError};
pub use sync::{BarrierError, ConditionError, CreateError, EventError, LockError, ReleaseError};
pub use system::SystemError;
pub use value::{DecodeError, EncodeError};
