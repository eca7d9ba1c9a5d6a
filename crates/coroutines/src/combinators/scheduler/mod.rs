//! Many coroutines, one after the other.

use alloc::vec::Vec;
use core::fmt;
use core::pin::Pin;

use crate::raw::ResumeOutcome;
use crate::{Coroutine, CoroutineState};

mod run_queue;
use run_queue::RunQueue;

/// Takes turns among coroutines: round robin, within each of the priorities in use; higher ones go first.
///
/// `C` is what is scheduled, usually [`Boxed<'_, Y, (), R>`](crate::Boxed). A [`step`](Self::step) resumes one and says
/// which, and what came of it. What a yielded value means is up to the caller: a bare turn, or a wish like "not before
/// tomorrow", which it grants with [`suspend`](Self::suspend) and, later, [`wake`](Self::wake) (see the
/// `event_loop_by_hand` example). Each of these takes constant time, but for the number of priorities in use.
///
/// Dropping the scheduler drops its coroutines where they wait.
///
/// # Examples
///
/// ```
/// use coroutines::{Co, Scheduler, generator};
///
/// let count = |n: u32| generator(async move |mut co: Co<'_, u32>| co.yield_all(0..n).await).boxed();
/// let mut scheduler = Scheduler::new();
/// scheduler.spawn(count(3));
/// scheduler.spawn(count(2));
/// let urgent = scheduler.spawn_at(1, count(1));
///
/// let mut seen = Vec::new();
/// scheduler.run(|id, state| {
///     if let Some(n) = state.yielded() {
///         seen.push((id == urgent, n));
///     }
/// });
/// assert_eq!(seen, [(true, 0), (false, 0), (false, 0), (false, 1), (false, 1), (false, 2)]);
/// ```
pub struct Scheduler<C> {
    slots: Vec<Slot<C>>,
    /// Vacant slots, to be used again.
    vacant: Vec<u32>,
    run_queue: RunQueue,
}

struct Slot<C> {
    /// How many coroutines this slot has held before: makes old ids stale.
    round: u32,
    priority: i32,
    /// `None`: vacant.
    body: Option<C>,
}

/// Names a coroutine of a [`Scheduler`]. Once that has ended, the id names nothing: an id is not used again until a slot
/// has been through four thousand million coroutines.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Id {
    slot: u32,
    round: u32,
}

impl<C> Scheduler<C> {
    /// A scheduler without coroutines.
    pub const fn new() -> Self {
        Self {
            slots: Vec::new(),
            vacant: Vec::new(),
            run_queue: RunQueue::new(),
        }
    }

    /// How many coroutines there are that have not ended, suspended ones included.
    pub fn len(&self) -> usize {
        self.slots.len() - self.vacant.len()
    }

    /// Whether there is no coroutine.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a [`step`](Self::step) would resume one.
    pub fn is_ready(&self) -> bool {
        !self.run_queue.is_empty()
    }

    /// Adds a coroutine of priority 0. Its turn comes after those of the ones that are there.
    ///
    /// # Panics
    ///
    /// When there are 2^32 - 1 coroutines.
    pub fn spawn(&mut self, body: C) -> Id {
        self.spawn_at(0, body)
    }

    /// Adds a coroutine of a priority. It is not resumed while one of a higher priority is ready.
    ///
    /// # Panics
    ///
    /// When there are 2^32 - 1 coroutines.
    pub fn spawn_at(&mut self, priority: i32, body: C) -> Id {
        let slot = self.vacant.pop().unwrap_or_else(|| {
            let new = u32::try_from(self.slots.len())
                .ok()
                .filter(|new| *new < u32::MAX);
            let Some(new) = new else {
                panic!("a scheduler holds at most 2^32 - 1 coroutines: use several")
            };
            self.slots.push(Slot {
                round: 0,
                priority,
                body: None,
            });
            self.run_queue.grow();
            new
        });
        let at = &mut self.slots[slot as usize];
        at.priority = priority;
        at.body = Some(body);
        self.run_queue.insert(slot, priority);
        Id {
            slot,
            round: at.round,
        }
    }

    /// Takes a coroutine's turns away until it is [woken](Self::wake). `false` if it has ended or is suspended already.
    pub fn suspend(&mut self, id: Id) -> bool {
        self.live(id)
            .is_some_and(|priority| self.run_queue.remove(id.slot, priority))
    }

    /// Gives a suspended coroutine its turns back, after the ones that are ready. `false` if it has ended or is not
    /// suspended.
    pub fn wake(&mut self, id: Id) -> bool {
        self.live(id)
            .is_some_and(|priority| self.run_queue.insert(id.slot, priority))
    }

    /// Moves a coroutine to another priority, after the ones that are ready there. `false` if it has ended.
    pub fn set_priority(&mut self, id: Id, priority: i32) -> bool {
        let Some(before) = self.live(id) else {
            return false;
        };
        self.slots[id.slot as usize].priority = priority;
        if self.run_queue.remove(id.slot, before) {
            self.run_queue.insert(id.slot, priority);
        }
        true
    }

    /// Takes a coroutine out, ready or suspended, wherever it waits. `None` if it has ended.
    pub fn remove(&mut self, id: Id) -> Option<C> {
        let priority = self.live(id)?;
        self.run_queue.remove(id.slot, priority);
        self.vacate(id.slot)
    }

    /// The priority of a coroutine that has not ended.
    fn live(&self, id: Id) -> Option<i32> {
        let slot = self.slots.get(id.slot as usize)?;
        (slot.round == id.round && slot.body.is_some()).then_some(slot.priority)
    }

    /// Takes the coroutine out of a slot, which is vacant from then on; `None` and no change if it is vacant already.
    fn vacate(&mut self, slot: u32) -> Option<C> {
        let at = &mut self.slots[slot as usize];
        let body = at.body.take()?;
        at.round = at.round.wrapping_add(1);
        self.vacant.push(slot);
        Some(body)
    }
}

impl<C: Coroutine + Unpin> Scheduler<C> {
    /// Resumes the coroutine whose turn it is, and tells what came of it; `None` when none is ready.
    ///
    /// # Panics
    ///
    /// A panic of the body passes through; the coroutine is removed. So is one that awaits a foreign future, which panics
    /// as [`Coroutine::resume`] does.
    #[inline]
    #[expect(clippy::type_complexity, reason = "the pair is taken apart at once")]
    pub fn step(&mut self) -> Option<(Id, CoroutineState<C::Yield, C::Return>)> {
        loop {
            let slot = self.run_queue.advance()?;
            let ended = Ended {
                scheduler: self,
                slot,
            };
            let at = &mut ended.scheduler.slots[slot as usize];
            let id = Id {
                slot,
                round: at.round,
            };
            let Some(body) = &mut at.body else {
                unreachable!("a slot is vacated when it has left the run queue")
            };
            match Pin::new(body).step(()) {
                ResumeOutcome::Yielded(value) => {
                    core::mem::forget(ended);
                    return Some((id, CoroutineState::Yielded(value)));
                }
                ResumeOutcome::Complete(value) => {
                    return Some((id, CoroutineState::Complete(value)));
                }
                ResumeOutcome::Finished => {}
                stuck => {
                    drop(ended);
                    stuck.raise()
                }
            }
        }
    }

    /// [Steps](Self::step) until none is ready, and tells `each` what came of each step.
    ///
    /// Coroutines that were suspended before are still there afterwards.
    ///
    /// # Panics
    ///
    /// As [`step`](Self::step).
    pub fn run(&mut self, mut each: impl FnMut(Id, CoroutineState<C::Yield, C::Return>)) {
        while let Some((id, state)) = self.step() {
            each(id, state);
        }
    }
}

/// Removes a coroutine on every way out of its step but a yield, a panic included.
struct Ended<'s, C> {
    scheduler: &'s mut Scheduler<C>,
    slot: u32,
}

impl<C> Drop for Ended<'_, C> {
    fn drop(&mut self) {
        let priority = self.scheduler.slots[self.slot as usize].priority;
        self.scheduler.run_queue.remove(self.slot, priority);
        drop(self.scheduler.vacate(self.slot));
    }
}

impl<C> Default for Scheduler<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> fmt::Debug for Scheduler<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler")
            .field("len", &self.len())
            .field("ready", &self.is_ready())
            .finish_non_exhaustive()
    }
}
