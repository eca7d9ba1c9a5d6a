//! Duplicate this process: unsafe in general, checked when it has one thread.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{ForkError, SignalError, SystemError};
use crate::process::signal;
use crate::process::status::ExitStatus;
use crate::sys::{self, SIGKILL, SIGTERM};

/// The process in which [`fork`] has returned. Closed on purpose: there is no third one.
#[derive(Debug)]
#[must_use = "the two processes would do the same"]
pub enum Fork {
    /// In the child.
    Child,
    /// In the parent, with a handle of the child.
    Parent(ForkedChild),
}

/// Children whose handles were dropped while they ran. Collected whenever another one is forked or dropped.
static DETACHED: Mutex<Vec<OwnedFd>> = Mutex::new(Vec::new());

/// Number of times that this memory was duplicated.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// Returns a number that differs between a process and its forked children.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Relaxed)
}

/// Duplicates this process, whatever threads it has.
///
/// The child has a copy of the memory and of the descriptors, and one thread: the caller's. It is not tied to the life
/// of the parent. For running a function in another process, [`spawn`](crate::spawn) is safe, and fast whatever the
/// parent's size; for a program with one thread [`fork_checked`] is safe.
///
/// # Errors
///
/// When the system refuses: no more processes, memory or descriptors.
///
/// # Safety
///
/// If this process has other threads, then until it exits or executes another program the child may only do what is
/// safe in a signal handler: whatever the other threads had locked, the allocator and standard output included, stays
/// locked in the child for ever, and what they were changing stays half changed.
///
/// ```
/// use procs::Fork;
///
/// // SAFETY: the child calls nothing but process::exit's kernel part.
/// match unsafe { procs::fork() }.unwrap() {
///     Fork::Child => std::process::abort(),
///     Fork::Parent(mut child) => assert!(child.join().unwrap().signal().is_some()),
/// }
/// ```
pub unsafe fn fork() -> Result<Fork, ForkError> {
    collect_detached();
    // SAFETY: the caller vouches for what the child does next; fork itself has no other conditions.
    let pid = unsafe { libc::fork() };
    match u32::try_from(pid) {
        Err(_) => Err(SystemError::new("fork this process")(io::Error::last_os_error()).into()),
        Ok(0) => {
            GENERATION.fetch_add(1, Relaxed);
            Ok(Fork::Child)
        }
        Ok(pid) => match sys::pidfd_open(pid) {
            Ok(pidfd) => Ok(Fork::Parent(ForkedChild {
                pid,
                pidfd,
                status: None,
            })),
            Err(error) => {
                sys::discard(pid);
                Err(SystemError::new("get a descriptor for a forked process")(error).into())
            }
        },
    }
}

/// Duplicates this process if it has one thread.
///
/// Standard output is flushed first, so that its buffer is not written twice. Everything else is as for [`fork`], which
/// is safe here: there is no other thread whose locks could be inherited.
///
/// # Errors
///
/// [`SeveralThreads`](ForkError::SeveralThreads) when there are other threads ([`spawn`](crate::spawn) and
/// [`Pool`](crate::Pool) start some); otherwise as [`fork`].
///
/// ```
/// use procs::Fork;
///
/// fn main() {
///     match procs::fork_checked() {
///         Ok(Fork::Child) => std::process::exit(7),
///         Ok(Fork::Parent(mut child)) => assert_eq!(child.join().unwrap().code(), Some(7)),
///         Err(error) => println!("{error}"),
///     }
/// }
/// ```
pub fn fork_checked() -> Result<Fork, ForkError> {
    let threads = fs::read_dir("/proc/self/task")
        .map_err(SystemError::new("count this process's threads"))?
        .count();
    if threads != 1 {
        return Err(ForkError::SeveralThreads(threads));
    }
    // A closed standard output is no reason not to fork.
    let _ = io::stdout().flush();
    // SAFETY: this is the only thread, and only it could start another: nothing is locked or half changed by others.
    unsafe { fork() }
}

/// A child that was made by [`fork`] or [`fork_checked`].
///
/// Dropping the handle detaches the child. It is collected after its end, when this process forks again or drops
/// another handle, so that no more than the last few remain as zombies.
#[doc(alias = "pid_t")]
#[must_use = "dropping the handle detaches the child"]
pub struct ForkedChild {
    pid: u32,
    pidfd: OwnedFd,
    status: Option<ExitStatus>,
}

impl ForkedChild {
    /// Returns the child's process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for the child's end.
    ///
    /// # Errors
    ///
    /// When the system refuses to wait.
    pub fn join(&mut self) -> Result<ExitStatus, ForkError> {
        self.join_until(None)
    }

    /// Waits for the child's end, but no longer than `time`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](ForkError::TimedOut) when the child still runs, or when the system refuses to wait.
    pub fn join_for(&mut self, time: Duration) -> Result<ExitStatus, ForkError> {
        self.join_until(Instant::now().checked_add(time))
    }

    /// Returns the exit status of the child, or `None` while it runs.
    pub fn try_join(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = match sys::reap(self.pidfd.as_fd()) {
                Ok(None) => None,
                Ok(Some((end, _))) => Some(ExitStatus::new(end)),
                Err(_) => Some(ExitStatus::UNKNOWN),
            };
        }
        self.status
    }

    fn join_until(&mut self, deadline: Option<Instant>) -> Result<ExitStatus, ForkError> {
        loop {
            if let Some(status) = self.try_join() {
                return Ok(status);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(ForkError::TimedOut);
            }
            let mut polled = [sys::as_poll(self.pidfd.as_fd(), true, false)];
            sys::poll(&mut polled, left).map_err(SystemError::new("wait for a forked process"))?;
        }
    }

    /// Asks the child to end (SIGTERM). Does nothing to one that has ended.
    ///
    /// # Errors
    ///
    /// [`NotPermitted`](SignalError::NotPermitted) when the child runs as another user, and goes on.
    pub fn terminate(&self) -> Result<(), SignalError> {
        self.signal(SIGTERM)
    }

    /// Ends the child (SIGKILL). Does nothing to one that has ended.
    ///
    /// # Errors
    ///
    /// As [`terminate`](Self::terminate).
    pub fn kill(&self) -> Result<(), SignalError> {
        self.signal(SIGKILL)
    }

    fn signal(&self, number: i32) -> Result<(), SignalError> {
        if self.status.is_some() {
            return Ok(());
        }
        signal::send(self.pid, self.pidfd.as_fd(), number)
    }
}

/// The pidfd: readable once the child has ended.
impl AsFd for ForkedChild {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl fmt::Debug for ForkedChild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForkedChild")
            .field("pid", &self.pid)
            .field("status", &self.status)
            .finish()
    }
}

impl Drop for ForkedChild {
    fn drop(&mut self) {
        collect_detached();
        if self.try_join().is_none()
            && let Ok(pidfd) = self.pidfd.try_clone()
        {
            DETACHED
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(pidfd);
        }
    }
}

/// Collects detached children that have ended.
fn collect_detached() {
    // In the child of an unsafe fork another thread may have held this lock: better no collection than a deadlock.
    if let Ok(mut detached) = DETACHED.try_lock() {
        detached.retain(|pidfd| matches!(sys::reap(pidfd.as_fd()), Ok(None)));
    }
}
