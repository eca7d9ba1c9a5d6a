//! A place where a number of threads wait for each other.
//!
//! Each round of the barrier is a cycle. Its phase changes only under the barrier's lock:
//!
//! | from      | to        | by                                                         |
//! |-----------|-----------|------------------------------------------------------------|
//! | `PENDING` | `ACTING`  | the last party, when it arrives                            |
//! | `PENDING` | `BROKEN`  | a time limit, `abort` or `reset`                           |
//! | `ACTING`  | `PASSED`  | the last party, when the action has returned               |
//! | `ACTING`  | `BROKEN`  | the last party, when the action has panicked               |
//!
//! With the step out of `PENDING` the barrier begins a new cycle.

use crate::error::BarrierError;
use crate::park::sys::Mutex;
use crate::park::sys::atomic::{AtomicU8, Ordering};
use crate::park::{Entry, WaitList, Waiter, deadline};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

const PENDING: u8 = 0;
const ACTING: u8 = 1;
const PASSED: u8 = 2;
const BROKEN: u8 = 3;

/// A place where a fixed number of threads wait for each other, again and again.
///
/// A time limit that passes, an [`abort`](Self::abort) or a panic of the action breaks the barrier. Each
/// waiting thread then gets [`BarrierError::Broken`], as does each later one, until a
/// [`reset`](Self::reset). So no thread waits for one that will not come.
///
/// Time limits bound the wait for the other parties. Once the last party has arrived, every party waits
/// for the [`action`](Self::action) to return, however long that takes.
///
/// A barrier cannot be dropped while threads wait at it, since they borrow it.
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
    /// The parties that wait in the present cycle.
    arrived: usize,
    waiters: WaitList,
    cycle: Arc<Cycle>,
}

/// The phase of one cycle. Written under the barrier's lock, read without it.
struct Cycle(AtomicU8);

impl Cycle {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU8::new(PENDING)))
    }

    fn phase(&self) -> u8 {
        self.0.load(Ordering::Acquire)
    }

    fn enter(&self, phase: u8) {
        // Release: the effects of the action are visible to each party that passes.
        self.0.store(phase, Ordering::Release);
    }

    /// The result of a party of a cycle that has ended.
    fn result(&self, place: usize) -> Result<usize, BarrierError> {
        match self.phase() {
            PASSED => Ok(place),
            _ => Err(BarrierError::Broken),
        }
    }
}

impl State {
    /// Moves the present cycle to `phase` and begins a new one. Returns the old one and its waiters.
    fn turn(&mut self, phase: u8) -> (Arc<Cycle>, WaitList) {
        self.arrived = 0;
        let cycle = std::mem::replace(&mut self.cycle, Cycle::new());
        cycle.enter(phase);
        (cycle, std::mem::take(&mut self.waiters))
    }

    /// Breaks the barrier. The caller wakes the waiters after unlocking.
    fn break_cycle(&mut self) -> WaitList {
        self.broken = true;
        self.turn(BROKEN).1
    }
}

impl Barrier {
    /// Makes a barrier for `parties` threads. Any number from 1 to `usize::MAX` is allowed.
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
                cycle: Cycle::new(),
            }),
        }
    }

    /// Sets the time limit of each [`wait`](Self::wait). Without it, `wait` has none.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Sets a function that the last thread to arrive runs before any party goes on.
    ///
    /// No time limit of a party cuts it short. If it panics, the barrier is broken and the panic continues
    /// in that thread. An [`abort`](Self::abort) or [`reset`](Self::reset) meanwhile concerns the next cycle.
    #[must_use]
    pub fn action(mut self, f: impl Fn() + Send + Sync + 'static) -> Self {
        self.action = Some(Box::new(f));
        self
    }

    /// Waits until as many threads as the barrier has parties wait. Returns the caller's place in the order
    /// of arrival, from 0: each place is given once, so `0` may be taken for the leader.
    ///
    /// # Errors
    /// [`BarrierError::TimedOut`], if the barrier's [`timeout`](Self::timeout) passes first; the barrier is
    /// broken then. [`BarrierError::Broken`], if the barrier is or becomes broken.
    ///
    /// # Panics
    /// With the panic of the action, in the thread that runs it.
    pub fn wait(&self) -> Result<usize, BarrierError> {
        self.arrive(self.timeout.and_then(deadline))
    }

    /// Waits as [`wait`](Self::wait), for at most `timeout`. When it has passed, the barrier breaks.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use threads::{Barrier, BarrierError};
    ///
    /// let barrier = Barrier::new(2);
    /// assert_eq!(barrier.wait_for(Duration::from_millis(1)), Err(BarrierError::TimedOut));
    /// assert_eq!(barrier.wait(), Err(BarrierError::Broken));
    /// ```
    pub fn wait_for(&self, timeout: Duration) -> Result<usize, BarrierError> {
        self.arrive(deadline(timeout))
    }

    /// Waits as [`wait`](Self::wait), until `deadline`. When it has passed, the barrier breaks.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_until(&self, deadline: Instant) -> Result<usize, BarrierError> {
        self.arrive(Some(deadline))
    }

    /// Breaks the barrier.
    pub fn abort(&self) {
        let waiters = self.state.lock().break_cycle();
        waiters.notify_all();
    }

    /// Makes the barrier whole again. Waiting threads get [`BarrierError::Broken`], later ones wait.
    pub fn reset(&self) {
        let mut state = self.state.lock();
        let waiters = state.break_cycle();
        state.broken = false;
        drop(state);
        waiters.notify_all();
    }

    /// Returns whether the barrier is broken.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.state.lock().broken
    }

    /// Returns how many threads pass together.
    #[must_use]
    pub fn parties(&self) -> usize {
        self.parties
    }

    /// Returns how many threads wait at this moment.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.state.lock().arrived
    }

    fn arrive(&self, deadline: Option<Instant>) -> Result<usize, BarrierError> {
        let mut state = self.state.lock();
        if state.broken {
            return Err(BarrierError::Broken);
        }
        let place = state.arrived;
        state.arrived += 1;
        if state.arrived == self.parties {
            let (cycle, waiters) = state.turn(ACTING);
            drop(state);
            return self.act(&cycle, waiters, place);
        }
        let waiter = Waiter::new();
        state.waiters.push(Entry::new(waiter.clone()));
        let cycle = state.cycle.clone();
        drop(state);
        if !waiter.wait(deadline) {
            self.give_up(&cycle)?;
            // All parties have come: the end of the action wakes this one.
            waiter.wait(None);
        }
        cycle.result(place)
    }

    /// Runs the action in the last party and ends the cycle.
    fn act(&self, cycle: &Cycle, waiters: WaitList, place: usize) -> Result<usize, BarrierError> {
        let action = self.action.as_deref().unwrap_or(&|| ());
        let done = catch_unwind(AssertUnwindSafe(action));
        let mut state = self.state.lock();
        let next = match done {
            Ok(()) => {
                cycle.enter(PASSED);
                WaitList::new()
            }
            Err(_) => {
                cycle.enter(BROKEN);
                state.break_cycle()
            }
        };
        drop(state);
        waiters.notify_all();
        next.notify_all();
        match done {
            Ok(()) => Ok(place),
            Err(payload) => resume_unwind(payload),
        }
    }

    /// Breaks the barrier for a party whose time is over, unless its cycle has left `PENDING`.
    fn give_up(&self, cycle: &Cycle) -> Result<(), BarrierError> {
        let mut state = self.state.lock();
        if cycle.phase() != PENDING {
            return Ok(());
        }
        let waiters = state.break_cycle();
        drop(state);
        waiters.notify_all();
        Err(BarrierError::TimedOut)
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Copied, since the formatter's writer is user code, which must not run under the lock.
        let state = self.state.lock();
        let (waiting, broken) = (state.arrived, state.broken);
        drop(state);
        f.debug_struct("Barrier")
            .field("parties", &self.parties)
            .field("waiting", &waiting)
            .field("broken", &broken)
            .finish_non_exhaustive()
    }
}
