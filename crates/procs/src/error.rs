//! Every error of the crate.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::status::{ExitStatus, ResourceUsage};

/// A system call failed.
///
/// Names the call and what it was for; the system's own error is the [`source`](Error::source).
#[derive(Clone, Debug)]
pub struct SystemError {
    doing: &'static str,
    source: Arc<io::Error>,
}

impl SystemError {
    pub(crate) fn new(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self {
            doing,
            source: Arc::new(source),
        }
    }

    /// Whether the machine or a limit has run out of something: descriptors, processes, memory. It may be worth trying
    /// again once something has been released.
    pub fn is_exhausted(&self) -> bool {
        matches!(
            self.source.raw_os_error(),
            Some(libc::EMFILE | libc::ENFILE | libc::EAGAIN | libc::ENOMEM)
        )
    }

    /// The system's error number, if it gave one.
    pub fn raw_os_error(&self) -> Option<i32> {
        self.source.raw_os_error()
    }
}

impl fmt::Display for SystemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}: {}", self.doing, self.source)?;
        match self.source.raw_os_error() {
            Some(libc::EMFILE) => {
                f.write_str("; raise the limit of open files (ulimit -n) or close some")
            }
            Some(libc::EAGAIN) => {
                f.write_str("; raise the limit of processes (ulimit -u) or start fewer")
            }
            _ => Ok(()),
        }
    }
}

impl Error for SystemError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// Equal when the same call failed with the same error number.
impl PartialEq for SystemError {
    fn eq(&self, other: &Self) -> bool {
        self.doing == other.doing
            && self.source.kind() == other.source.kind()
            && self.raw_os_error() == other.raw_os_error()
    }
}

impl Eq for SystemError {}

/// A value could not be turned into bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodeError {
    text: String,
}

impl EncodeError {
    pub(crate) fn new(type_name: &str, reason: String) -> Self {
        Self {
            text: format!("a value of type {type_name} cannot be sent: {reason}"),
        }
    }

    pub(crate) fn from_text(text: String) -> Self {
        Self { text }
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for EncodeError {}

/// Bytes could not be turned back into a value: its `Serialize` and `Deserialize` do not agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    text: String,
}

impl DecodeError {
    pub(crate) fn new(type_name: &str, reason: String) -> Self {
        Self {
            text: format!("a value of type {type_name} arrived but cannot be read: {reason}"),
        }
    }

    pub(crate) fn from_text(text: String) -> Self {
        Self { text }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for DecodeError {}

/// A task panicked. The panic came back from the other process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panicked {
    message: String,
    location: Option<String>,
    backtrace: Option<String>,
}

impl Panicked {
    pub(crate) fn new(
        message: String,
        location: Option<String>,
        backtrace: Option<String>,
    ) -> Self {
        Self {
            message,
            location,
            backtrace,
        }
    }

    /// What the panic said.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The place in the source, as `file:line:column`.
    pub fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }

    /// The stack of the other process at the panic. Absent when `RUST_BACKTRACE=0` forbids it.
    pub fn backtrace(&self) -> Option<&str> {
        self.backtrace.as_deref()
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the task panicked: {}", self.message)?;
        match &self.location {
            Some(location) => write!(f, " (at {location})"),
            None => Ok(()),
        }
    }
}

impl Error for Panicked {}

/// A child process did not become ready to work.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartError {
    /// It ended before it called [`init`](crate::init).
    Ended(ExitStatus),
    /// It did not call [`init`](crate::init) within this time, and was killed.
    TimedOut(Duration),
    /// It is another build of the program.
    BuildDiffers,
    /// It does not know the task: it is not the program that asked.
    UnknownTask(String),
    /// Its call of [`init`](crate::init) was not the first thing in `main`, on the main thread.
    NotOnMainThread,
    /// The pool's initializer panicked in it.
    Initializer(Panicked),
    /// Its first message made no sense.
    Garbled,
    /// The system refused to start it.
    System(SystemError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(status) => write!(
                f,
                "the new process ended before it was ready ({status}): call procs::init() first in main, on every path"
            ),
            Self::TimedOut(limit) => write!(
                f,
                "the new process was not ready after {limit:?}, and was killed: call procs::init() first in main"
            ),
            Self::BuildDiffers => f.write_str(
                "the new process runs another build of this program: restart the program",
            ),
            Self::UnknownTask(name) => write!(
                f,
                "the new process does not know the task {name}: restart the program"
            ),
            Self::NotOnMainThread => {
                f.write_str("procs::init() must be called on the main thread, first in main")
            }
            Self::Initializer(panic) => write!(f, "the pool's initializer failed: {panic}"),
            Self::Garbled => f.write_str(
                "the new process did not speak our language: something wrote to its socket",
            ),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Initializer(panic) => Some(panic),
            Self::System(error) => Some(error),
            _ => None,
        }
    }
}

/// A process or pool could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum SpawnError {
    /// This program never called [`init`](crate::init), so a child of it would run `main` instead of the task.
    InitMissing,
    /// This process is itself such a child: it was started to run a task, and went past the place where
    /// [`init`](crate::init) should have been.
    InitSkipped,
    /// Processes are nested too deeply; the limit is in the value.
    TooDeep(u32),
    /// A pool needs at least one worker.
    NoWorkers,
    /// Two tasks have this name, signature and place, so that it is unclear which is meant.
    AmbiguousTask(&'static str),
    /// The arguments could not be encoded.
    Encode(EncodeError),
    /// A system call failed.
    System(SystemError),
    /// The new process did not become ready.
    Start(StartError),
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InitMissing => f.write_str(
                "procs::init() has not been called: call it first in main, or write procs::test_support!() in a test file",
            ),
            Self::InitSkipped => f.write_str(
                "this process was started to run a task, but main did not call procs::init() first; nothing was started",
            ),
            Self::TooDeep(limit) => write!(f, "processes are nested {limit} deep, which is the limit"),
            Self::NoWorkers => f.write_str("a pool needs at least one worker"),
            Self::AmbiguousTask(name) => write!(f, "two tasks are called {name}: give them different names"),
            Self::Encode(error) => error.fmt(f),
            Self::System(error) => error.fmt(f),
            Self::Start(error) => error.fmt(f),
        }
    }
}

impl Error for SpawnError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Encode(error) => Some(error),
            Self::System(error) => Some(error),
            Self::Start(error) => Some(error),
            _ => None,
        }
    }
}

impl From<SystemError> for SpawnError {
    fn from(error: SystemError) -> Self {
        Self::System(error)
    }
}

impl From<EncodeError> for SpawnError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

/// A process gave no result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProcessError {
    /// The task panicked.
    Panicked(Panicked),
    /// The process ended before the task did: it was killed, it aborted, or the task called `exit`.
    #[non_exhaustive]
    Died {
        /// Its process id.
        pid: u32,
        /// The signal that killed it.
        signal: Option<i32>,
        /// The code with which it exited.
        code: Option<i32>,
        /// What it had used up: its peak memory tells whether it was killed for want of that.
        usage: ResourceUsage,
    },
    /// The process never became ready to run the task.
    Start(StartError),
    /// The task's result could not be encoded.
    Encode(EncodeError),
    /// The arguments, or the result, could not be decoded.
    Decode(DecodeError),
    /// The time to wait is over; the process still runs, and can be waited for again.
    TimedOut,
    /// An earlier call has returned the result.
    AlreadyJoined,
}

impl fmt::Display for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(panic) => panic.fmt(f),
            Self::Died {
                pid,
                signal,
                code,
                usage: _,
            } => {
                write!(
                    f,
                    "process {pid} died before its task ended: {}",
                    describe(*code, *signal)
                )
            }
            Self::Start(error) => error.fmt(f),
            Self::Encode(error) => error.fmt(f),
            Self::Decode(error) => error.fmt(f),
            Self::TimedOut => f.write_str("the process still runs: wait longer, or terminate it"),
            Self::AlreadyJoined => {
                f.write_str("the result was taken by an earlier join: keep it there")
            }
        }
    }
}

impl Error for ProcessError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Panicked(panic) => Some(panic),
            Self::Start(error) => Some(error),
            Self::Encode(error) => Some(error),
            Self::Decode(error) => Some(error),
            _ => None,
        }
    }
}

fn describe(code: Option<i32>, signal: Option<i32>) -> String {
    match (code, signal) {
        (Some(code), _) => ExitStatus::new(Ok(code)).to_string(),
        (None, Some(signal)) => ExitStatus::new(Err(signal)).to_string(),
        (None, None) => ExitStatus::UNKNOWN.to_string(),
    }
}

/// A job of a pool gave no result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobError {
    /// The task panicked; its worker goes on.
    Panicked(Panicked),
    /// The job was cancelled before a worker had it.
    Cancelled,
    /// The pool was closed before the job was submitted, or terminated before it was done.
    Closed,
    /// The time to wait is over; the job goes on, and can be waited for again.
    TimedOut,
    /// The task ran longer than the pool's task timeout, and its worker was killed.
    #[non_exhaustive]
    TaskTimedOut {
        /// The pool's limit.
        limit: Duration,
        /// The worker that was killed.
        pid: u32,
    },
    /// The worker died while it ran this task. Other tasks are not affected, and the worker is replaced.
    #[non_exhaustive]
    WorkerDied {
        /// The worker's process id.
        pid: u32,
        /// The signal that killed it.
        signal: Option<i32>,
        /// The code with which it exited.
        code: Option<i32>,
        /// What it had used up: its peak memory tells whether it was killed for want of that.
        usage: ResourceUsage,
    },
    /// The pool's workers failed to start again and again, and it gave up.
    Broken(StartError),
    /// The arguments or the result could not be encoded.
    Encode(EncodeError),
    /// The arguments or the result could not be decoded.
    Decode(DecodeError),
    /// An earlier call has returned the result.
    AlreadyTaken,
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(panic) => panic.fmt(f),
            Self::Cancelled => f.write_str("the job was cancelled before it began"),
            Self::Closed => f.write_str(
                "the pool is closed: submit before you close, and join before you terminate",
            ),
            Self::TimedOut => f.write_str("the job is not done yet: wait longer, or cancel it"),
            Self::TaskTimedOut { limit, pid } => {
                write!(
                    f,
                    "the task ran longer than {limit:?}, and its worker {pid} was killed"
                )
            }
            Self::WorkerDied {
                pid,
                signal,
                code,
                usage: _,
            } => {
                write!(
                    f,
                    "worker {pid} died while it ran this task: {}",
                    describe(*code, *signal)
                )
            }
            Self::Broken(error) => write!(
                f,
                "the pool gave up, because its workers do not start: {error}"
            ),
            Self::Encode(error) => error.fmt(f),
            Self::Decode(error) => error.fmt(f),
            Self::AlreadyTaken => {
                f.write_str("the result was taken by an earlier call: keep it there")
            }
        }
    }
}

impl Error for JobError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Panicked(panic) => Some(panic),
            Self::Broken(error) => Some(error),
            Self::Encode(error) => Some(error),
            Self::Decode(error) => Some(error),
            _ => None,
        }
    }
}

/// The time to wait is over; what was waited for goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time to wait is over: wait longer, or terminate")
    }
}

impl Error for TimedOut {}

/// This process could not be duplicated, or the duplicate not be waited for.
#[derive(Debug)]
#[non_exhaustive]
pub enum ForkError {
    /// This process has several threads (their number is in the value), of which the child would have one, together
    /// with whatever locks the others held.
    SeveralThreads(usize),
    /// The time to wait is over; the child still runs.
    TimedOut,
    /// A system call failed.
    System(SystemError),
}

impl fmt::Display for ForkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SeveralThreads(count) => {
                write!(
                    f,
                    "this process has {count} threads: fork before you start others, or use procs::spawn"
                )
            }
            Self::TimedOut => f.write_str("the child still runs: wait longer, or terminate it"),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl Error for ForkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::System(error) => Some(error),
            _ => None,
        }
    }
}

impl From<SystemError> for ForkError {
    fn from(error: SystemError) -> Self {
        Self::System(error)
    }
}
