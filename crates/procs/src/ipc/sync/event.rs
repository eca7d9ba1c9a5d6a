//! A flag that processes wait for.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use crate::error::{EventError, SystemError};
use crate::sys;

use super::memory::{Kind, Memory, Recheck, shared_handle};

/// The event's word: [`SET`], [`WAITERS`], and in the other bits the number of times it was set. A waiting thread thereby
/// sees an event that was set and cleared at once.
const FLAG: usize = 0;
const SET: u32 = 1;
/// Threads sleep until the event is set.
const WAITERS: u32 = 2;
const ROUND: u32 = 4;

/// A flag that one process sets and others wait for.
///
/// A set event lets all threads pass until it is cleared. It belongs to no process: one that is killed leaves it as it is.
///
/// ```
/// use procs::sync::Event;
///
/// #[procs::task]
/// fn work(go: Event) -> bool {
///     go.wait().unwrap();
///     go.is_set()
/// }
///
/// #[procs::main]
/// fn main() {
///     let go = Event::new().unwrap();
///     let mut process = procs::spawn(work, go.clone()).unwrap();
///     go.set();
///     assert!(process.join().unwrap());
/// }
/// ```
#[doc(alias = "ManualResetEvent")]
#[derive(Clone)]
#[must_use = "a primitive does nothing unless its methods are called"]
pub struct Event(Arc<Memory>);

impl Event {
    /// Makes an event that is not set.
    ///
    /// # Errors
    ///
    /// The system refuses: too many open files, no address space.
    pub fn new() -> Result<Self, SystemError> {
        Memory::new(Kind::Event).map(Self)
    }

    /// Sets the event and wakes all waiting threads, also when it is cleared right after.
    pub fn set(&self) {
        let raise =
            |flag: u32| (flag & SET == 0).then(|| flag.wrapping_add(ROUND) & !WAITERS | SET);
        let before = self.0.half_word(FLAG).fetch_update(SeqCst, SeqCst, raise);
        if before.is_ok_and(|flag| flag & WAITERS != 0) {
            sys::futex_wake(&self.0, FLAG, i32::MAX);
        }
    }

    /// Clears the event: threads that wait from now on wait for the next [`set`](Self::set).
    pub fn clear(&self) {
        self.0.half_word(FLAG).fetch_and(!SET, SeqCst);
    }

    /// Returns whether the event is set.
    pub fn is_set(&self) -> bool {
        self.0.half_word(FLAG).load(SeqCst) & SET != 0
    }

    /// Blocks until the event is set.
    ///
    /// # Errors
    ///
    /// [`Broken`](EventError::Broken).
    pub fn wait(&self) -> Result<(), EventError> {
        self.wait_by(None)
    }

    /// Blocks until the event is set, at most for `time`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](EventError::TimedOut) and [`Broken`](EventError::Broken).
    pub fn wait_for(&self, time: Duration) -> Result<(), EventError> {
        self.wait_by(Instant::now().checked_add(time))
    }

    /// Blocks until the event is set, until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](EventError::TimedOut) and [`Broken`](EventError::Broken).
    pub fn wait_until(&self, deadline: Instant) -> Result<(), EventError> {
        self.wait_by(Some(deadline))
    }

    fn wait_by(&self, deadline: Option<Instant>) -> Result<(), EventError> {
        let flag = self.0.half_word(FLAG);
        let before = flag.load(SeqCst);
        let has_passed = |flag: u32| flag & SET != 0 || flag / ROUND != before / ROUND;
        let mut recheck = Recheck::new();
        loop {
            if !self.0.is_intact() {
                return Err(EventError::Broken);
            }
            let seen = flag.load(SeqCst);
            if has_passed(seen) {
                return Ok(());
            }
            let marked = seen | WAITERS;
            if seen == marked || flag.compare_exchange(seen, marked, SeqCst, SeqCst).is_ok() {
                let time = recheck.next_sleep(deadline).ok_or(EventError::TimedOut)?;
                sys::futex_wait(&self.0, FLAG, marked, time);
            }
        }
    }
}

shared_handle!(Event, "is_set": is_set);
