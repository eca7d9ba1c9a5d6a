//! A place where tasks wait for each other.

use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
};

use super::waiters::Waiters;
use crate::error::Broken;

/// Tasks wait here until there are as many as the barrier asks for; then all go on, and the barrier serves again.
///
/// ```
/// use aio::sync::Barrier;
///
/// let barrier = Barrier::new(3);
/// let places = aio::run(aio::gather((0..3).map(async |_| barrier.wait().await)))?.unwrap();
/// assert_eq!(places.iter().filter(|place| place.is_leader()).count(), 1);
/// # Ok::<(), aio::RunError>(())
/// ```
pub struct Barrier {
    parties: usize,
    broken: Cell<bool>,
    round: RefCell<Rc<Round>>,
}

/// One filling of the barrier.
#[derive(Default)]
struct Round {
    arrived: Cell<usize>,
    left: Cell<bool>,
    broken: Cell<bool>,
    waiters: Waiters,
}

/// What a task that came through a [`Barrier`] learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BarrierWait {
    place: usize,
}

impl BarrierWait {
    /// In which place the task came: 0 is the first.
    pub fn place(&self) -> usize {
        self.place
    }

    /// True for exactly one task of each round.
    pub fn is_leader(&self) -> bool {
        self.place == 0
    }
}

impl Barrier {
    /// A barrier for so many tasks; zero counts as one.
    pub fn new(parties: usize) -> Self {
        Barrier {
            parties: parties.max(1),
            broken: Cell::new(false),
            round: RefCell::default(),
        }
    }

    /// Waits for the others. Dropping the wait leaves the others waiting for one more.
    ///
    /// # Errors
    ///
    /// [`Broken`], when the barrier was aborted, or reset while this waited.
    pub async fn wait(&self) -> Result<BarrierWait, Broken> {
        if self.broken.get() {
            return Err(Broken);
        }
        let round = self.round.borrow().clone();
        let place = round.arrived.get();
        round.arrived.set(place + 1);
        if place + 1 == self.parties {
            round.left.set(true);
            *self.round.borrow_mut() = Rc::default();
            round.waiters.call_all();
            return Ok(BarrierWait { place });
        }
        let leaving = Leaving(&round);
        round.waiters.wait(|| ()).await;
        std::mem::forget(leaving);
        if round.broken.get() {
            Err(Broken)
        } else {
            Ok(BarrierWait { place })
        }
    }

    /// How many tasks it waits for in each round.
    pub fn parties(&self) -> usize {
        self.parties
    }

    /// How many wait now.
    pub fn waiting(&self) -> usize {
        self.round.borrow().arrived.get()
    }

    /// Breaks it: those who wait and those who come get [`Broken`], until it is reset.
    pub fn abort(&self) {
        self.broken.set(true);
        self.break_round();
    }

    /// Makes it whole again. Those who wait get [`Broken`].
    pub fn reset(&self) {
        self.broken.set(false);
        self.break_round();
    }

    /// Whether it is broken.
    pub fn is_broken(&self) -> bool {
        self.broken.get()
    }

    fn break_round(&self) {
        let round = self.round.replace(Rc::default());
        round.broken.set(true);
        round.left.set(true);
        round.waiters.call_all();
    }
}

/// Takes back the arrival of one who does not wait to the end.
struct Leaving<'a>(&'a Round);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if !self.0.left.get() {
            self.0.arrived.set(self.0.arrived.get() - 1);
        }
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("parties", &self.parties)
            .field("waiting", &self.waiting())
            .field("broken", &self.is_broken())
            .finish()
    }
}
