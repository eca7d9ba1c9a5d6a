//! The engine of the queues that are not first-in first-out: one lock around a store.
//!
//! The order of a priority is user code and runs under the lock of the store. It may panic, block, or use the same
//! queue. Three rules follow:
//!
//! - A panic leaves the store as it was, and the counts are published on every path out of the lock ([`Access`]).
//! - Waiters stand in lists of their own, never under the lock of the store. A wait with a time limit limits its
//!   attempts to lock as well.
//! - A thread that comes back to the queue from an order gets an error instead of a deadlock.
//!
//! Memory is allocated and freed, and items are dropped, without the lock.

mod heap;
mod lifo;
mod priority;
mod reentrancy;
mod store;

pub use lifo::LifoQueue;
pub use priority::PriorityQueue;

use super::Shutdown;
use super::task_count::TaskCount;
use crate::error::{GetError, PutError};
use crate::park::sys::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::park::{Backoff, WaitQueue, Waiter};
use reentrancy::{Held, LockFailure, ReentrancyLock};
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Instant;
use std::vec::Drain;
use store::Store;

struct State<S> {
    store: S,
    /// Items ever put.
    put: usize,
}

/// The engine; the queues are shared handles on it.
struct Locked<S> {
    state: ReentrancyLock<State<S>>,
    /// Published by [`Access`]: items ever put, and ever taken.
    put: AtomicUsize,
    taken: AtomicUsize,
    getters: WaitQueue,
    putters: WaitQueue,
    tasks: TaskCount,
    capacity: usize,
    /// Read under the lock by puts: nothing is put after closing.
    closed: AtomicBool,
}

/// The locked state. Its drop publishes the counts before it unlocks, also when an order panics.
struct Access<'a, S: Store> {
    held: Held<'a, State<S>>,
    engine: &'a Locked<S>,
}

impl<S: Store> Drop for Access<'_, S> {
    fn drop(&mut self) {
        let put = self.held.put;
        let taken = put.wrapping_sub(self.held.store.len());
        // `put` first: a thread that sees the new `taken` sees a `put` that is not smaller.
        self.engine.put.store(put, Ordering::Release);
        self.engine.taken.store(taken, Ordering::Release);
    }
}

impl<S: Store> Deref for Access<'_, S> {
    type Target = State<S>;

    fn deref(&self) -> &State<S> {
        &self.held
    }
}

impl<S: Store> DerefMut for Access<'_, S> {
    fn deref_mut(&mut self) -> &mut State<S> {
        &mut self.held
    }
}

/// The time limit of a call, computed when it is needed first: a call that is served at once reads no clock.
struct Limit<F> {
    compute: Option<F>,
    deadline: Option<Instant>,
}

impl<F: FnOnce() -> Option<Instant>> Limit<F> {
    fn new(compute: F) -> Self {
        Self {
            compute: Some(compute),
            deadline: None,
        }
    }

    fn at(&mut self) -> Option<Instant> {
        if let Some(compute) = self.compute.take() {
            self.deadline = compute();
        }
        self.deadline
    }
}

/// No time limit: calls that wait for nothing else wait for the lock as long as it takes.
fn no_limit() -> Option<Instant> {
    None
}

impl<S: Store> Locked<S> {
    fn new(store: S, capacity: usize) -> Self {
        Self {
            state: ReentrancyLock::new(State { store, put: 0 }),
            put: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
            getters: WaitQueue::new(),
            putters: WaitQueue::new(),
            tasks: TaskCount::new(),
            capacity,
            closed: AtomicBool::new(false),
        }
    }

    fn capacity(&self) -> usize {
        self.capacity
    }

    fn len(&self) -> usize {
        // `taken` first: the difference is then never negative.
        let taken = self.taken.load(Ordering::Acquire);
        let put = self.put.load(Ordering::Acquire);
        put.wrapping_sub(taken).min(self.capacity)
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn tasks(&self) -> &TaskCount {
        &self.tasks
    }

    fn put_count(&self) -> usize {
        self.put.load(Ordering::Acquire)
    }

    fn taken_count(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }

    fn lock(&self, limit: impl FnOnce() -> Option<Instant>) -> Result<Access<'_, S>, LockFailure> {
        let held = if S::CALLS_USER_CODE {
            self.state.lock_as_holder(limit)?
        } else {
            self.state.lock()
        };
        Ok(Access { held, engine: self })
    }

    /// Calls what runs orders. If one panics, every waiter looks again before the panic goes on: this thread may
    /// have consumed a wake-up that was meant for another.
    fn contain<R>(&self, f: impl FnOnce() -> R) -> R {
        if !S::CALLS_USER_CODE {
            return f();
        }
        catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|payload| {
            self.wake_all();
            resume_unwind(payload)
        })
    }

    fn wake_all(&self) {
        self.getters.notify(usize::MAX);
        self.putters.notify(usize::MAX);
    }

    fn wake_getters(&self, n: usize) {
        self.getters.notify(n);
    }

    fn wake_putters(&self, n: usize) {
        if self.capacity != usize::MAX {
            self.putters.notify(n);
        }
    }

    /// Puts up to `n` items, whose first is `items.next()`, and returns how many. 0: there is no room.
    fn offer(
        &self,
        items: &mut impl ExactSizeIterator<Item = S::Item>,
        limit: impl FnOnce() -> Option<Instant>,
    ) -> Result<usize, PutError<()>> {
        let mut limit = Limit::new(limit);
        let mut buffer = Vec::new();
        loop {
            // Declared before the lock is taken, so dropped after it is released.
            let mut next = None;
            let mut state = self.lock(|| limit.at()).map_err(LockFailure::put_error)?;
            if self.is_closed() {
                return Err(PutError::Closed(()));
            }
            let room = (self.capacity - state.store.len()).min(items.len());
            if state.store.exchange(&mut buffer, room) {
                let mut n = 0;
                while n < room {
                    next = next.or_else(|| items.next());
                    state.store.push(&mut next);
                    state.put = state.put.wrapping_add(1);
                    n += 1;
                }
                drop(state);
                self.wake_getters(n);
                return Ok(n);
            }
            let wanted = state.store.len() + room;
            drop(state);
            buffer = Vec::with_capacity(wanted.max(2 * buffer.capacity()).max(MIN_ROOM));
        }
    }

    fn try_put(&self, item: S::Item) -> Result<(), PutError<S::Item>> {
        let mut item = Some(item).into_iter();
        let outcome = self.contain(|| self.offer(&mut item, no_limit));
        refused(outcome, item.next())
    }

    fn put(
        &self,
        item: S::Item,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<(), PutError<S::Item>> {
        let mut item = Some(item).into_iter();
        let outcome = self.put_all(&mut item, deadline);
        match (outcome, item.next()) {
            (Err(error), Some(item)) => Err(error.map(|()| item)),
            _ => Ok(()),
        }
    }

    /// Puts as many as there is room for, without waiting. `Full` if some are left.
    fn try_put_many(&self, items: &mut Drain<'_, S::Item>) -> Result<(), PutError<()>> {
        let outcome = self.contain(|| self.offer(items, no_limit));
        refused(outcome, (items.len() > 0).then_some(()))
    }

    /// Puts all, waiting for room until the deadline. What was not put is left.
    fn put_many(
        &self,
        items: &mut Drain<'_, S::Item>,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<(), PutError<()>> {
        self.put_all(items, deadline)
    }

    fn put_all(
        &self,
        items: &mut impl ExactSizeIterator<Item = S::Item>,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<(), PutError<()>> {
        let mut limit = Limit::new(deadline);
        self.contain(|| self.offer(items, || limit.at()))?;
        while items.len() > 0 {
            let deadline = limit.at();
            self.spin_while(|| self.len() >= self.capacity);
            let offered = self.wait(&self.putters, deadline, || {
                match self.offer(items, || deadline) {
                    Ok(0) if items.len() > 0 => None,
                    // The lock was not free until the deadline, which `wait` finds passed as well.
                    Err(PutError::TimedOut(())) => None,
                    done => Some(done),
                }
            });
            offered.unwrap_or(Err(PutError::TimedOut(())))?;
        }
        Ok(())
    }

    /// Waits in `list` until `poll` returns a value or the deadline passes. A panic of `poll` leaves the list whole.
    fn wait<R>(
        &self,
        list: &WaitQueue,
        deadline: Option<Instant>,
        mut poll: impl FnMut() -> Option<R>,
    ) -> Option<R> {
        let polled = list.wait(deadline, || {
            catch_unwind(AssertUnwindSafe(&mut poll)).transpose()
        });
        polled.map(|outcome| {
            self.contain(|| outcome.unwrap_or_else(|payload| resume_unwind(payload)))
        })
    }

    /// Takes up to `max` items that are there and gives each to `receive`. Returns how many.
    fn take(
        &self,
        max: usize,
        mut receive: impl FnMut(S::Item),
        limit: impl FnOnce() -> Option<Instant>,
    ) -> Result<usize, GetError> {
        let mut state = self.lock(limit).map_err(LockFailure::get_error)?;
        let mut n = 0;
        while n < max
            && let Some(item) = state.store.pop()
        {
            receive(item);
            n += 1;
        }
        let closed = self.is_closed();
        drop(state);
        if n == 0 && max > 0 {
            return Err(if closed {
                GetError::Closed
            } else {
                GetError::Empty
            });
        }
        self.wake_putters(n);
        Ok(n)
    }

    /// Takes up to `max` items that are there, into the spare room of `items`.
    fn take_many(
        &self,
        items: &mut Vec<S::Item>,
        max: usize,
        limit: impl FnOnce() -> Option<Instant>,
    ) -> Result<usize, GetError> {
        // The room is made before locking; what is put meanwhile has to wait for the next call.
        items.reserve(max.min(self.len()).max(1));
        let room = max.min(items.capacity() - items.len());
        self.take(room, |item| items.push(item), limit)
    }

    fn take_one(&self, limit: impl FnOnce() -> Option<Instant>) -> Result<S::Item, GetError> {
        let mut taken = None;
        self.take(1, |item| taken = Some(item), limit)?;
        taken.ok_or(GetError::Empty)
    }

    fn try_get(&self) -> Result<S::Item, GetError> {
        self.contain(|| self.take_one(no_limit))
    }

    fn get(&self, deadline: impl FnOnce() -> Option<Instant>) -> Result<S::Item, GetError> {
        self.get_with(|limit| self.take_one(limit), deadline)
    }

    fn try_get_many(&self, items: &mut Vec<S::Item>, max: usize) -> Result<usize, GetError> {
        self.contain(|| self.take_many(items, max, no_limit))
    }

    fn get_many(
        &self,
        items: &mut Vec<S::Item>,
        max: usize,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<usize, GetError> {
        self.get_with(|limit| self.take_many(items, max, limit), deadline)
    }

    fn get_with<R>(
        &self,
        mut take: impl FnMut(&mut dyn FnMut() -> Option<Instant>) -> Result<R, GetError>,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<R, GetError> {
        let mut limit = Limit::new(deadline);
        let first = self.contain(|| take(&mut || limit.at()));
        if !matches!(first, Err(GetError::Empty)) {
            return first;
        }
        let deadline = limit.at();
        self.spin_while(|| self.len() == 0);
        let taken = self.wait(&self.getters, deadline, || match take(&mut || deadline) {
            Err(GetError::Empty | GetError::TimedOut) => None,
            done => Some(done),
        });
        taken.unwrap_or(Err(GetError::TimedOut))
    }

    /// Spins a little while `blocked` holds and the queue is open.
    fn spin_while(&self, blocked: impl Fn() -> bool) {
        let mut backoff = Backoff::new();
        while blocked() && !self.is_closed() && backoff.snooze() {}
    }

    /// Closes the queue and wakes every waiter.
    ///
    /// Needs no lock, so an order of this queue may call it. Both puts and gets read the flag under the lock: a getter
    /// that finds the queue closed and empty comes after every put that found it open.
    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.wake_all();
    }

    /// Closes the queue, wakes every waiter, and returns the items that are dropped with it.
    ///
    /// From an order of this queue it only closes. If an order panics, the items stay.
    fn shutdown(&self, how: Shutdown) -> Vec<S::Item> {
        self.close();
        if how == Shutdown::Drain {
            return Vec::new();
        }
        let mut order = Vec::new();
        let slots = loop {
            // Nothing is put any more: the room is enough the next time.
            order.reserve(self.len());
            let Ok(mut state) = self.lock(no_limit) else {
                return Vec::new();
            };
            if order.capacity() >= state.store.len() {
                state.store.sort(&mut order);
                break state.store.take_all();
            }
        };
        self.tasks.discard(slots.len(), || self.put_count());
        S::arrange(slots, &order)
    }

    /// Enters a waiter into the list of getters. Its thread must look again before it sleeps.
    fn listen(&self, waiter: Arc<Waiter>) {
        self.getters.register(waiter);
    }

    /// Takes a waiter off the list. If it was woken, the next getter is: the item is still there.
    fn unlisten(&self, waiter: &Arc<Waiter>) {
        if !self.getters.unregister(waiter) && self.len() > 0 {
            self.getters.notify(1);
        }
    }
}

/// Slots of the first buffer of a store.
const MIN_ROOM: usize = 4;

/// What a put without waiting returns: `left` is what was not put.
fn refused<I>(outcome: Result<usize, PutError<()>>, left: Option<I>) -> Result<(), PutError<I>> {
    match (outcome, left) {
        (Err(error), Some(item)) => Err(error.map(|()| item)),
        (Ok(_), Some(item)) => Err(PutError::Full(item)),
        (_, None) => Ok(()),
    }
}
