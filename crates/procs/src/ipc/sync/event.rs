//! A flag that processes wait for.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{SystemError, TimedOut};
use crate::sys;

use super::memory::{Kind, Memory, WORDS, nap};

/// The lowest bit says whether the event is set; the others, how often it was set: who waits sees a set that was cleared
/// at once.
const FLAG: usize = WORDS;
const SET: u32 = 1;
const ROUND: u32 = 2;
/// How many wait. One who is killed is counted for ever, which costs a system call now and then.
const WAITERS: usize = WORDS + 64;

/// A flag that one process sets and others wait for.
///
/// Once set it lets everybody pass until it is cleared. Nothing of it belongs to a process: whoever is killed leaves it
/// as it is.
///
/// ```
/// use procs::sync::Event;
///
/// #[procs::task]
/// fn work(go: Event) -> bool {
///     go.wait();
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
#[derive(Clone)]
pub struct Event(Arc<Memory>);

impl Event {
    /// A new event, which is not set.
    ///
    /// # Errors
    ///
    /// When the system refuses: too many open files, no address space.
    pub fn new() -> Result<Self, SystemError> {
        Memory::new(Kind::Event).map(Self)
    }

    /// Sets it, and lets all who wait go on, also if it is cleared right after.
    pub fn set(&self) {
        let flag = self.0.half_word(FLAG);
        let raised = flag.fetch_update(SeqCst, SeqCst, |flag| {
            (flag & SET == 0).then(|| flag.wrapping_add(ROUND) | SET)
        });
        if raised.is_ok() && self.0.word(WAITERS).load(SeqCst) > 0 {
            sys::futex_wake(&self.0, FLAG, i32::MAX);
        }
    }

    /// Clears it: from now on, who waits waits for the next [`set`](Self::set).
    pub fn clear(&self) {
        self.0.half_word(FLAG).fetch_and(!SET, SeqCst);
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        self.0.half_word(FLAG).load(SeqCst) & SET != 0
    }

    /// Waits until it is set.
    pub fn wait(&self) {
        // Without a deadline it cannot be too late.
        let _ = self.wait_by(None);
    }

    /// Waits until it is set, but no longer than `time`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] when it is not.
    pub fn wait_for(&self, time: Duration) -> Result<(), TimedOut> {
        self.wait_by(Instant::now().checked_add(time))
    }

    /// Waits until it is set, but not beyond `deadline`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] when it is not.
    pub fn wait_until(&self, deadline: Instant) -> Result<(), TimedOut> {
        self.wait_by(Some(deadline))
    }

    fn wait_by(&self, deadline: Option<Instant>) -> Result<(), TimedOut> {
        let flag = self.0.half_word(FLAG);
        let waiters = self.0.word(WAITERS);
        let before = flag.load(SeqCst);
        let is_open = |flag: u32| flag & SET != 0 || flag / ROUND != before / ROUND;
        loop {
            let seen = flag.load(SeqCst);
            if is_open(seen) {
                return Ok(());
            }
            let time = nap(deadline).ok_or(TimedOut)?;
            // Before the sleep looks at the flag: whoever sets it later sees somebody waiting.
            waiters.fetch_add(1, SeqCst);
            sys::futex_wait(&self.0, FLAG, seen, time);
            waiters.fetch_sub(1, SeqCst);
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("is_set", &self.is_set())
            .finish_non_exhaustive()
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Memory::deserialize(deserializer, Kind::Event).map(Self)
    }
}
