//! Threads that borrow from the one that starts them.

use super::info::ThreadInfo;
use super::packet::{Packet, ScopePanic};
use crate::error::{JoinError, SpawnError};
use crate::park::deadline;
use crate::thread::{Thread, ThreadBuilder};
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Runs `f` with a scope whose threads may borrow from the caller.
///
/// When `scope` returns, all of them have ended and their thread-local values are dropped.
///
/// A panic of a thread that was joined is the joiner's; the first of one that was not continues here.
///
/// # Examples
///
/// ```
/// let mut words = vec!["one", "two"];
/// let mut count = 0;
/// threads::scope(|s| {
///     s.spawn(|| words.push("three"))?;
///     let mut counter = s.spawn(|| count += 1)?;
///     counter.join().expect("no panic");
///     Ok::<(), threads::SpawnError>(())
/// })?;
/// assert_eq!((words.len(), count), (3, 1));
/// # Ok::<(), threads::SpawnError>(())
/// ```
pub fn scope<'env, T>(f: impl for<'scope> FnOnce(&Scope<'scope, 'env>) -> T) -> T {
    let unclaimed = ScopePanic::default();
    let started = Arc::new(Started::default());
    // Also if `f` or a thread of std's scope panics.
    let ended = WaitForAll(&started);
    let value = std::thread::scope(|system| {
        f(&Scope {
            system,
            unclaimed: unclaimed.clone(),
            started: started.clone(),
        })
    });
    drop(ended);
    let panic = unclaimed.lock().take();
    match panic {
        Some(panic) => panic.resume(),
        None => value,
    }
}

/// The place where [`scope`]'s threads are started. A clone, moved into a thread, starts more.
#[derive(Clone)]
pub struct Scope<'scope, 'env: 'scope> {
    system: &'scope std::thread::Scope<'scope, 'env>,
    unclaimed: ScopePanic,
    started: Arc<Started>,
}

/// The threads of a scope. std's scope does not wait for their thread-local values to be dropped.
#[derive(Default)]
struct Started(Mutex<Vec<ThreadInfo>>);

impl Started {
    fn add(&self, info: ThreadInfo) {
        let mut threads = self.0.lock();
        if threads.len() == threads.capacity() {
            // The room doubles, so a sweep comes after as many pushes.
            threads.retain(ThreadInfo::is_alive);
            let live = threads.len();
            threads.reserve(live + 1);
        }
        threads.push(info);
    }
}

/// Waits when dropped, once no thread of the scope runs any more that could start another.
struct WaitForAll<'a>(&'a Started);

impl Drop for WaitForAll<'_> {
    fn drop(&mut self) {
        for info in self.0.0.lock().drain(..) {
            info.wait(None);
        }
    }
}

/// The handle on a thread of a [`Scope`].
pub struct ScopedThread<'scope, T> {
    packet: Arc<Packet<T>>,
    scope: std::marker::PhantomData<&'scope ()>,
}

impl<'scope> Scope<'scope, '_> {
    /// Starts a thread with a default name.
    ///
    /// # Errors
    /// [`SpawnError`], if the system refuses another thread.
    pub fn spawn<F, T>(&self, f: F) -> Result<ScopedThread<'scope, T>, SpawnError>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        self.spawn_with(Thread::builder(), f)
    }

    /// Starts a thread as `builder` describes it.
    ///
    /// # Errors
    /// [`SpawnError`], if the system refuses another thread or the name contains a zero byte.
    ///
    /// # Examples
    ///
    /// ```
    /// use threads::Thread;
    ///
    /// let name = threads::scope(|s| {
    ///     let mut thread = s.spawn_with(Thread::builder().name("scoped"), || threads::current())?;
    ///     Ok::<_, Box<dyn std::error::Error>>(thread.join()?.name())
    /// })?;
    /// assert_eq!(name, "scoped");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn_with<F, T>(
        &self,
        builder: ThreadBuilder,
        f: F,
    ) -> Result<ScopedThread<'scope, T>, SpawnError>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let packet = builder.spawn_scoped(self.system, self.unclaimed.clone(), f)?;
        self.started.add(packet.info().clone());
        Ok(ScopedThread {
            packet,
            scope: std::marker::PhantomData,
        })
    }
}

impl<T> ScopedThread<'_, T> {
    /// Waits until the thread has ended and returns its value.
    ///
    /// # Errors
    /// As [`Thread::join`].
    pub fn join(&mut self) -> Result<T, JoinError> {
        self.packet.join(None)
    }

    /// Waits for at most `timeout` until the thread has ended, and returns its value.
    ///
    /// # Errors
    /// As [`Thread::join_for`].
    pub fn join_for(&mut self, timeout: Duration) -> Result<T, JoinError> {
        self.packet.join(deadline(timeout))
    }

    /// Returns the thread's value if it has ended; `None` if it still runs.
    ///
    /// # Errors
    /// As [`Thread::join`].
    pub fn try_join(&mut self) -> Option<Result<T, JoinError>> {
        self.packet.try_join()
    }

    /// Whether the thread has not ended yet.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.packet.has_ended()
    }

    /// What [`current`](crate::current) returns in the thread itself.
    #[must_use]
    pub fn info(&self) -> &ThreadInfo {
        self.packet.info()
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for ScopedThread<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScopedThread").field(self.info()).finish()
    }
}
