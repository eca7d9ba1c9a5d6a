//! The shared memory of one primitive: a gate under which it is changed, its words, and places for those who wait or hold.
//!
//! | offset | what |
//! |---|---|
//! | [`GATE`] | a mutex that survives its owners |
//! | [`KIND`] | what lies in this memory |
//! | [`TOP`] | how many places have been made |
//! | from [`WORDS`] | the primitive's own words |
//! | from [`PLACES`] | places (see [`places`](super::places)) |

use std::io;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use serde::{Deserializer, Serializer, de};

use crate::error::SystemError;
use crate::sys::{self, Found, Relock, SharedMap};
use crate::wire::attachments;

/// Nobody sleeps longer at a time: whoever is killed between a change and the wake-up that belongs to it wakes nobody.
pub(super) const NAP: Duration = Duration::from_millis(100);

pub(super) const GATE: usize = 0;
pub(super) const KIND: usize = 64;
pub(super) const TOP: usize = 72;
pub(super) const WORDS: usize = 128;
pub(super) const PLACES: usize = 4096;

/// How many threads may wait at a primitive, or hold it, at the same time. The kernel gives memory to used places only.
pub(super) const LIMIT: usize = 4096;
/// How much memory a place takes.
pub(super) const PLACE: usize = 128;

/// What lies in a memory. The numbers are in the memory: another primitive's is recognised by them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Lock = 0x70_72_6f_63,
    RLock,
    Semaphore,
    BoundedSemaphore,
    Condition,
    Event,
    Barrier,
}

impl Kind {
    fn relock(self) -> Relock {
        match self {
            Self::Lock => Relock::Refused,
            Self::RLock => Relock::Counted,
            _ => Relock::Waits,
        }
    }

    fn length(self) -> usize {
        match self {
            Self::Semaphore | Self::Condition | Self::Barrier => PLACES + LIMIT * PLACE,
            Self::Lock | Self::RLock | Self::BoundedSemaphore | Self::Event => PLACES,
        }
    }
}

/// How long one waits at the gate who does not want to wait: it is held for microseconds, unless its owner was stopped.
const PATIENCE: Duration = Duration::from_millis(100);

/// Why the gate was not passed.
#[derive(Debug)]
pub(super) enum Shut {
    /// It is too late.
    Late,
    /// A process has overwritten the memory.
    Overwritten,
}

/// The shared memory of one primitive.
pub(super) struct Memory {
    map: ManuallyDrop<SharedMap>,
    /// How many mutexes threads of this process hold by guards, in this mapping. The C library keeps a list of those that a
    /// thread holds *in them*: the mapping of one whose guard was forgotten must stay.
    pub(super) held: AtomicU32,
}

impl Memory {
    pub(super) fn new(kind: Kind) -> Result<Arc<Self>, SystemError> {
        Self::make(kind).map_err(SystemError::new("make memory for synchronization"))
    }

    fn make(kind: Kind) -> io::Result<Arc<Self>> {
        let map = SharedMap::new(kind.length())?;
        sys::init_mutex_as(&map, GATE, kind.relock())?;
        map.word(KIND).store(kind as u64, Relaxed);
        Ok(Self::of(map))
    }

    fn of(map: SharedMap) -> Arc<Self> {
        Arc::new(Self {
            map: ManuallyDrop::new(map),
            held: AtomicU32::new(0),
        })
    }

    pub(super) fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        attachments::pack(self.map.as_fd(), serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
        kind: Kind,
    ) -> Result<Arc<Self>, D::Error> {
        let refuse = || {
            attachments::refuse("a descriptor in it is no synchronization primitive of this kind")
        };
        match SharedMap::attach(attachments::unpack(deserializer)?, kind.length()) {
            Ok(map) if map.word(KIND).load(Relaxed) == kind as u64 => Ok(Self::of(map)),
            Ok(_) => Err(refuse()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(refuse()),
            Err(error) => Err(de::Error::custom(error)),
        }
    }

    /// Passes the gate; it closes behind with the value that is returned. True: who held it died there, and what it was
    /// changing may be changed in part.
    pub(super) fn enter(&self, deadline: Option<Instant>) -> Result<(Inside<'_>, bool), Shut> {
        let deadline = deadline.map(|deadline| deadline.max(Instant::now() + PATIENCE));
        let found = sys::lock_mutex(&self.map, GATE, deadline).map_err(|_| Shut::Overwritten)?;
        let died = found.ok_or(Shut::Late)? == Found::OwnerDied;
        let inside = Inside(self);
        if died {
            sys::repaired(&self.map, GATE);
        }
        Ok((inside, died))
    }
}

impl Deref for Memory {
    type Target = SharedMap;

    fn deref(&self) -> &SharedMap {
        &self.map
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if *self.held.get_mut() == 0 {
            // SAFETY: this is the one place where the map is dropped, and self is never used again.
            unsafe { ManuallyDrop::drop(&mut self.map) };
        }
    }
}

/// Whoever has it has the gate.
pub(super) struct Inside<'a>(&'a Memory);

impl Deref for Inside<'_> {
    type Target = Memory;

    fn deref(&self) -> &Memory {
        self.0
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        sys::unlock_mutex(&self.0.map, GATE);
    }
}

/// How long to sleep, at most until a deadline; `None`: it is over.
pub(super) fn nap(deadline: Option<Instant>) -> Option<Duration> {
    let left = deadline.map_or(NAP, |deadline| {
        deadline.saturating_duration_since(Instant::now())
    });
    (!left.is_zero()).then(|| left.min(NAP))
}
