//! One function in one new process: start it, wait for it, stop it.

pub(crate) mod builder;
pub(crate) mod cpu;
pub(crate) mod descendants;
pub(crate) mod fork;
pub(crate) mod group;
pub(crate) mod info;
pub(crate) mod limits;
pub(crate) mod signal;
pub(crate) mod status;
pub(crate) mod stdio;

use std::fmt;
use std::io::{PipeReader, PipeWriter};
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use crate::error::{ProcessError, SignalError, SpawnError};
use crate::process::builder::ProcessBuilder;
use crate::process::status::ExitStatus;
use crate::process::stdio::Pipes;
use crate::sys::{self, SIGTERM};
use crate::task::Task;
use crate::wire::codec;

/// The encoded result of a task, or why there is none.
pub(crate) type Outcome = Result<Vec<u8>, ProcessError>;

/// Upper bound of the time between the end of a process and its publication by the monitor.
const PUBLICATION_LIMIT: Duration = Duration::from_secs(5);

/// State of a process, shared by its handle and the monitor.
pub(crate) struct ProcessState {
    pid: u32,
    pidfd: OwnedFd,
    end: Mutex<End>,
    ended: Condvar,
}

#[derive(Default)]
struct End {
    status: Option<ExitStatus>,
    outcome: Option<Outcome>,
}

impl ProcessState {
    pub(crate) fn new(pid: u32, pidfd: OwnedFd) -> Arc<Self> {
        Arc::new(Self {
            pid,
            pidfd,
            end: Mutex::default(),
            ended: Condvar::new(),
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn pidfd(&self) -> &OwnedFd {
        &self.pidfd
    }

    /// Kills the process and everything that it has started.
    pub(crate) fn kill_tree(&self) -> Result<(), SignalError> {
        descendants::kill_tree(self.pid, self.pidfd.as_fd())
    }

    /// Kills a process that this one has just started, and that therefore has the same user.
    pub(crate) fn kill(&self) {
        let _ = self.kill_tree();
    }

    pub(crate) fn complete(&self, status: ExitStatus, outcome: Outcome) {
        *self.lock() = End {
            status: Some(status),
            outcome: Some(outcome),
        };
        self.ended.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, End> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for ProcessState {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// Starts `task` with `args` in a new process.
///
/// The process is this program, started anew: it shares no memory with this one, has the null device as its standard
/// input, and inherits standard output and error, the environment and the working directory. It ends when this process
/// ends, in whatever way. [`Process::builder`] changes its name and options.
///
/// # Errors
///
/// When [`init`](crate::init) was not called, the arguments cannot be encoded, or the system refuses (no more processes
/// or descriptors). What goes wrong later in the child comes out of [`join`](Process::join).
///
/// ```
/// #[procs::task]
/// fn area(width: u32, height: u32) -> u32 {
///     width * height
/// }
///
/// #[procs::main]
/// fn main() {
///     let mut process = procs::spawn(area, (6, 7)).unwrap();
///     assert_ne!(process.pid(), std::process::id());
///     assert_eq!(process.join().unwrap(), 42);
/// }
/// ```
#[doc(alias = "start")]
#[doc(alias = "multiprocessing")]
pub fn spawn<T: Task>(task: T, args: T::Args) -> Result<Process<T::Output>, SpawnError> {
    Process::builder().spawn(task, args)
}

/// Handle of a process that runs one task, and of its result.
///
/// Dropping the handle detaches the process: it goes on, is collected when it ends, and still ends with this process.
/// With [`daemon`](ProcessBuilder::daemon), dropping the handle kills it.
#[doc(alias = "JoinHandle")]
#[doc(alias = "Child")]
#[must_use = "dropping the handle detaches the process, and its result and its panic are lost"]
pub struct Process<R> {
    state: Arc<ProcessState>,
    name: String,
    daemon: bool,
    pipes: Pipes,
    result: PhantomData<fn() -> R>,
}

impl Process<()> {
    /// Returns a builder for a process with a name, options or a tie to its handle.
    ///
    /// ```
    /// use procs::Process;
    ///
    /// #[procs::task]
    /// fn greeting() -> String {
    ///     format!("{} of {}", procs::current().name(), std::env::var("TOWN").unwrap())
    /// }
    ///
    /// #[procs::main]
    /// fn main() {
    ///     let builder = Process::builder().name("Bob").env("TOWN", "Ulm");
    ///     let mut process = builder.spawn(greeting, ()).unwrap();
    ///     assert_eq!(process.join().unwrap(), "Bob of Ulm");
    /// }
    /// ```
    pub fn builder() -> ProcessBuilder {
        ProcessBuilder::default()
    }
}

impl<R> Process<R> {
    pub(crate) fn new(state: Arc<ProcessState>, name: String, daemon: bool, pipes: Pipes) -> Self {
        Self {
            state,
            name,
            daemon,
            pipes,
            result: PhantomData,
        }
    }

    /// Returns the process id. After the end the system may give the number to another process; signals sent through
    /// this
    /// handle do not reach that one.
    pub fn pid(&self) -> u32 {
        self.state.pid
    }

    /// Returns the name: the builder's, or `Process-N`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks the process to end (SIGTERM). A task that handles the signal may go on.
    ///
    /// Does nothing to a process that has ended. [`join`](Self::join) returns the signal in its error.
    ///
    /// # Errors
    ///
    /// [`NotPermitted`](SignalError::NotPermitted) when the process runs as another user, and goes on.
    #[doc(alias = "SIGTERM")]
    pub fn terminate(&self) -> Result<(), SignalError> {
        signal::send(self.state.pid, self.state.as_fd(), SIGTERM)
    }

    /// Kills the process and everything that its task has started (SIGKILL). Does nothing to a process that has ended.
    ///
    /// # Errors
    ///
    /// [`NotPermitted`](SignalError::NotPermitted) when the process, or one that it has started, runs as another user, and
    /// goes on. The others are killed.
    #[doc(alias = "SIGKILL")]
    pub fn kill(&self) -> Result<(), SignalError> {
        self.state.kill_tree()
    }

    /// Takes this side of the process's standard input, if that is [`piped`](crate::Stdio::piped) and was not taken before.
    /// Dropping it ends the input.
    pub fn take_stdin(&mut self) -> Option<PipeWriter> {
        self.pipes.stdin.take()
    }

    /// Takes this side of the process's standard output, if that is [`piped`](crate::Stdio::piped) and was not taken before.
    pub fn take_stdout(&mut self) -> Option<PipeReader> {
        self.pipes.stdout.take()
    }

    /// Takes this side of the process's standard error, if that is [`piped`](crate::Stdio::piped) and was not taken before.
    pub fn take_stderr(&mut self) -> Option<PipeReader> {
        self.pipes.stderr.take()
    }

    /// Returns the exit status of the process, or `None` while it runs.
    #[doc(alias = "exitcode")]
    #[doc(alias = "returncode")]
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.wait_until(Some(Instant::now())).status
    }

    /// Returns whether the process runs.
    pub fn is_alive(&self) -> bool {
        self.exit_status().is_none()
    }

    /// Returns whether the pidfd is readable: the process has ended.
    fn has_ended(&self) -> bool {
        sys::is_readable(self.state.as_fd())
    }

    /// Waits until the monitor has stored the end of the process, at most until `deadline`.
    fn wait_until(&self, deadline: Option<Instant>) -> MutexGuard<'_, End> {
        let mut end = self.state.lock();
        let mut published_late = false;
        while end.status.is_none() {
            end = match deadline {
                None => self
                    .state
                    .ended
                    .wait(end)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    let left = match left.is_zero() {
                        false => left,
                        // The pidfd is readable some microseconds before the monitor has stored the end.
                        true if !published_late && self.has_ended() => PUBLICATION_LIMIT,
                        true => return end,
                    };
                    published_late = deadline <= Instant::now();
                    self.state
                        .ended
                        .wait_timeout(end, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
        end
    }
}

impl<R: DeserializeOwned> Process<R> {
    /// Waits for the end of the process and returns what its task returned.
    ///
    /// # Errors
    ///
    /// The task panicked, the process died first or never got ready, a value could not be encoded or decoded, or the
    /// result was taken by an earlier call.
    #[doc(alias = "wait")]
    pub fn join(&mut self) -> Result<R, ProcessError> {
        self.join_until(None).unwrap_or(Err(ProcessError::TimedOut))
    }

    /// Waits for the end of the process, but no longer than `time`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](ProcessError::TimedOut) when the process still runs, which may then be waited for again; otherwise
    /// as [`join`](Self::join).
    pub fn join_for(&mut self, time: Duration) -> Result<R, ProcessError> {
        let deadline = Instant::now().checked_add(time);
        self.join_until(deadline)
            .unwrap_or(Err(ProcessError::TimedOut))
    }

    /// Returns what [`join`](Self::join) returns if the process has ended, or `None` while it runs.
    #[doc(alias = "try_wait")]
    pub fn try_join(&mut self) -> Option<Result<R, ProcessError>> {
        self.join_until(Some(Instant::now()))
    }

    fn join_until(&mut self, deadline: Option<Instant>) -> Option<Result<R, ProcessError>> {
        let mut end = self.wait_until(deadline);
        end.status?;
        let outcome = end.outcome.take();
        drop(end);
        Some(match outcome {
            None => Err(ProcessError::AlreadyJoined),
            Some(Err(error)) => Err(error),
            Some(Ok(bytes)) => codec::decode(&bytes).map_err(ProcessError::Decode),
        })
    }
}

/// The pidfd: readable once the process has ended.
impl<R> AsFd for Process<R> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.state.as_fd()
    }
}

impl<R> fmt::Debug for Process<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("name", &self.name)
            .field("pid", &self.state.pid)
            .field("daemon", &self.daemon)
            .field("exit_status", &self.exit_status())
            .finish()
    }
}

impl<R> Drop for Process<R> {
    fn drop(&mut self) {
        if self.daemon {
            // A drop cannot return an error.
            let _ = self.kill();
        }
    }
}
