//! Threads that are named, joined with a time limit, and whose panics come back as values.

use crate::error::{JoinError, SpawnError};
use crate::outcome::{Outcome, ScopePanic};
use crate::registry::ThreadInfo;
use crate::run::Run;
use crate::signal::{Signal, deadline};
use crate::wait_any::{Source, Waitable};
use std::fmt;
use std::io;
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
    outcome: Arc<Outcome<T>>,
    /// For waiting until the system, too, is done with the thread.
    system: Option<JoinHandle<()>>,
}

/// The properties of a thread to be started. Made by [`Thread::builder`].
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing before spawn"]
pub struct ThreadBuilder {
    name: Option<String>,
    stack_size: Option<usize>,
    daemon: Option<bool>,
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
    ///     .spawn(|| threads::current().name().to_owned())?;
    /// assert_eq!(thread.name(), "LoopThread");
    /// assert_eq!(thread.join()?, "LoopThread");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder() -> ThreadBuilder {
        ThreadBuilder::default()
    }
}

impl ThreadBuilder {
    /// Names the thread. The system's tools show the first 15 bytes.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the size of the thread's stack in bytes; without it, it is 2 MiB. The system rounds up.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Says whether the thread is a daemon: one that [`run_main`](crate::run_main) does not wait for.
    /// Without it, the thread is what its maker is; the main thread is none.
    pub fn daemon(mut self, daemon: bool) -> Self {
        self.daemon = Some(daemon);
        self
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// [`SpawnError`], if the system refuses another thread or the name contains a zero byte.
    pub fn spawn<F, T>(self, f: F) -> Result<Thread<T>, SpawnError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let info = ThreadInfo::announce(self.name, self.daemon);
        let outcome = Arc::new(Outcome::new(info, None));
        let shared = outcome.clone();
        let builder = system_builder(outcome.info(), self.stack_size)?;
        match builder.spawn(move || shared.run(f)) {
            Ok(system) => Ok(Thread {
                outcome,
                system: Some(system),
            }),
            Err(error) => Err(refused(outcome.info(), error)),
        }
    }

    /// Starts the thread with an object that knows what to do.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    pub fn start<R: Run>(self, runner: R) -> Result<Thread<R::Output>, SpawnError> {
        self.spawn(move || runner.run())
    }

    /// Starts a thread of a scope.
    pub(crate) fn spawn_scoped<'scope, T: Send + 'scope>(
        self,
        scope: &'scope std::thread::Scope<'scope, '_>,
        unclaimed: ScopePanic,
        f: impl FnOnce() -> T + Send + 'scope,
    ) -> Result<Arc<Outcome<T>>, SpawnError> {
        let info = ThreadInfo::announce(self.name, self.daemon);
        let outcome = Arc::new(Outcome::new(info, Some(unclaimed)));
        let shared = outcome.clone();
        let builder = system_builder(outcome.info(), self.stack_size)?;
        match builder.spawn_scoped(scope, move || shared.run(f)) {
            Ok(_) => Ok(outcome),
            Err(error) => Err(refused(outcome.info(), error)),
        }
    }
}

fn system_builder(
    info: &ThreadInfo,
    stack_size: Option<usize>,
) -> Result<std::thread::Builder, SpawnError> {
    let name = info.name();
    if name.contains('\0') {
        // std would panic.
        let error = io::Error::new(io::ErrorKind::InvalidInput, "the name contains a zero byte");
        return Err(refused(info, error));
    }
    let builder = std::thread::Builder::new().name(name.to_owned());
    Ok(match stack_size {
        Some(bytes) => builder.stack_size(bytes),
        None => builder,
    })
}

fn refused(info: &ThreadInfo, error: io::Error) -> SpawnError {
    info.retire();
    SpawnError::new(info.name(), error)
}

impl<T> Thread<T> {
    /// Waits until the thread has ended and returns its value.
    ///
    /// Afterwards the thread is gone from the system as well, its thread-local values are dropped.
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
        let outcome = self.outcome.join(None);
        if !matches!(outcome, Err(JoinError::SelfJoin))
            && let Some(system) = self.system.take()
        {
            // The body catches every panic; one in a thread-local's destructor aborts the process.
            let _ = system.join();
        }
        outcome
    }

    /// Waits for at most `timeout` until the thread has ended, and returns its value.
    ///
    /// # Errors
    /// [`JoinError::TimedOut`] if it still runs, and those of [`join`](Self::join).
    pub fn join_for(&mut self, timeout: Duration) -> Result<T, JoinError> {
        self.outcome.join(deadline(timeout))
    }

    /// Returns the thread's value if it has ended; `None` if it still runs.
    ///
    /// # Errors
    /// Those of [`join`](Self::join).
    pub fn try_join(&mut self) -> Option<Result<T, JoinError>> {
        self.outcome.try_join()
    }

    /// Whether the thread has not ended yet.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.outcome.has_ended()
    }

    /// The thread's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.info().name()
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
        self.outcome.info()
    }
}

impl<T> fmt::Debug for Thread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Thread").field(self.info()).finish()
    }
}

impl<T> Source for Thread<T> {
    fn is_ready(&self) -> bool {
        self.outcome.has_ended()
    }

    fn listen(&self, signal: &Arc<Signal>) {
        self.outcome.joiners().register(signal.clone());
    }

    fn unlisten(&self, signal: &Arc<Signal>) {
        // The end wakes everyone, so there is nobody to pass a wake-up on to.
        self.outcome.joiners().unregister(signal);
    }
}

/// Ready when the thread has ended.
impl<T> Waitable for Thread<T> {}
