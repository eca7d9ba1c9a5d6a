//! Waiting, between processes, for a change of what a lock guards.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::error::{ConditionError, SystemError};

use super::memory::{Kind, LockFailure, Memory, Recheck, SLOT_LIMIT, StateGuard, shared_handle};
use super::slots::{NOTIFIED, WAITING};
use super::{LockGuard, RLockGuard};

/// The number of waits so far.
const NEXT_TICKET: usize = 0;

/// A guard that [`Condition`] gives back while it waits: a [`LockGuard`] or a [`RLockGuard`].
pub trait Guard: sealed::Guard {}

mod sealed {
    use super::{LockGuard, RLockGuard};

    pub trait Guard {
        /// The number of guards of the lock.
        type Depth;
        fn unlock(&self) -> Self::Depth;
        /// True: what the lock guards is consistent. `None`: the memory was overwritten.
        fn lock(&self, depth: Self::Depth) -> Option<bool>;
    }

    impl Guard for LockGuard<'_> {
        type Depth = ();

        fn unlock(&self) {
            self.unlock_for_now();
        }

        fn lock(&self, (): ()) -> Option<bool> {
            self.lock_again().ok()
        }
    }

    impl Guard for RLockGuard<'_> {
        type Depth = u32;

        fn unlock(&self) -> u32 {
            self.unlock_for_now()
        }

        fn lock(&self, depth: u32) -> Option<bool> {
            self.lock_again(depth).ok()
        }
    }
}

impl Guard for LockGuard<'_> {}

impl Guard for RLockGuard<'_> {}

/// A meeting point of processes' threads, which wait for a change of what a [`Lock`](super::Lock) or an
/// [`RLock`](super::RLock) guards.
///
/// Waiting unlocks, and locks again before it returns. Each notification wakes one waiting thread, the one that has waited
/// longest. A waiter that is killed passes its notification on to another one. Always use a condition with the same lock,
/// and own it while notifying: otherwise the notification may come just before the wait.
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
#[doc(alias = "Condvar")]
#[derive(Clone)]
#[must_use = "a primitive does nothing unless its methods are called"]
pub struct Condition(Arc<Memory>);

impl Condition {
    /// Makes a condition. Up to 4096 threads can wait at the same time.
    ///
    /// # Errors
    ///
    /// The system refuses: too many open files, no address space.
    pub fn new() -> Result<Self, SystemError> {
        Memory::new(Kind::Condition).map(Self)
    }

    /// Unlocks, blocks until a notification, and locks again.
    ///
    /// # Errors
    ///
    /// [`OwnerDied`](ConditionError::OwnerDied) when an owner of the lock has died,
    /// [`Exhausted`](ConditionError::Exhausted) when too many threads wait, and [`Broken`](ConditionError::Broken).
    pub fn wait(&self, guard: &mut impl Guard) -> Result<(), ConditionError> {
        self.wait_by(guard, None)
    }

    /// As [`wait`](Self::wait), but blocks at most for `time` until a notification. Locking again may take longer.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait), and [`TimedOut`](ConditionError::TimedOut).
    pub fn wait_for(&self, guard: &mut impl Guard, time: Duration) -> Result<(), ConditionError> {
        self.wait_by(guard, Instant::now().checked_add(time))
    }

    /// As [`wait`](Self::wait), but blocks until `deadline` at the latest for a notification. Locking again may take longer.
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

    /// Waits while a predicate holds. It is called with the lock owned: before the first wait and after each notification.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_while(
        &self,
        guard: &mut impl Guard,
        predicate: impl FnMut() -> bool,
    ) -> Result<(), ConditionError> {
        self.wait_while_by(guard, None, predicate)
    }

    /// As [`wait_while`](Self::wait_while), at most for `time` in all.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait), and [`TimedOut`](ConditionError::TimedOut) when the predicate still holds.
    pub fn wait_while_for(
        &self,
        guard: &mut impl Guard,
        time: Duration,
        predicate: impl FnMut() -> bool,
    ) -> Result<(), ConditionError> {
        self.wait_while_by(guard, Instant::now().checked_add(time), predicate)
    }

    /// As [`wait_while`](Self::wait_while), until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`wait_while_for`](Self::wait_while_for).
    pub fn wait_while_until(
        &self,
        guard: &mut impl Guard,
        deadline: Instant,
        predicate: impl FnMut() -> bool,
    ) -> Result<(), ConditionError> {
        self.wait_while_by(guard, Some(deadline), predicate)
    }

    fn wait_while_by(
        &self,
        guard: &mut impl Guard,
        deadline: Option<Instant>,
        mut predicate: impl FnMut() -> bool,
    ) -> Result<(), ConditionError> {
        while predicate() {
            match self.wait_by(guard, deadline) {
                // The change may have come at the last moment.
                Err(ConditionError::TimedOut) if !predicate() => break,
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
        let state = self.lock_state(deadline)?;
        // Waiters are numbered under the lock: the list is made again in this order when a process dies inside.
        let ticket = state.word(NEXT_TICKET).fetch_add(1, Relaxed);
        let slot = state.claim_slot(WAITING).ok_or(ConditionError::Exhausted)?;
        state.set_ticket(slot, ticket);
        drop(state);
        let depth = guard.unlock();
        self.sleep(slot, deadline);
        let locked = guard.lock(depth);
        // Only now is a notification consumed: a thread that is killed before leaves it, in its slot, to the others.
        let notified = self.leave(slot)?;
        match locked {
            None => Err(ConditionError::Broken),
            Some(false) => Err(ConditionError::OwnerDied),
            Some(true) if notified => Ok(()),
            Some(true) => Err(ConditionError::TimedOut),
        }
    }

    /// Gives up a slot. True: its thread was notified.
    fn leave(&self, slot: usize) -> Result<bool, ConditionError> {
        match self.lock_state(None) {
            Ok(state) => {
                let notified = state.state(slot) == NOTIFIED;
                state.release_slot(slot);
                Ok(notified)
            }
            Err(error) => {
                self.0.unlock_slot(slot);
                Err(error)
            }
        }
    }

    /// Sleeps until notified, or until the deadline; passes on what dead waiters were notified of meanwhile.
    fn sleep(&self, slot: usize, deadline: Option<Instant>) {
        let mut recheck = Recheck::new();
        while self.0.state(slot) == WAITING
            && self.0.is_intact()
            && let Some(time) = recheck.next_sleep(deadline)
        {
            self.0.sleep(slot, WAITING, time);
            if self.0.state(slot) == WAITING && self.0.notified() > 0 && self.0.sweep_is_due() {
                self.pass_on();
            }
        }
    }

    /// Passes the notifications of dead waiters on to others.
    fn pass_on(&self) {
        if let Ok(state) = self.lock_state(None) {
            let notified = state.notified_slots();
            let dead = notified.iter().filter(|slot| state.reclaim(**slot)).count();
            let woken = notify(&state, dead);
            drop(state);
            self.0.wake(&woken);
        }
    }

    fn lock_state(&self, deadline: Option<Instant>) -> Result<StateGuard<'_>, ConditionError> {
        match self.0.lock_state(deadline) {
            Ok((state, _)) => Ok(state),
            Err(LockFailure::TimedOut) => Err(ConditionError::TimedOut),
            Err(LockFailure::Broken) => Err(ConditionError::Broken),
        }
    }

    /// Wakes up to `count` waiting threads. Returns the number of threads.
    #[doc(alias = "notify_one")]
    #[doc(alias = "signal")]
    pub fn notify(&self, count: usize) -> usize {
        let Ok(state) = self.lock_state(None) else {
            return 0;
        };
        let woken = notify(&state, count);
        drop(state);
        self.0.wake(&woken);
        woken.len()
    }

    /// Wakes all waiting threads. Returns the number of threads.
    #[doc(alias = "broadcast")]
    pub fn notify_all(&self) -> usize {
        self.notify(usize::MAX)
    }
}

/// Notifies up to `count` living waiters, in the order of their arrival. The caller wakes them.
fn notify(state: &StateGuard<'_>, count: usize) -> Vec<usize> {
    let mut notified = Vec::new();
    for _ in 0..SLOT_LIMIT {
        if notified.len() == count {
            break;
        }
        let Some(slot) = state.first_waiting() else {
            break;
        };
        if !state.reclaim(slot) {
            state.move_to(slot, NOTIFIED);
            notified.push(slot);
        }
    }
    notified
}

shared_handle!(Condition);
