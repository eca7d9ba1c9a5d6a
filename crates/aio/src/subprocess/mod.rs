//! Other programs: their input and output as streams, their end to await.

mod command;
mod pipe;
mod process;

pub use command::{Subprocess, create_subprocess_exec, create_subprocess_shell};
pub use process::Process;
