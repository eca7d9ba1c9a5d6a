//! Shared memory in which a connection passes large messages.
//!
//! Each end has an arena of its own in each process that sends from it. A message takes one slot of the arena; its packet
//! carries the slot's number, the message's number and a descriptor of the arena, so that any receiver of the connection
//! can read it. The receiver copies the message out and frees the slot. The pages stay mapped on both sides.
//!
//! | state of a slot | event | next state |
//! |---|---|---|
//! | free (0) | a sender claims it | taken (the message's number) |
//! | taken | its packet is not sent | free, by the sender |
//! | taken | its packet is received | free, by the receiver |
//! | taken | the receiver is killed before it frees the slot | taken; the sender makes a new arena when no slot comes free |
//!
//! | bytes | of an arena |
//! |---|---|
//! | 8 | number of the newest message |
//! | 4 | how often a slot was freed; a futex |
//! | 4 | number of senders that wait for a slot |
//! | 8 × [`SLOTS`] | states |
//! | [`SLOT_SIZE`] × [`SLOTS`], from [`CONTENT`] on | content; only pages that were used take memory |
//!
//! A peer that writes into the arena at will can only spoil messages of this end. Slots and lengths are checked before
//! memory is read, and what is decoded is a private copy.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::sys::{self, SharedMap};

const NEWEST: usize = 0;
const FREED: usize = 8;
const WAITERS: usize = 12;
const STATES: usize = 16;
const CONTENT: usize = 4096;

/// Number of messages that an arena holds.
const SLOTS: usize = 4;

/// The largest message in an arena, in bytes: a value of 8 MiB, and what its encoding adds.
pub(super) const SLOT_SIZE: usize = (8 << 20) + (64 << 10);

/// Longest wait for a free slot. A message then travels in a memory file of its own.
const CREDIT_WAIT: Duration = Duration::from_millis(5);

/// Number of waits in vain, without a slot freed meanwhile, after which a new arena replaces the old one.
const MAX_MISSES: u32 = 2;

/// Number of arenas that a receiving end keeps mapped: one for each process that sends, up to this many.
const KEPT: usize = 8;

pub(super) struct Arena(SharedMap);

/// Location of a message in an arena.
#[derive(Clone, Copy)]
pub(super) struct Place {
    slot: u64,
    number: u64,
}

impl Place {
    /// Size of a place in a packet, in bytes.
    pub(super) const SIZE: usize = 16;

    /// Returns the place as bytes of a packet; all zero for a message that is in no arena.
    pub(super) fn to_bytes(place: Option<Self>) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        if let Some(place) = place {
            bytes[..8].copy_from_slice(&place.slot.to_le_bytes());
            bytes[8..].copy_from_slice(&place.number.to_le_bytes());
        }
        bytes
    }

    /// Returns the place in a packet. A message's number is never zero.
    pub(super) fn from_bytes(bytes: [u8; Self::SIZE]) -> Option<Self> {
        let (slot, number) = bytes.split_at(8);
        let number = u64::from_le_bytes(number.try_into().ok()?);
        let slot = u64::from_le_bytes(slot.try_into().ok()?);
        (number != 0).then_some(Self { slot, number })
    }
}

impl Arena {
    const LENGTH: usize = CONTENT + SLOTS * SLOT_SIZE;

    /// Claims a free slot and copies a message into it.
    fn put(&self, message: &[u8]) -> Option<Place> {
        let number = (self.0.word(NEWEST).fetch_add(1, Relaxed) + 1).max(1);
        let slot = (0..SLOTS).find(|&slot| {
            // Pairs with the release in `free`: the receiver has read what was there.
            let state = self.0.word(STATES + 8 * slot);
            state.compare_exchange(0, number, Acquire, Relaxed).is_ok()
        })?;
        self.0.write(CONTENT + slot * SLOT_SIZE, message);
        Some(Place {
            slot: slot as u64,
            number,
        })
    }

    /// As `put`, and waits for a slot.
    fn put_until(&self, message: &[u8], until: Instant) -> Option<Place> {
        let waiters = self.0.half_word(WAITERS);
        waiters.fetch_add(1, SeqCst);
        let place = loop {
            let freed = self.0.half_word(FREED).load(SeqCst);
            if let Some(place) = self.put(message) {
                break Some(place);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break None;
            }
            sys::futex_wait(&self.0, FREED, freed, left);
        };
        waiters.fetch_sub(1, SeqCst);
        place
    }

    /// Frees a message's slot.
    pub(super) fn free(&self, place: Place) {
        let Ok(slot @ 0..SLOTS) = usize::try_from(place.slot) else {
            return;
        };
        let state = self.0.word(STATES + 8 * slot);
        let freed = state.compare_exchange(place.number, 0, AcqRel, Relaxed);
        self.0.half_word(FREED).fetch_add(1, SeqCst);
        if freed.is_ok() && self.0.half_word(WAITERS).load(SeqCst) != 0 {
            sys::futex_wake(&self.0, FREED, 1);
        }
    }

    /// Copies a message into `bytes`, and frees its slot. False: there is no such message.
    pub(super) fn take(&self, place: Place, bytes: &mut [u8]) -> bool {
        let Ok(slot @ 0..SLOTS) = usize::try_from(place.slot) else {
            return false;
        };
        let state = self.0.word(STATES + 8 * slot).load(Acquire);
        if bytes.len() > SLOT_SIZE || state != place.number {
            return false;
        }
        self.0.read(CONTENT + slot * SLOT_SIZE, bytes);
        self.free(place);
        true
    }
}

impl AsFd for Arena {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The arena of an end that sends.
#[derive(Default)]
pub(super) struct Outgoing(Mutex<State>);

#[derive(Default)]
struct State {
    arena: Option<Arc<Arena>>,
    misses: u32,
    /// The count of freed slots when none was found.
    freed: u32,
}

impl Outgoing {
    /// Puts a message into the arena. `None`: it does not fit, or no slot came free in time.
    pub(super) fn put(&self, message: &[u8], deadline: Option<Instant>) -> Option<Sent> {
        if message.len() > SLOT_SIZE {
            return None;
        }
        let arena = self.arena()?;
        let now = Instant::now();
        let until = deadline.map_or(now + CREDIT_WAIT, |deadline| {
            deadline.min(now + CREDIT_WAIT)
        });
        let place = arena
            .put(message)
            .or_else(|| arena.put_until(message, until));
        match place {
            Some(place) => Some(Sent { arena, place }),
            None => {
                self.miss(&arena);
                None
            }
        }
    }

    fn arena(&self) -> Option<Arc<Arena>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.arena.is_none() {
            let map = SharedMap::new(Arena::LENGTH).ok()?;
            *state = State {
                arena: Some(Arc::new(Arena(map))),
                ..State::default()
            };
        }
        state.arena.clone()
    }

    /// Counts a wait in vain. Drops the arena when no slot has come free during several of them.
    fn miss(&self, arena: &Arc<Arena>) {
        let freed = arena.0.half_word(FREED).load(Relaxed);
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !state
            .arena
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, arena))
        {
            return;
        }
        state.misses = if state.freed == freed {
            state.misses + 1
        } else {
            1
        };
        state.freed = freed;
        if state.misses >= MAX_MISSES {
            *state = State::default();
        }
    }
}

/// A message in an arena, of which the packet is not yet sent. Dropping it frees the slot.
pub(super) struct Sent {
    arena: Arc<Arena>,
    place: Place,
}

impl Sent {
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Leaves the slot to the receiver.
    pub(super) fn commit(mut self) {
        self.place.number = 0;
    }
}

impl AsFd for Sent {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.arena.as_fd()
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if self.place.number != 0 {
            self.arena.free(self.place);
        }
    }
}

/// The arenas of which an end has received messages.
#[derive(Default)]
pub(super) struct Incoming(Mutex<Vec<(FileId, Arc<Arena>)>>);

/// Device and inode. While the file is mapped, no other file has the same.
type FileId = (u64, u64);

impl Incoming {
    /// Returns the arena of a descriptor that came with a message.
    pub(super) fn arena(&self, file: OwnedFd) -> io::Result<Arc<Arena>> {
        let file = std::fs::File::from(file);
        let metadata = file.metadata()?;
        let id = (metadata.dev(), metadata.ino());
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, arena)) = kept.iter().find(|(other, _)| *other == id) {
            return Ok(Arc::clone(arena));
        }
        let map = SharedMap::attach(file.into(), Arena::LENGTH)?;
        let arena = Arc::new(Arena(map));
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push((id, Arc::clone(&arena)));
        Ok(arena)
    }
}
