//! Errors of starting processes and pools.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::process::status::ExitStatus;
use crate::wire::marker::INIT_TOO_LATE;

use super::{DecodeError, EncodeError, InvalidOption, Panicked, SystemError};

/// A child process did not become ready to work.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartError {
    /// It ended before it called [`init`](crate::init). The call must be the first thing in `main`, on every path.
    Ended(ExitStatus),
    /// It did not call [`init`](crate::init) within this time, and was killed. The call must be the first thing in `main`.
    TimedOut(Duration),
    /// It is another build of the program: the file was replaced. The program has to be restarted.
    BuildDiffers,
    /// It has no task of this name and signature: it is another program.
    UnknownTask(String),
    /// Its call of [`init`](crate::init) was not the first thing in `main`, on the main thread.
    NotOnMainThread,
    /// Its standard input was replaced before it called [`init`](crate::init), so that it could not reach its parent.
    InitTooLate,
    /// The pool's initializer panicked in it.
    Initializer(Panicked),
    /// It ended in the pool's initializer, by a signal or by an exit.
    InitializerDied(ExitStatus),
    /// The arguments of the pool's initializer could not be decoded in it.
    Decode(DecodeError),
    /// Its first message is none of this crate's: another part of the program has written to its socket.
    Garbled,
    /// The system refused to start it.
    System(SystemError),
}

impl StartError {
    /// The error of a process that ended before it was ready.
    pub(crate) fn of_early_end(status: ExitStatus) -> Self {
        if status.code() == Some(INIT_TOO_LATE) {
            Self::InitTooLate
        } else {
            Self::Ended(status)
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(status) => write!(
                f,
                "the new process ended before it called procs::init(): {status}"
            ),
            Self::TimedOut(limit) => write!(
                f,
                "the new process did not call procs::init() within {limit:?}, and was killed"
            ),
            Self::BuildDiffers => f.write_str("the new process runs another build of this program"),
            Self::UnknownTask(name) => write!(f, "the new process has no task {name}"),
            Self::NotOnMainThread => {
                f.write_str("the new process called procs::init() outside its main thread")
            }
            Self::InitTooLate => f.write_str(
                "the new process replaced its standard input before it called procs::init()",
            ),
            Self::Initializer(panic) => write!(f, "the pool's initializer failed: {panic}"),
            Self::InitializerDied(status) => {
                write!(f, "the worker ended in the pool's initializer: {status}")
            }
            Self::Decode(error) => {
                write!(
                    f,
                    "the arguments of the pool's initializer could not be decoded: {error}"
                )
            }
            Self::Garbled => f.write_str("the first message of the new process is not valid"),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Initializer(panic) => panic.source(),
            Self::Decode(error) => error.source(),
            Self::System(error) => error.source(),
            _ => None,
        }
    }
}

/// A process or pool could not be started.
///
/// `Debug` adds what to do where [`init`](crate::init) is missing, because `unwrap` shows it.
#[non_exhaustive]
pub enum SpawnError {
    /// This program has not called [`init`](crate::init), so that a child of it would run `main` instead of the task. Call it
    /// first in `main`, or write [`test_support!`](crate::test_support) in a test file.
    InitMissing,
    /// This process is itself such a child: it was started to run a task, and went past the place where
    /// [`init`](crate::init) should have been.
    InitSkipped,
    /// This process is such a child, and its standard input was replaced before [`init`](crate::init) was called.
    InitTooLate,
    /// Processes are nested too deeply; the limit is in the value.
    TooDeep(u32),
    /// A pool needs at least one worker.
    NoWorkers,
    /// Two tasks have this name, signature and place. They need different names.
    AmbiguousTask(&'static str),
    /// An environment variable or the working directory cannot be represented by the system.
    Invalid(InvalidOption),
    /// The arguments could not be encoded.
    Encode(EncodeError),
    /// A system call failed.
    System(SystemError),
    /// The new process did not become ready.
    Start(StartError),
    /// The workers of a pool were not ready within the time that [`build_for`](crate::PoolBuilder::build_for) was given.
    TimedOut,
}

impl fmt::Debug for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InitMissing => write!(
                f,
                "InitMissing ({self}: call it first in main, or write procs::test_support!() in a test file)"
            ),
            Self::InitSkipped => write!(f, "InitSkipped ({self}: call it first in main)"),
            Self::InitTooLate => write!(f, "InitTooLate ({self}: call it first in main)"),
            Self::TooDeep(limit) => f.debug_tuple("TooDeep").field(limit).finish(),
            Self::NoWorkers => f.write_str("NoWorkers"),
            Self::AmbiguousTask(name) => f.debug_tuple("AmbiguousTask").field(name).finish(),
            Self::Invalid(error) => f.debug_tuple("Invalid").field(error).finish(),
            Self::Encode(error) => f.debug_tuple("Encode").field(error).finish(),
            Self::System(error) => f.debug_tuple("System").field(error).finish(),
            Self::Start(error) => f.debug_tuple("Start").field(error).finish(),
            Self::TimedOut => f.write_str("TimedOut"),
        }
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InitMissing => f.write_str(
                "this program has not called procs::init()",
            ),
            Self::InitSkipped => f.write_str(
                "this process was started to run a task, and did not call procs::init()",
            ),
            Self::InitTooLate => f.write_str(
                "this process was started to run a task, and its standard input was replaced before it called procs::init()",
            ),
            Self::TooDeep(limit) => write!(f, "processes are nested {limit} deep, which is the limit"),
            Self::NoWorkers => f.write_str("a pool needs at least one worker"),
            Self::AmbiguousTask(name) => write!(f, "two tasks have the name {name}"),
            Self::Invalid(error) => error.fmt(f),
            Self::Encode(error) => error.fmt(f),
            Self::System(error) => error.fmt(f),
            Self::Start(error) => error.fmt(f),
            Self::TimedOut => f.write_str("the workers were not ready in time"),
        }
    }
}

impl Error for SpawnError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Invalid(error) => error.source(),
            Self::Encode(error) => error.source(),
            Self::System(error) => error.source(),
            Self::Start(error) => error.source(),
            _ => None,
        }
    }
}

impl From<SystemError> for SpawnError {
    fn from(error: SystemError) -> Self {
        Self::System(error)
    }
}

impl From<InvalidOption> for SpawnError {
    fn from(error: InvalidOption) -> Self {
        Self::Invalid(error)
    }
}

impl From<EncodeError> for SpawnError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl From<SystemError> for StartError {
    fn from(error: SystemError) -> Self {
        Self::System(error)
    }
}

impl From<StartError> for SpawnError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::System(error) => Self::System(error),
            error => Self::Start(error),
        }
    }
}
