//! Threads that are named, joined with a time limit, and whose panics come back as values.

use crate::error::{JoinError, Panic, SpawnError};
use crate::registry::ThreadInfo;
use crate::signal::{WaitQueue, deadline};
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

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
    info: ThreadInfo,
    shared: Arc<Shared<T>>,
    /// For waiting until the system, too, is done with the thread.
    system: Option<JoinHandle<()>>,
}

struct Shared<T> {
    /// Written once, before `ended`; taken by the first join.
    outcome: parking_lot::Mutex<Option<Result<T, Panic>>>,
    ended: AtomicBool,
    joiners: WaitQueue,
}

/// The properties of a thread to be started. Made by [`Thread::builder`].
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing before spawn"]
pub struct ThreadBuilder {
    name: Option<String>,
    stack_size: Option<usize>,
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

    /// Starts the thread.
    ///
    /// # Errors
    /// [`SpawnError`], if the system refuses another thread or the name contains a zero byte.
    pub fn spawn<F, T>(self, f: F) -> Result<Thread<T>, SpawnError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let info = ThreadInfo::announce(self.name);
        let shared = Arc::new(Shared {
            outcome: parking_lot::Mutex::new(None),
            ended: AtomicBool::new(false),
            joiners: WaitQueue::new(),
        });
        let (run_info, run_shared) = (info.clone(), shared.clone());
        let started = start(info.name(), self.stack_size, move || {
            run_info.adopt();
            let outcome = catch_unwind(AssertUnwindSafe(f)).map_err(Panic::new);
            run_info.retire();
            run_shared.finish(outcome);
        });
        match started {
            Ok(system) => Ok(Thread {
                info,
                shared,
                system: Some(system),
            }),
            Err(error) => {
                info.retire();
                Err(SpawnError::new(info.name(), error))
            }
        }
    }
}

fn start(
    name: &str,
    stack_size: Option<usize>,
    f: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    if name.contains('\0') {
        // std would panic.
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the name contains a zero byte",
        ));
    }
    let mut builder = std::thread::Builder::new().name(name.to_owned());
    if let Some(bytes) = stack_size {
        builder = builder.stack_size(bytes);
    }
    builder.spawn(f)
}

impl<T> Shared<T> {
    fn finish(&self, outcome: Result<T, Panic>) {
        *self.outcome.lock() = Some(outcome);
        // Release pairs with the Acquire in `has_ended`: the outcome is written.
        self.ended.store(true, Ordering::Release);
        self.joiners.notify(usize::MAX);
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    fn wait(&self, deadline: Option<Instant>) -> bool {
        let poll = || self.has_ended().then_some(());
        poll()
            .or_else(|| self.joiners.wait(deadline, poll))
            .is_some()
    }
}

impl<T> Thread<T> {
    /// Waits until the thread has ended and returns its value.
    ///
    /// Afterwards the thread is gone from the system as well, its thread-local values are dropped.
    ///
    /// # Errors
    /// [`JoinError::Panicked`] with the payload; [`JoinError::SelfJoin`] if the thread joins itself;
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
        let outcome = self.join_until_ended(None);
        if !matches!(outcome, Err(JoinError::SelfJoin)) {
            self.reap();
        }
        outcome
    }

    /// Waits for at most `timeout` until the thread has ended, and returns its value.
    ///
    /// # Errors
    /// [`JoinError::TimedOut`] if it still runs, and those of [`join`](Self::join).
    pub fn join_for(&mut self, timeout: Duration) -> Result<T, JoinError> {
        self.join_until_ended(deadline(timeout))
    }

    /// Returns the thread's value if it has ended; `None` if it still runs.
    ///
    /// # Errors
    /// Those of [`join`](Self::join).
    pub fn try_join(&mut self) -> Option<Result<T, JoinError>> {
        if self.info.is_current() {
            return Some(Err(JoinError::SelfJoin));
        }
        self.shared.has_ended().then(|| self.take())
    }

    /// Whether the thread has not ended yet.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.shared.has_ended()
    }

    /// The thread's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.info.name()
    }

    /// The thread's number in this process; it is never used again.
    #[must_use]
    pub fn ident(&self) -> u64 {
        self.info.ident()
    }

    /// The kernel's number of the thread. `None`: it does not run yet, or this system does not tell.
    #[must_use]
    pub fn native_id(&self) -> Option<u64> {
        self.info.native_id()
    }

    /// What [`current`](crate::current) returns in the thread itself.
    #[must_use]
    pub fn info(&self) -> &ThreadInfo {
        &self.info
    }

    fn join_until_ended(&self, deadline: Option<Instant>) -> Result<T, JoinError> {
        if self.info.is_current() {
            return Err(JoinError::SelfJoin);
        }
        if !self.shared.wait(deadline) {
            return Err(JoinError::TimedOut);
        }
        self.take()
    }

    fn take(&self) -> Result<T, JoinError> {
        match self.shared.outcome.lock().take() {
            Some(outcome) => outcome.map_err(JoinError::Panicked),
            None => Err(JoinError::AlreadyJoined),
        }
    }

    fn reap(&mut self) {
        if let Some(system) = self.system.take() {
            // The body catches every panic; one in a thread-local's destructor aborts the process.
            let _ = system.join();
        }
    }
}

impl<T> fmt::Debug for Thread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Thread").field(&self.info).finish()
    }
}
