//! What other threads may touch of a loop: a queue, and one wake for all that is in it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::Waker,
};

use crossbeam_queue::SegQueue;

use crate::{error::LoopClosed, task::Arrival};

/// Wakes from other threads find their loop here by its number, so that a task needs no counted reference to it.
static LOOPS: RwLock<BTreeMap<u32, Arc<Remote>>> = RwLock::new(BTreeMap::new());

/// Four thousand million loops later a number comes again, which is harmless unless a waker of that first loop still
/// lives; then it wakes a task of the other in vain.
static NEXT_ID: AtomicU32 = AtomicU32::new(1);

pub(crate) enum RemoteItem {
    /// A task of the loop was woken.
    Wake(Arrival),
    /// `call_soon_threadsafe`.
    Call(Box<dyn FnOnce() + Send>),
}

pub(crate) struct Remote {
    id: u32,
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

    pub(crate) fn id(&self) -> u32 {
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
        while self.queue.pop().is_some() {}
    }
}

/// Hands a wake to the loop numbered `id` from a thread on which it does not run just now. A loop that is closed has
/// nothing left to wake.
pub(crate) fn schedule(id: u32, item: RemoteItem) {
    let remote = LOOPS
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&id)
        .cloned();
    if let Some(remote) = remote {
        let _ = remote.push(item);
    }
}
