//! Threads that are named, joined with a time limit, and whose panics come back as values.

mod builder;
mod exit;
mod hook;
mod info;
mod local;
mod packet;
mod run;
mod scope;

pub use builder::ThreadBuilder;
pub use exit::exit_thread;
pub use hook::{reset_excepthook, set_excepthook};
#[cfg(all(feature = "lockdep", not(loom)))]
pub(crate) use info::current_name;
pub use info::{ThreadInfo, active_count, current, enumerate, main};
pub use local::Local;
pub use run::{Run, join_others_for, run_main, start};
pub use scope::{Scope, ScopedThread, scope};

use packet::Packet;

use crate::error::{JoinError, SpawnError};
use crate::park::{Waiter, deadline};
use crate::sync::{Source, Waitable};
use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Starts a thread with a default name, `Thread-N`.
///
/// # Errors
/// [`SpawnError`], if the system refuses another thread.
///
/// # Examples
///
/// ```
/// let mut thread = threads::spawn(|| 6 * 7)?;
/// assert_eq!(thread.join()?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn spawn<F, T>(f: F) -> Result<Thread<T>, SpawnError>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    Thread::builder().spawn(f)
}

/// A started thread: the way to its end and its value.
///
/// Dropping the handle lets the thread run on by itself.
pub struct Thread<T> {
    packet: Arc<Packet<T>>,
    /// For waiting until the system, too, is done with the thread.
    system: Option<JoinHandle<()>>,
}

impl Thread<()> {
    /// Describes a thread before it starts.
    ///
    /// # Examples
    ///
    /// ```
    /// use threads::Thread;
    ///
    /// let mut thread = Thread::builder()
    ///     .name("LoopThread")
    ///     .stack_size(256 * 1024)
    ///     .spawn(|| threads::current().name())?;
    /// assert_eq!(thread.name(), "LoopThread");
    /// assert_eq!(thread.join()?, "LoopThread");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder() -> ThreadBuilder {
        ThreadBuilder::default()
    }
}

impl<T> Thread<T> {
    /// Waits until the thread has ended and returns its value.
    ///
    /// A thread has ended when its thread-local values are dropped. After `join` it is gone from the system, too.
    ///
    /// # Errors
    /// [`JoinError::Panicked`] with the payload; [`JoinError::Exited`] if the thread called
    /// [`exit_thread`](crate::exit_thread); [`JoinError::SelfJoin`] if it joins itself;
    /// [`JoinError::AlreadyJoined`] if an earlier join took the value.
    ///
    /// # Examples
    ///
    /// ```
    /// use threads::JoinError;
    ///
    /// let mut thread = threads::spawn(|| panic!("out of luck"))?;
    /// let Err(JoinError::Panicked(panic)) = thread.join() else { unreachable!() };
    /// assert_eq!(panic.message(), "out of luck");
    /// # Ok::<(), threads::SpawnError>(())
    /// ```
    pub fn join(&mut self) -> Result<T, JoinError> {
        let packet = self.packet.join(None);
        if !matches!(packet, Err(JoinError::SelfJoin))
            && let Some(system) = self.system.take()
        {
            // The body catches every panic; one in a thread-local's destructor aborts the process.
            let _ = system.join();
        }
        packet
    }

    /// Waits for at most `timeout` until the thread has ended, and returns its value.
    ///
    /// # Errors
    /// [`JoinError::TimedOut`] if it still runs, and those of [`join`](Self::join).
    pub fn join_for(&mut self, timeout: Duration) -> Result<T, JoinError> {
        self.packet.join(deadline(timeout))
    }

    /// Returns the thread's value if it has ended; `None` if it still runs.
    ///
    /// # Errors
    /// Those of [`join`](Self::join).
    pub fn try_join(&mut self) -> Option<Result<T, JoinError>> {
        self.packet.try_join()
    }

    /// Whether the thread has not ended yet.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.packet.has_ended()
    }

    /// Returns the thread's name.
    #[must_use]
    pub fn name(&self) -> String {
        self.info().name()
    }

    /// Renames the thread, as [`ThreadInfo::set_name`] does.
    pub fn set_name(&self, name: impl Into<String>) {
        self.info().set_name(name);
    }

    /// The thread's number in this process; it is never used again.
    #[must_use]
    pub fn ident(&self) -> u64 {
        self.info().ident()
    }

    /// The kernel's number of the thread. `None`: it does not run yet, or this system does not tell.
    #[must_use]
    pub fn native_id(&self) -> Option<u64> {
        self.info().native_id()
    }

    /// Whether the thread is a daemon.
    #[must_use]
    pub fn is_daemon(&self) -> bool {
        self.info().is_daemon()
    }

    /// What [`current`](crate::current) returns in the thread itself.
    #[must_use]
    pub fn info(&self) -> &ThreadInfo {
        self.packet.info()
    }
}

impl<T> fmt::Debug for Thread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Thread").field(self.info()).finish()
    }
}

impl<T> Source for Thread<T> {
    fn is_ready(&self) -> bool {
        self.packet.has_ended()
    }

    fn listen(&self, waiter: &Arc<Waiter>) {
        self.info().joiners().register(waiter.clone());
    }

    fn unlisten(&self, waiter: &Arc<Waiter>) -> bool {
        // The end wakes every waiter, so there is none to pass a wake-up on to.
        !self.info().joiners().unregister(waiter)
    }
}

/// Ready when the thread has ended.
impl<T> Waitable for Thread<T> {}
