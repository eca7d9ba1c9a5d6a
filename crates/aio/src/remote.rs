//! What other threads may touch of a loop: a queue, and one wake for all that is in it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Waker,
};

use async_task::Runnable;
use crossbeam_queue::SegQueue;

use crate::error::LoopClosed;

/// Wakes from other threads find their loop here by its number, so that a task needs no counted reference to it.
static LOOPS: RwLock<BTreeMap<u64, Arc<Remote>>> = RwLock::new(BTreeMap::new());

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// A task that is to be polled once; its metadata is the number of its loop.
pub(crate) type Step = Runnable<u64>;

pub(crate) enum RemoteItem {
    /// A task of the loop was woken.
    Step(Step),
    /// The future of `run_until_complete` was woken.
    Main,
    /// `call_soon_threadsafe`.
    Call(Box<dyn FnOnce() + Send>),
}

pub(crate) struct Remote {
    id: u64,
    queue: SegQueue<RemoteItem>,
    /// Set by the first item after a drain; whoever sets it wakes the loop, the others need not.
    notified: AtomicBool,
    closed: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Remote {
    pub(crate) fn register() -> Arc<Self> {
        // Relaxed: only uniqueness matters.
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let remote = Arc::new(Remote {
            id,
            queue: SegQueue::new(),
            notified: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            waker: Mutex::new(None),
        });
        LOOPS
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, remote.clone());
        remote
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    fn waker(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The waker that makes the loop's root future run again.
    pub(crate) fn set_waker(&self, waker: &Waker) {
        *self.waker() = Some(waker.clone());
    }

    pub(crate) fn push(&self, item: RemoteItem) -> Result<(), LoopClosed> {
        if self.closed.load(Ordering::SeqCst) {
            discard(item);
            return Err(LoopClosed);
        }
        self.queue.push(item);
        // SeqCst pairs with `close`: either it sees this item in its drain, or this load sees it closed.
        if self.closed.load(Ordering::SeqCst) {
            self.discard_all();
            return Err(LoopClosed);
        }
        // AcqRel pairs with the swap in `drain`: an item pushed before it is seen there.
        if !self.notified.swap(true, Ordering::AcqRel) {
            let waker = self.waker().clone();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        Ok(())
    }

    /// Hands over all that has come. Cheap when nothing has.
    pub(crate) fn drain(&self, mut take: impl FnMut(RemoteItem)) {
        if !self.notified.load(Ordering::Relaxed) {
            return;
        }
        self.drain_now(&mut take);
    }

    /// As [`drain`](Remote::drain), without the look at the flag first.
    pub(crate) fn drain_now(&self, take: &mut dyn FnMut(RemoteItem)) {
        self.notified.swap(false, Ordering::AcqRel);
        while let Some(item) = self.queue.pop() {
            take(item);
        }
    }

    /// Refuses everything from now on and drops what is still queued.
    pub(crate) fn close(&self) {
        LOOPS
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.id);
        self.closed.store(true, Ordering::SeqCst);
        self.discard_all();
    }

    fn discard_all(&self) {
        while let Some(item) = self.queue.pop() {
            discard(item);
        }
    }
}

/// A step may hold what must not be dropped on this thread; after an orderly close none is left to come.
fn discard(item: RemoteItem) {
    match item {
        RemoteItem::Step(runnable) => std::mem::forget(runnable),
        other => drop(other),
    }
}

/// Schedules a task of the loop numbered `id` from a thread on which that loop does not run just now.
pub(crate) fn schedule(id: u64, item: RemoteItem) {
    let remote = LOOPS
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&id)
        .cloned();
    match remote {
        // The error says that the loop closed meanwhile, and its tasks with it.
        Some(remote) => {
            let _ = remote.push(item);
        }
        None => discard(item),
    }
}
