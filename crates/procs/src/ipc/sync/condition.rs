//! Waiting, between processes, until something has come about.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{ConditionError, SystemError};

use super::memory::{Inside, Kind, Memory, Shut, WORDS, nap};
use super::places::{CALLED, WAITING};
use super::{LockGuard, RLockGuard};

/// How many have waited so far.
const NEXT: usize = WORDS;

/// A guard that [`Condition`] gives back while it waits: a [`LockGuard`] or a [`RLockGuard`].
pub trait Guard: sealed::Guard {}

mod sealed {
    use super::{LockGuard, RLockGuard};

    pub trait Guard {
        /// How often it is locked.
        type Depth;
        fn unlock(&self) -> Self::Depth;
        /// True: without doubt. None: the memory was overwritten.
        fn lock(&self, depth: Self::Depth) -> Option<bool>;
    }

    impl Guard for LockGuard<'_> {
        type Depth = ();

        fn unlock(&self) {
            self.unlock_meanwhile();
        }

        fn lock(&self, (): ()) -> Option<bool> {
            self.lock_again().ok()
        }
    }

    impl Guard for RLockGuard<'_> {
        type Depth = u32;

        fn unlock(&self) -> u32 {
            self.unlock_meanwhile()
        }

        fn lock(&self, depth: u32) -> Option<bool> {
            self.lock_again(depth).ok()
        }
    }
}

impl Guard for LockGuard<'_> {}

impl Guard for RLockGuard<'_> {}

/// Where threads of several processes wait until something has come about that a [`Lock`](super::Lock) or an
/// [`RLock`](super::RLock) guards.
///
/// Waiting unlocks, and locks again before it returns. Each notification wakes one of those who wait, the longest waiting
/// first, and nobody else. A waiter that is killed hands its notification on to another one. Always use a condition with
/// the same lock, and hold that while notifying: or else the notification may come just before the wait.
///
/// ```
/// use procs::SharedValue;
/// use procs::sync::{Condition, Lock};
///
/// #[procs::task]
/// fn produce(lock: Lock, more: Condition, stock: SharedValue<u32>) {
///     let _guard = lock.lock().unwrap();
///     stock.update(|n| n + 3);
///     more.notify(1);
/// }
///
/// #[procs::main]
/// fn main() {
///     let (lock, more) = (Lock::new().unwrap(), Condition::new().unwrap());
///     let stock = SharedValue::new(0).unwrap();
///     let mut guard = lock.lock().unwrap();
///     let _producer = procs::spawn(produce, (lock.clone(), more.clone(), stock.clone())).unwrap();
///     more.wait_while(&mut guard, || stock.get() == 0).unwrap();
///     assert_eq!(stock.get(), 3);
/// }
/// ```
#[derive(Clone)]
pub struct Condition(Arc<Memory>);

impl Condition {
    /// A new condition, at which nobody waits. Up to 4096 threads can wait at the same time.
    ///
    /// # Errors
    ///
    /// When the system refuses: too many open files, no address space.
    pub fn new() -> Result<Self, SystemError> {
        Memory::new(Kind::Condition).map(Self)
    }

    /// Unlocks, waits for a notification, and locks again.
    ///
    /// # Errors
    ///
    /// [`OwnerDied`](ConditionError::OwnerDied) when somebody was killed who held the lock;
    /// [`Crowded`](ConditionError::Crowded) when too many wait.
    pub fn wait(&self, guard: &mut impl Guard) -> Result<(), ConditionError> {
        self.wait_by(guard, None)
    }

    /// As [`wait`](Self::wait), but waits no longer than `time` for a notification. Locking again may take longer.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait), and [`TimedOut`](ConditionError::TimedOut).
    pub fn wait_for(&self, guard: &mut impl Guard, time: Duration) -> Result<(), ConditionError> {
        self.wait_by(guard, Instant::now().checked_add(time))
    }

    /// As [`wait`](Self::wait), but waits not beyond `deadline` for a notification. Locking again may take longer.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait), and [`TimedOut`](ConditionError::TimedOut).
    pub fn wait_until(
        &self,
        guard: &mut impl Guard,
        deadline: Instant,
    ) -> Result<(), ConditionError> {
        self.wait_by(guard, Some(deadline))
    }

    /// Waits as long as something is so, which is looked at with the lock held: before the first wait, and after each
    /// notification.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_while(
        &self,
        guard: &mut impl Guard,
        is_so: impl FnMut() -> bool,
    ) -> Result<(), ConditionError> {
        self.wait_while_by(guard, None, is_so)
    }

    /// As [`wait_while`](Self::wait_while), but no longer than `time` in all.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait), and [`TimedOut`](ConditionError::TimedOut) when it is still so.
    pub fn wait_while_for(
        &self,
        guard: &mut impl Guard,
        time: Duration,
        is_so: impl FnMut() -> bool,
    ) -> Result<(), ConditionError> {
        self.wait_while_by(guard, Instant::now().checked_add(time), is_so)
    }

    fn wait_while_by(
        &self,
        guard: &mut impl Guard,
        deadline: Option<Instant>,
        mut is_so: impl FnMut() -> bool,
    ) -> Result<(), ConditionError> {
        while is_so() {
            match self.wait_by(guard, deadline) {
                // It may have come about at the last moment.
                Err(ConditionError::TimedOut) if !is_so() => break,
                other => other?,
            }
        }
        Ok(())
    }

    fn wait_by<G: Guard>(
        &self,
        guard: &mut G,
        deadline: Option<Instant>,
    ) -> Result<(), ConditionError> {
        let inside = self.enter(deadline)?;
        let place = inside.occupy(WAITING).ok_or(ConditionError::Crowded)?;
        let next = inside.word(NEXT);
        inside.set_ticket(place, next.fetch_add(1, Relaxed));
        drop(inside);
        let depth = guard.unlock();
        self.sleep(place, deadline);
        let locked = guard.lock(depth);
        // Only now is a notification used up: one who is killed before this leaves it, in its place, to the others.
        let inside = self.enter(None)?;
        let called = inside.state(place) == CALLED;
        inside.vacate(place);
        drop(inside);
        match locked {
            None => Err(ConditionError::Broken),
            Some(false) => Err(ConditionError::OwnerDied),
            Some(true) if called => Ok(()),
            Some(true) => Err(ConditionError::TimedOut),
        }
    }

    /// Sleeps until called, or until it is too late; looks after the dead meanwhile.
    fn sleep(&self, place: usize, deadline: Option<Instant>) {
        while self.0.state(place) == WAITING
            && let Some(time) = nap(deadline)
        {
            self.0.sleep(place, WAITING, time);
            if self.0.state(place) == WAITING {
                let Ok(inside) = self.enter(None) else { return };
                let left = inside.sweep(CALLED);
                let called = call(&inside, left);
                drop(inside);
                self.0.wake(&called);
            }
        }
    }

    fn enter(&self, deadline: Option<Instant>) -> Result<Inside<'_>, ConditionError> {
        // Each change is one store: whoever dies inside leaves nothing half done.
        match self.0.enter(deadline) {
            Ok((inside, _)) => Ok(inside),
            Err(Shut::Late) => Err(ConditionError::TimedOut),
            Err(Shut::Overwritten) => Err(ConditionError::Broken),
        }
    }

    /// Wakes up to `count` of those who wait. Returns how many.
    pub fn notify(&self, count: usize) -> usize {
        let Ok(inside) = self.enter(None) else {
            return 0;
        };
        // What the dead were told is told to others, beside.
        let left = inside.sweep(CALLED);
        let called = call(&inside, left.saturating_add(count));
        drop(inside);
        self.0.wake(&called);
        called.len().min(count)
    }

    /// Wakes all who wait. Returns how many.
    pub fn notify_all(&self) -> usize {
        self.notify(usize::MAX)
    }
}

/// Calls up to `count` of those who wait, those first who came first.
fn call(inside: &Inside<'_>, count: usize) -> Vec<usize> {
    if count == 0 {
        return Vec::new();
    }
    let mut waiting: Vec<_> = inside.places(WAITING).collect();
    waiting.sort_unstable_by_key(|place| inside.ticket(*place));
    waiting.truncate(count);
    for place in &waiting {
        inside.set_state(*place, CALLED);
    }
    waiting
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condition").finish_non_exhaustive()
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Memory::deserialize(deserializer, Kind::Condition).map(Self)
    }
}
