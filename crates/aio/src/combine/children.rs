//! Many futures polled in place by one, each with a waker of its own: a wake costs the same however many there are.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// Futures that are owned here and polled when they were woken, in the order of their wakes.
///
/// They live in this value and are never handed to anything that outlives it, so they may borrow: leaking it only means
/// that they are never polled again. Their wakers own nothing but a number and the wake queue.
pub(crate) struct Children<F> {
    slots: Vec<Option<Child<F>>>,
    woken: Arc<Woken>,
    live: usize,
}

struct Child<F> {
    future: Pin<Box<F>>,
    waker: Waker,
    flag: Arc<ChildWake>,
}

/// The numbers of the children to poll, and whom to wake for them.
struct Woken {
    state: Mutex<WokenState>,
}

struct WokenState {
    queue: VecDeque<usize>,
    parent: Option<Waker>,
}

impl Woken {
    fn state(&self) -> MutexGuard<'_, WokenState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct ChildWake {
    number: usize,
    queued: AtomicBool,
    woken: Arc<Woken>,
}

impl Wake for ChildWake {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // AcqRel pairs with the swap in `poll_next`: what the waker's thread wrote is seen by the poll that follows.
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut state = self.woken.state();
        state.queue.push_back(self.number);
        let parent = state.parent.take();
        drop(state);
        if let Some(parent) = parent {
            parent.wake();
        }
    }
}

impl<F: Future> Children<F> {
    /// All children are to be polled, in order.
    pub(crate) fn new(futures: impl Iterator<Item = F>) -> Self {
        let state = WokenState {
            queue: VecDeque::new(),
            parent: None,
        };
        let mut children = Children {
            slots: Vec::new(),
            woken: Arc::new(Woken {
                state: Mutex::new(state),
            }),
            live: 0,
        };
        futures.for_each(|future| children.push(future));
        children
    }

    pub(crate) fn push(&mut self, future: F) {
        let number = self.slots.len();
        let flag = Arc::new(ChildWake {
            number,
            queued: AtomicBool::new(true),
            woken: self.woken.clone(),
        });
        let waker = Waker::from(flag.clone());
        self.slots.push(Some(Child {
            future: Box::pin(future),
            waker,
            flag,
        }));
        self.woken.state().queue.push_back(number);
        self.live += 1;
    }

    /// How many are not done.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// Polls those that were woken until one is done; gives its number and output. Children that are woken during the
    /// poll wait for the next one, so that the loop has its turn.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        budget: &mut usize,
    ) -> Poll<(usize, F::Output)> {
        while let Some(number) = self.next(cx, budget) {
            let Some(child) = &mut self.slots[number] else {
                continue;
            };
            child.flag.queued.swap(false, Ordering::AcqRel);
            let polled = child
                .future
                .as_mut()
                .poll(&mut Context::from_waker(&child.waker));
            if let Poll::Ready(output) = polled {
                self.slots[number] = None;
                self.live -= 1;
                return Poll::Ready((number, output));
            }
        }
        Poll::Pending
    }

    /// How many are woken now: the budget of one poll.
    pub(crate) fn woken(&self) -> usize {
        self.woken.state().queue.len()
    }

    fn next(&self, cx: &Context<'_>, budget: &mut usize) -> Option<usize> {
        let mut state = self.woken.state();
        if *budget > 0
            && let Some(number) = state.queue.pop_front()
        {
            *budget -= 1;
            return Some(number);
        }
        if state.queue.is_empty() {
            state.parent = Some(cx.waker().clone());
        } else {
            drop(state);
            cx.waker().wake_by_ref();
        }
        None
    }

    /// Drops all that are not done.
    pub(crate) fn clear(&mut self) {
        self.live = 0;
        self.slots.clear();
    }
}
