//! Which locks a thread holds.

use super::cycle::Step;
use super::graph::{self, Id, Order};
use super::hook;
use crate::thread;
use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};

/// A lock's part in the watch.
pub(crate) struct Tag(AtomicU64);

/// A guard's part in the watch: the lock counts as held until it is dropped.
pub(crate) struct Held(Id);

/// While this lives, the thread has given a lock up; it holds it again afterwards.
pub(crate) struct GivenUp(Vec<Entry>);

#[derive(Clone, Copy)]
struct Entry {
    id: Id,
    at: &'static Location<'static>,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

thread_local! {
    /// What this thread holds, oldest first; a reentrant lock once for each level.
    static HELD: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
    /// Whether this thread is inside of the hook.
    static REPORTING: Cell<bool> = const { Cell::new(false) };
}

/// Works on what the thread holds. While its thread-local values are being dropped, nothing is watched.
fn with_held<R>(f: impl FnOnce(&mut Vec<Entry>) -> R) -> Option<R> {
    HELD.try_with(|held| f(&mut held.borrow_mut())).ok()
}

impl Tag {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// The lock's number, given at the first use, since locks are made in constants too.
    fn id(&self) -> Id {
        // Relaxed: the number stands for itself, nothing is published with it.
        let id = self.0.load(Ordering::Relaxed);
        if id != 0 {
            return id;
        }
        let new = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let set = self
            .0
            .compare_exchange(0, new, Ordering::Relaxed, Ordering::Relaxed);
        set.err().unwrap_or(new)
    }

    /// The thread is about to wait for the lock, whether or not it already holds it.
    #[track_caller]
    pub(crate) fn wanted(&self) {
        wanted(self.id(), Location::caller());
    }

    /// The thread is about to wait for the lock, unless it already holds it.
    #[track_caller]
    pub(crate) fn wanted_by_others(&self) {
        let id = self.id();
        if with_held(|held| held.iter().all(|entry| entry.id != id)) == Some(true) {
            wanted(id, Location::caller());
        }
    }

    /// The thread has taken the lock.
    #[track_caller]
    pub(crate) fn taken(&self) -> Held {
        let id = self.id();
        let at = Location::caller();
        let _ = with_held(|held| held.push(Entry { id, at }));
        Held(id)
    }
}

impl Drop for Tag {
    fn drop(&mut self) {
        let id = *self.0.get_mut();
        if id != 0 {
            graph::forget(id);
        }
    }
}

impl Held {
    /// The thread gives every level of the lock up, and is going to wait for it again.
    #[track_caller]
    pub(crate) fn given_up(&self) -> GivenUp {
        let levels = with_held(|held| held.extract_if(.., |entry| entry.id == self.0).collect());
        wanted(self.0, Location::caller());
        GivenUp(levels.unwrap_or_default())
    }
}

impl Drop for GivenUp {
    fn drop(&mut self) {
        let _ = with_held(|held| held.append(&mut self.0));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = with_held(|held| {
            // Guards may be dropped in any order.
            let newest = held.iter().rposition(|entry| entry.id == self.0);
            newest.map(|index| held.remove(index))
        });
    }
}

fn wanted(id: Id, at: &'static Location<'static>) {
    if REPORTING.try_with(Cell::get) != Ok(false) {
        return;
    }
    // Copied, since the hook may take locks.
    let Some(held) = with_held(|held| held.clone()) else {
        return;
    };
    for entry in held {
        let order = Order {
            held: entry.id,
            wanted: id,
        };
        let step = || Step {
            thread: thread::current_name(),
            held_at: entry.at,
            wanted_at: at,
        };
        if let Some(cycle) = graph::note(order, step) {
            let _ = REPORTING.try_with(|reporting| reporting.set(true));
            hook::report(&cycle);
            let _ = REPORTING.try_with(|reporting| reporting.set(false));
        }
    }
}
