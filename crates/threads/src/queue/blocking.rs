//! The engine of the queues that are not first-in first-out: one lock around a store.
//!
//! As in the first-in first-out engine, waking and dropping happen after unlocking. The order of a priority
//! is code of the user and does run under the lock; such a store says so, and a thread that comes back to
//! the queue from there is told instead of blocked.

use super::Shutdown;
use super::holder_lock::{Held, HolderLock, Reentered};
use super::task_count::TaskCount;
use crate::error::{GetError, PutError};
use crate::park::Backoff;
use crate::park::sys::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::park::{WaitList, Waiter};
use std::sync::Arc;
use std::time::Instant;
use std::vec::Drain;

/// What decides which item comes out next.
pub(super) trait Store {
    type Item;
    /// Whether `push` and `pop` run code of the user.
    const RUNS_FOREIGN_CODE: bool;

    fn push(&mut self, item: Self::Item);
    fn pop(&mut self) -> Option<Self::Item>;
    fn len(&self) -> usize;
    /// Takes every item, the next first.
    fn take_all(&mut self) -> Vec<Self::Item>;
}

struct State<S> {
    store: S,
    closed: bool,
    getters: WaitList,
    putters: WaitList,
}

/// The engine; the queues are shared handles on it.
pub(super) struct Blocking<S> {
    state: HolderLock<State<S>>,
    /// Published under the lock: items ever put, and ever taken.
    put: AtomicUsize,
    taken: AtomicUsize,
    tasks: TaskCount,
    capacity: usize,
    closed: AtomicBool,
}

impl<S: Store> Blocking<S> {
    pub(super) fn new(store: S, capacity: usize) -> Self {
        Self {
            state: HolderLock::new(State {
                store,
                closed: false,
                getters: WaitList::new(),
                putters: WaitList::new(),
            }),
            put: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
            tasks: TaskCount::new(),
            capacity,
            closed: AtomicBool::new(false),
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn len(&self) -> usize {
        // `taken` first: the difference is then never negative.
        let taken = self.taken.load(Ordering::Acquire);
        let put = self.put.load(Ordering::Acquire);
        put.wrapping_sub(taken).min(self.capacity)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn tasks(&self) -> &TaskCount {
        &self.tasks
    }

    pub(super) fn put_count(&self) -> usize {
        self.put.load(Ordering::Acquire)
    }

    pub(super) fn taken_count(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }

    fn lock(&self) -> Result<Held<'_, State<S>>, Reentered> {
        if S::RUNS_FOREIGN_CODE {
            self.state.lock_as_holder()
        } else {
            Ok(self.state.lock())
        }
    }

    /// Publishes the counts and returns who may go on. Called with every change of the store.
    fn changed(&self, state: &mut State<S>, taken: usize) {
        let taken = self.taken.load(Ordering::Relaxed).wrapping_add(taken);
        // `put` first: whoever sees the new `taken` sees a `put` that is not smaller.
        self.put
            .store(taken.wrapping_add(state.store.len()), Ordering::Release);
        self.taken.store(taken, Ordering::Release);
    }

    fn offer(&self, item: S::Item) -> Result<(), PutError<S::Item>> {
        let Ok(mut state) = self.lock() else {
            return Err(PutError::Reentered(item));
        };
        if state.closed {
            return Err(PutError::Closed(item));
        }
        if state.store.len() >= self.capacity {
            return Err(PutError::Full(item));
        }
        state.store.push(item);
        self.changed(&mut state, 0);
        let getter = state.getters.pop();
        drop(state);
        if let Some(getter) = getter {
            getter.notify();
        }
        Ok(())
    }

    pub(super) fn try_put(&self, item: S::Item) -> Result<(), PutError<S::Item>> {
        self.offer(item)
    }

    pub(super) fn put(
        &self,
        item: S::Item,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<(), PutError<S::Item>> {
        self.put_with(|item| self.offer(item), item, deadline)
    }

    /// Puts as many as there is room for, without waiting. `Full` if some are left.
    pub(super) fn try_put_many(&self, items: &mut Drain<'_, S::Item>) -> Result<(), PutError<()>> {
        let mut state = self.lock().map_err(|_| PutError::Reentered(()))?;
        if state.closed {
            return Err(PutError::Closed(()));
        }
        let room = self.capacity - state.store.len();
        let before = items.len();
        items.take(room).for_each(|item| state.store.push(item));
        self.changed(&mut state, 0);
        let getters = state.getters.pop_many(before - items.len());
        drop(state);
        getters.notify_all();
        match items.len() {
            0 => Ok(()),
            _ => Err(PutError::Full(())),
        }
    }

    /// Puts all, waiting for room until the deadline. What was not put is left.
    pub(super) fn put_many(
        &self,
        items: &mut Drain<'_, S::Item>,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<(), PutError<()>> {
        self.put_with(|()| self.try_put_many(items), (), deadline)
    }

    fn put_with<I>(
        &self,
        mut offer: impl FnMut(I) -> Result<(), PutError<I>>,
        mut item: I,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<(), PutError<I>> {
        match offer(item) {
            Err(PutError::Full(back)) => item = back,
            other => return other,
        }
        let deadline = deadline();
        loop {
            let full = |state: &State<S>| state.store.len() >= self.capacity && !state.closed;
            let in_time = self.sleep(|| self.len() >= self.capacity, full, putters, deadline);
            match offer(item) {
                Err(PutError::Full(back)) if !in_time => return Err(PutError::TimedOut(back)),
                Err(PutError::Full(back)) => item = back,
                other => return other,
            }
        }
    }

    fn take(&self) -> Result<S::Item, GetError> {
        let mut state = self.lock().map_err(|_| GetError::Reentered)?;
        let Some(item) = state.store.pop() else {
            return Err(if state.closed {
                GetError::Closed
            } else {
                GetError::Empty
            });
        };
        self.changed(&mut state, 1);
        let putter = state.putters.pop();
        drop(state);
        if let Some(putter) = putter {
            putter.notify();
        }
        Ok(item)
    }

    pub(super) fn try_get(&self) -> Result<S::Item, GetError> {
        self.take()
    }

    pub(super) fn get(
        &self,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<S::Item, GetError> {
        self.get_with(|| self.take(), deadline)
    }

    /// Takes up to `max` items that are there, into the spare room of `items`.
    fn take_many(&self, items: &mut Vec<S::Item>, max: usize) -> Result<usize, GetError> {
        items.reserve(max.min(self.len()).max(1));
        let room = max.min(items.capacity() - items.len());
        let before = items.len();
        let mut state = self.lock().map_err(|_| GetError::Reentered)?;
        while items.len() - before < room
            && let Some(item) = state.store.pop()
        {
            items.push(item);
        }
        let n = items.len() - before;
        if n == 0 && max > 0 {
            return Err(if state.closed {
                GetError::Closed
            } else {
                GetError::Empty
            });
        }
        self.changed(&mut state, n);
        let putters = state.putters.pop_many(n);
        drop(state);
        putters.notify_all();
        Ok(n)
    }

    pub(super) fn try_get_many(
        &self,
        items: &mut Vec<S::Item>,
        max: usize,
    ) -> Result<usize, GetError> {
        self.take_many(items, max)
    }

    pub(super) fn get_many(
        &self,
        items: &mut Vec<S::Item>,
        max: usize,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<usize, GetError> {
        self.get_with(|| self.take_many(items, max), deadline)
    }

    fn get_with<R>(
        &self,
        mut take: impl FnMut() -> Result<R, GetError>,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<R, GetError> {
        let first = take();
        if !matches!(first, Err(GetError::Empty)) {
            return first;
        }
        let deadline = deadline();
        loop {
            let empty = |state: &State<S>| state.store.len() == 0 && !state.closed;
            let in_time = self.sleep(|| self.len() == 0, empty, getters, deadline);
            match take() {
                Err(GetError::Empty) if !in_time => return Err(GetError::TimedOut),
                Err(GetError::Empty) => {}
                other => return other,
            }
        }
    }

    /// Spins, then sleeps in one of the lists. False: the deadline passed. The caller tries once more in any
    /// case, so a wake-up that comes with the deadline is not lost.
    fn sleep(
        &self,
        hint: impl Fn() -> bool,
        blocked: impl Fn(&State<S>) -> bool,
        list: fn(&mut State<S>) -> &mut WaitList,
        deadline: Option<Instant>,
    ) -> bool {
        let mut backoff = Backoff::new();
        while hint() && !self.is_closed() {
            if backoff.snooze() {
                continue;
            }
            let waiter = Waiter::new();
            let mut state = self.state.lock();
            if !blocked(&state) {
                break;
            }
            list(&mut state).push(waiter.clone());
            drop(state);
            return waiter.wait(deadline) || !list(&mut self.state.lock()).remove(&waiter);
        }
        true
    }

    /// Closes the queue, wakes everyone, and gives back the items that are dropped with it.
    pub(super) fn shutdown(&self, how: Shutdown) -> Vec<S::Item> {
        let Ok(mut state) = self.lock() else {
            panic!("a queue cannot be shut down from the order of its priorities");
        };
        state.closed = true;
        self.closed.store(true, Ordering::Release);
        let dropped = match how {
            Shutdown::Drain => Vec::new(),
            Shutdown::Immediate => state.store.take_all(),
        };
        self.changed(&mut state, dropped.len());
        let sleepers = [
            std::mem::take(&mut state.getters),
            std::mem::take(&mut state.putters),
        ];
        drop(state);
        sleepers.into_iter().for_each(WaitList::notify_all);
        self.tasks.discard(dropped.len(), || self.put_count());
        dropped
    }

    /// Puts a sleeper on the list of getters; it must look again before it sleeps.
    pub(super) fn listen(&self, waiter: Arc<Waiter>) {
        self.state.lock().getters.push(waiter);
    }

    /// Takes a sleeper off the list. If it was woken, the next getter is: the item is still there.
    pub(super) fn unlisten(&self, waiter: &Arc<Waiter>) {
        let mut state = self.state.lock();
        let next = if !state.getters.remove(waiter) && state.store.len() > 0 {
            state.getters.pop()
        } else {
            None
        };
        drop(state);
        if let Some(next) = next {
            next.notify();
        }
    }
}

fn getters<S>(state: &mut State<S>) -> &mut WaitList {
    &mut state.getters
}

fn putters<S>(state: &mut State<S>) -> &mut WaitList {
    &mut state.putters
}
