//! A number of permits.

use std::{cell::Cell, fmt};

use super::waiters::Waiters;
use crate::error::{Full, WouldBlock};

/// Permits that tasks take and give back; whoever finds none waits in line.
///
/// A permit that is given back goes to the first in line, not to a task that comes just then. Waiting is safe to
/// cancel.
///
/// ```
/// use aio::sync::Semaphore;
///
/// aio::run(async {
///     let semaphore = Semaphore::new(2);
///     let one = semaphore.acquire().await;
///     let _two = semaphore.acquire().await;
///     assert!(semaphore.try_acquire().is_err());
///     drop(one);
///     assert!(semaphore.try_acquire().is_ok());
/// })?;
/// # Ok::<(), aio::RunError>(())
/// ```
pub struct Semaphore {
    permits: Cell<usize>,
    waiters: Waiters,
}

impl Semaphore {
    /// A semaphore with so many permits.
    pub fn new(permits: usize) -> Self {
        Semaphore {
            permits: Cell::new(permits),
            waiters: Waiters::default(),
        }
    }

    /// Takes a permit, waiting for one if need be. It is given back when the [`Permit`] is dropped.
    pub async fn acquire(&self) -> Permit<'_> {
        self.take().await;
        Permit { semaphore: self }
    }

    /// Takes a permit if there is one that nobody waits for.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`], when there is none.
    pub fn try_acquire(&self) -> Result<Permit<'_>, WouldBlock> {
        if self.take_now() {
            Ok(Permit { semaphore: self })
        } else {
            Err(WouldBlock)
        }
    }

    /// How many permits are left.
    pub fn permits(&self) -> usize {
        self.permits.get()
    }

    /// Whether [`acquire`](Semaphore::acquire) would wait.
    pub fn is_locked(&self) -> bool {
        self.permits.get() == 0 || !self.waiters.is_empty()
    }

    /// Adds a permit, or hands it to the first in line.
    pub fn release(&self) {
        if !self.waiters.call_one() {
            self.permits.set(self.permits.get() + 1);
        }
    }

    /// As [`acquire`](Semaphore::acquire), without anything that gives the permit back.
    pub(super) async fn take(&self) {
        if !self.take_now() {
            self.waiters.wait(|| self.release()).await;
        }
    }

    pub(super) fn take_now(&self) -> bool {
        let free = !self.is_locked();
        if free {
            self.permits.set(self.permits.get() - 1);
        }
        free
    }
}

/// A permit of a [`Semaphore`], given back when it is dropped.
#[must_use = "a permit that is dropped is given back at once"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
}

impl Permit<'_> {
    /// Keeps the permit for good: the semaphore has one fewer.
    pub fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.semaphore.release();
    }
}

/// A [`Semaphore`] that never holds more permits than it began with.
///
/// ```
/// use aio::sync::BoundedSemaphore;
///
/// let semaphore = BoundedSemaphore::new(1);
/// assert!(semaphore.release().is_err(), "nobody has taken one");
/// ```
pub struct BoundedSemaphore {
    inner: Semaphore,
    bound: usize,
}

impl BoundedSemaphore {
    /// A semaphore with so many permits, now and at most.
    pub fn new(permits: usize) -> Self {
        BoundedSemaphore {
            inner: Semaphore::new(permits),
            bound: permits,
        }
    }

    /// As [`Semaphore::acquire`].
    pub async fn acquire(&self) -> Permit<'_> {
        self.inner.acquire().await
    }

    /// As [`Semaphore::try_acquire`].
    ///
    /// # Errors
    ///
    /// [`WouldBlock`], when there is none.
    pub fn try_acquire(&self) -> Result<Permit<'_>, WouldBlock> {
        self.inner.try_acquire()
    }

    /// Gives back a permit that was kept with [`Permit::forget`].
    ///
    /// # Errors
    ///
    /// [`Full`], when none is out.
    pub fn release(&self) -> Result<(), Full<()>> {
        if self.inner.permits() >= self.bound {
            return Err(Full(()));
        }
        self.inner.release();
        Ok(())
    }

    /// How many permits are left.
    pub fn permits(&self) -> usize {
        self.inner.permits()
    }

    /// Whether [`acquire`](BoundedSemaphore::acquire) would wait.
    pub fn is_locked(&self) -> bool {
        self.inner.is_locked()
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("permits", &self.permits())
            .field("waiting", &self.waiters.len())
            .finish()
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

impl fmt::Debug for BoundedSemaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedSemaphore")
            .field("inner", &self.inner)
            .field("bound", &self.bound)
            .finish()
    }
}
