//! A place where a number of threads wait for each other.

use crate::error::Broken;
use crate::park::sys::Mutex;
use crate::park::sys::atomic::{AtomicU8, Ordering};
use crate::park::{WaitList, Waiter, deadline};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

const PENDING: u8 = 0;
const PASSED: u8 = 1;
const BROKEN: u8 = 2;

/// A place where a fixed number of threads wait for each other, again and again.
///
/// Whoever gives up breaks the barrier: one time limit that runs out, an [`abort`](Self::abort) or a panic
/// of the action wakes all who wait, with [`Broken`], and everyone who comes later gets it at once, until
/// a [`reset`](Self::reset). So nobody waits for a thread that will not come.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use threads::Barrier;
///
/// let barrier = Arc::new(Barrier::new(2));
/// let other = barrier.clone();
/// let mut thread = threads::spawn(move || other.wait())?;
/// let mut places = [barrier.wait()?, thread.join()??];
/// places.sort();
/// assert_eq!(places, [0, 1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Barrier {
    parties: usize,
    timeout: Option<Duration>,
    action: Option<Box<dyn Fn() + Send + Sync>>,
    state: Mutex<State>,
}

struct State {
    broken: bool,
    /// Those who wait in the present cycle.
    arrived: usize,
    waiters: WaitList,
    cycle: Arc<AtomicU8>,
}

impl State {
    /// Starts a new cycle and returns the old one with those who wait for its end.
    fn turn(&mut self) -> (Arc<AtomicU8>, WaitList) {
        self.arrived = 0;
        let next = Arc::new(AtomicU8::new(PENDING));
        let cycle = std::mem::replace(&mut self.cycle, next);
        (cycle, std::mem::take(&mut self.waiters))
    }
}

/// Ends a cycle unless it has ended. True: it ended now.
fn settle(cycle: &AtomicU8, end: u8) -> bool {
    let end = cycle.compare_exchange(PENDING, end, Ordering::AcqRel, Ordering::Acquire);
    end.is_ok()
}

fn outcome(cycle: &AtomicU8, place: usize) -> Result<usize, Broken> {
    match cycle.load(Ordering::Acquire) {
        PASSED => Ok(place),
        _ => Err(Broken),
    }
}

impl Barrier {
    /// Makes a barrier for `parties` threads.
    ///
    /// # Panics
    /// If `parties` is 0.
    #[must_use]
    pub fn new(parties: usize) -> Self {
        assert!(parties > 0, "a barrier needs at least one party");
        Self {
            parties,
            timeout: None,
            action: None,
            state: Mutex::new(State {
                broken: false,
                arrived: 0,
                waiters: WaitList::new(),
                cycle: Arc::new(AtomicU8::new(PENDING)),
            }),
        }
    }

    /// Sets the time limit of each [`wait`](Self::wait).
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Sets what the last thread to arrive does before all go on. If it panics, the barrier is broken and
    /// the panic continues in that thread.
    #[must_use]
    pub fn action(mut self, f: impl Fn() + Send + Sync + 'static) -> Self {
        self.action = Some(Box::new(f));
        self
    }

    /// Waits until as many threads as the barrier has parties wait. Returns the caller's place in the order
    /// of arrival, from 0: each place is given once, so `0` may be taken for the leader.
    ///
    /// # Errors
    /// [`Broken`], if the barrier is or becomes broken.
    pub fn wait(&self) -> Result<usize, Broken> {
        self.arrive(self.timeout.and_then(deadline))
    }

    /// Waits as [`wait`](Self::wait), for at most `timeout`; when the time is over, the barrier breaks.
    ///
    /// # Errors
    /// [`Broken`], also if the time is over.
    pub fn wait_for(&self, timeout: Duration) -> Result<usize, Broken> {
        self.arrive(deadline(timeout))
    }

    /// Waits as [`wait`](Self::wait), until `deadline`; when it passes, the barrier breaks.
    ///
    /// # Errors
    /// [`Broken`], also if the time is over.
    pub fn wait_until(&self, deadline: Instant) -> Result<usize, Broken> {
        self.arrive(Some(deadline))
    }

    /// Breaks the barrier.
    pub fn abort(&self) {
        self.end_cycle(true);
    }

    /// Makes the barrier as new: who waits gets [`Broken`], who comes later waits.
    pub fn reset(&self) {
        self.end_cycle(false);
    }

    /// Whether the barrier is broken.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.state.lock().broken
    }

    /// How many threads pass together.
    #[must_use]
    pub fn parties(&self) -> usize {
        self.parties
    }

    /// How many threads wait at this moment.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.state.lock().arrived
    }

    fn end_cycle(&self, broken: bool) {
        let mut state = self.state.lock();
        state.broken = broken;
        let (cycle, waiters) = state.turn();
        drop(state);
        settle(&cycle, BROKEN);
        waiters.notify_all();
    }

    fn arrive(&self, deadline: Option<Instant>) -> Result<usize, Broken> {
        let mut state = self.state.lock();
        if state.broken {
            return Err(Broken);
        }
        let place = state.arrived;
        state.arrived += 1;
        if state.arrived == self.parties {
            let (cycle, waiters) = state.turn();
            drop(state);
            return self.release(&cycle, waiters, place);
        }
        let waiter = Waiter::new();
        state.waiters.push(waiter.clone());
        let cycle = state.cycle.clone();
        drop(state);
        if !waiter.wait(deadline) && cycle.load(Ordering::Acquire) == PENDING {
            self.give_up(&cycle);
        }
        outcome(&cycle, place)
    }

    /// What the last to arrive does.
    fn release(&self, cycle: &AtomicU8, waiters: WaitList, place: usize) -> Result<usize, Broken> {
        let action = self.action.as_deref().unwrap_or(&|| ());
        let done = catch_unwind(AssertUnwindSafe(action));
        if done.is_err() {
            self.abort();
        }
        settle(cycle, if done.is_ok() { PASSED } else { BROKEN });
        waiters.notify_all();
        match done {
            Ok(()) => outcome(cycle, place),
            Err(payload) => resume_unwind(payload),
        }
    }

    /// What one does whose time is over: its cycle and the barrier are broken, unless all are through.
    fn give_up(&self, cycle: &Arc<AtomicU8>) {
        if settle(cycle, BROKEN) {
            // The cycle may have filled up meanwhile and be in its action; what is new has to break too,
            // since this party is missing.
            self.abort();
        }
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("Barrier")
            .field("parties", &self.parties)
            .field("waiting", &state.arrived)
            .field("broken", &state.broken)
            .finish_non_exhaustive()
    }
}
