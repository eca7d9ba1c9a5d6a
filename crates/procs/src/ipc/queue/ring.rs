//! The shared memory of a queue: a ring of items between two positions.
//!
//! Putters and takers have a lock each, so a putter and a taker do not wait for one another. `TAIL` is stored under the put
//! lock, `HEAD` under the take lock. Each change takes effect by *one* store. A process that is killed before the store has
//! changed nothing; one that is killed after it has changed everything, and only the wake-up is missing. The kernel releases
//! the lock of a dead owner, and the next owner notifies all waiters. Nothing has to be repaired.
//!
//! | word | meaning |
//! |---|---|
//! | `MAGIC`, `SIZE`, `LIMIT` | identifies a ring; size in bytes; largest number of items |
//! | `CLOSED` | 1: no more items are put |
//! | `TAIL` | position after the newest item |
//! | `HEAD` | position of the oldest item |
//! | `SEEN_HEAD`, `SEEN_TAIL` | older copies of `HEAD` for putters and of `TAIL` for takers, so that each side seldom reads a word that the other side writes |
//! | `TURN_SINCE`, `TURN_UNTIL` | the writer that waits for much room, and until when its turn counts, see [`turn`](super::turn) |
//! | `DONE_COUNT` | number of items that were reported as done |
//!
//! Positions and headers are encoded as in [`layout`](super::layout). Equal numbers in `HEAD` and `TAIL` mean an empty ring.
//! An item is a header and its bytes, rounded up to whole units. It is contiguous: where the end of the ring is too short, a
//! header with the length [`SKIP`] sends the taker to the start.
//!
//! # What other processes can do
//!
//! Every process that has the queue can write to this memory. Offsets and lengths are verified before use, items are copied
//! before they are decoded, and the memory contains no addresses. So an overwritten ring gives errors
//! ([`RingError::Broken`]), wrong items, or a lost wake-up, but no access outside the ring.

use std::hint;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::thread;
use std::time::Duration;

use crate::ipc::queue::futex_event::FutexEvent;
use crate::ipc::queue::layout::{HEADER, Layout, Position, SKIP, UNIT, header_of, room_of};
use crate::ipc::queue::timeout::Timeout;
use crate::ipc::queue::turn::{self, Turn};
use crate::sys::{self, AcquireError, Acquired, SharedMap};

/// Identifies a ring, and the version of its layout.
const MAGIC_VALUE: u64 = u64::from_le_bytes(*b"procs-q2");

// Written by `new` and `close` only, so every processor can keep this cache line.
const MAGIC: usize = 0;
const SIZE: usize = 8;
const LIMIT: usize = 16;
const CLOSED: usize = 24;
// Written by putters.
const PUT_LOCK: usize = 128;
const TAIL: usize = 136;
const SEEN_HEAD: usize = 144;
const TURN_SINCE: usize = 152;
const TURN_UNTIL: usize = 160;
// Written by takers.
const TAKE_LOCK: usize = 256;
const HEAD: usize = 264;
const SEEN_TAIL: usize = 272;
const DONE_COUNT: usize = 384;
const DATA: usize = 4096;

/// Value of `SEEN_HEAD` when it contains no position.
const UNSEEN: u64 = u64::MAX;

/// Place, in units, from which on an empty ring restarts at its beginning, so that a short queue stays in the processor's
/// cache.
const CACHED_UNITS: usize = 64 * 1024 / UNIT;

/// Distance, in units, between two reads of `HEAD` beyond that place.
const HEAD_CHECK_DISTANCE: usize = 4096 / UNIT;

/// Longest single sleep of a waiter. A process that is killed between a change and the wake-up leaves waiters asleep, so
/// they recheck.
pub(super) const RECHECK_INTERVAL: Duration = Duration::from_secs(1);

/// An event that threads wait for, by its offset in the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// An item was put.
    Items = 512,
    /// An item was taken.
    Room = 576,
    /// An item was taken, for the writer that has the turn.
    Turn = 592,
    /// All items are done.
    Done = 640,
}

/// Reason why an operation did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RingError {
    TimedOut,
    Closed,
    /// A process has overwritten the ring.
    Broken,
}

/// Result of one attempt.
pub(super) enum Step {
    Done,
    /// Not possible before this event, or before this time has passed.
    Wait(Event, Duration),
}

impl Step {
    fn wait(event: Event) -> Self {
        Self::Wait(event, RECHECK_INTERVAL)
    }
}

/// The shared memory of a queue.
#[derive(Clone)]
pub(crate) struct Ring {
    shared: Arc<Shared>,
    layout: Layout,
    limit: u64,
}

struct Shared {
    map: SharedMap,
    /// A lock was overwritten: all later calls of this process fail.
    is_broken: AtomicBool,
}

/// A lock of the ring, held.
pub(super) struct LockGuard<'a> {
    ring: &'a Ring,
    lock: usize,
}

impl Drop for LockGuard<'_> {
    fn drop(&mut self) {
        if !sys::release(self.ring.map().half_word(self.lock)) {
            self.ring.shared.is_broken.store(true, Relaxed);
        }
    }
}

impl Ring {
    /// Makes a ring for up to `limit` items that together take up to `size` bytes, a multiple of [`UNIT`].
    pub(crate) fn new(limit: usize, size: usize) -> io::Result<Self> {
        let length = size.checked_add(DATA).ok_or(io::ErrorKind::OutOfMemory)?;
        if size as u64 >= SKIP {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let map = SharedMap::new(length)?;
        map.word(SIZE).store(size as u64, Relaxed);
        map.word(LIMIT).store(limit as u64, Relaxed);
        map.word(SEEN_HEAD).store(UNSEEN, Relaxed);
        map.word(MAGIC).store(MAGIC_VALUE, Release);
        Ok(Self::of(map, limit as u64, size))
    }

    /// Maps a ring that another process has made.
    ///
    /// # Errors
    ///
    /// `InvalidData` when the file does not hold a ring of this size.
    pub(crate) fn attach(file: OwnedFd, size: usize) -> io::Result<Self> {
        let length = size.checked_add(DATA).ok_or(io::ErrorKind::InvalidData)?;
        if size == 0 || !size.is_multiple_of(UNIT) || size as u64 >= SKIP {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let map = SharedMap::attach(file, length)?;
        let is_ring = map.word(MAGIC).load(Acquire) == MAGIC_VALUE
            && map.word(SIZE).load(Relaxed) == size as u64;
        let limit = map.word(LIMIT).load(Relaxed);
        if !is_ring || limit == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(Self::of(map, limit, size))
    }

    fn of(map: SharedMap, limit: u64, size: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                map,
                is_broken: AtomicBool::new(false),
            }),
            layout: Layout::new(size),
            limit,
        }
    }

    pub(crate) fn map(&self) -> &SharedMap {
        &self.shared.map
    }

    pub(crate) fn size(&self) -> usize {
        self.layout.units * UNIT
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit as usize
    }

    /// Returns the length of the largest item, in bytes.
    pub(crate) fn largest(&self) -> usize {
        self.size() - HEADER
    }

    fn get(&self, word: usize) -> u64 {
        self.map().word(word).load(Acquire)
    }

    fn set(&self, word: usize, value: u64) {
        // Release: all earlier writes take effect first, also when the process is killed.
        self.map().word(word).store(value, Release);
    }

    #[inline]
    fn unpack(&self, word: u64) -> Result<Position, RingError> {
        self.layout.unpack(word).ok_or(RingError::Broken)
    }

    fn position(&self, word: usize) -> Result<Position, RingError> {
        self.unpack(self.get(word))
    }

    pub(super) fn event(&self, event: Event) -> FutexEvent<'_> {
        FutexEvent::new(self.map(), event as usize)
    }

    fn turn(&self) -> Turn<'_> {
        Turn::new(self.map().word(TURN_SINCE), self.map().word(TURN_UNTIL))
    }

    /// Returns the current number of items.
    pub(crate) fn count(&self) -> u64 {
        // The head is read first: items that are put in between make the number too large rather than negative.
        let head = self.layout.number(self.get(HEAD));
        let tail = self.layout.number(self.get(TAIL));
        self.layout.distance(head, tail).min(self.limit)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.get(CLOSED) != 0
    }

    /// Returns whether the ring is closed. Verifies the word.
    fn closed(&self) -> Result<bool, RingError> {
        match self.get(CLOSED) {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(RingError::Broken),
        }
    }

    fn lock(&self, lock: usize, timeout: Timeout) -> Result<LockGuard<'_>, RingError> {
        if self.shared.is_broken.load(Relaxed) {
            return Err(RingError::Broken);
        }
        let word = self.map().half_word(lock);
        let acquired = match sys::acquire(word, || timeout.lock_deadline()) {
            Ok(acquired) => acquired,
            Err(AcquireError::TimedOut) => return Err(RingError::TimedOut),
            Err(AcquireError::Overwritten) => {
                self.shared.is_broken.store(true, Relaxed);
                return Err(RingError::Broken);
            }
        };
        let guard = LockGuard { ring: self, lock };
        if self.get(MAGIC) != MAGIC_VALUE {
            return Err(RingError::Broken);
        }
        if acquired == Acquired::OwnerDied {
            self.notify_everyone();
        }
        Ok(guard)
    }

    /// Wakes all waiters. A dead owner may have changed the ring without a wake-up.
    #[cold]
    fn notify_everyone(&self) {
        for event in [Event::Items, Event::Room, Event::Turn] {
            self.event(event).notify(i32::MAX);
        }
    }

    /// Puts an item of at most [`largest`](Self::largest) bytes.
    pub(crate) fn put(&self, bytes: &[u8], timeout: Timeout) -> Result<(), RingError> {
        let mut writer = Writer::default();
        let result = self.repeat(timeout, |asleep| {
            writer.has_slept |= asleep;
            self.try_put(bytes, timeout, &mut writer)
        });
        if writer.has_slept {
            self.pass_on(&writer);
        }
        result
    }

    fn try_put(
        &self,
        bytes: &[u8],
        timeout: Timeout,
        writer: &mut Writer,
    ) -> Result<Step, RingError> {
        let guard = self.lock(PUT_LOCK, timeout)?;
        if self.closed()? {
            return Err(RingError::Closed);
        }
        let turn = self.turn();
        if let Some(wait) = turn.is_other_than(writer.since) {
            return Ok(Step::Wait(Event::Room, wait));
        }
        let (number, place) = match self.place(room_of(bytes.len()))? {
            Place::Free(number, place) => (number, place),
            Place::TooManyItems => return Ok(Step::wait(Event::Room)),
            // After the wake-up, items of other writers took the room.
            Place::NoRoom if writer.has_slept => {
                if turn.take(writer.waiting_since()) {
                    // The writer that has lost the turn now waits for room like the others.
                    self.event(Event::Turn).notify(i32::MAX);
                }
                return Ok(Step::Wait(Event::Turn, turn::RENEWAL_INTERVAL));
            }
            Place::NoRoom => return Ok(Step::wait(Event::Room)),
        };
        let at = DATA + place * UNIT;
        self.set(at, header_of(number, bytes.len() as u64));
        self.map().write(at + HEADER, bytes);
        let tail = self.layout.after(number, place, room_of(bytes.len()));
        turn.end(writer.since);
        self.set(TAIL, self.layout.pack(tail));
        drop(guard);
        self.event(Event::Items).notify(1);
        Ok(Step::Done)
    }

    /// Ends the turn of a writer that has slept, and passes a wake-up that it may have consumed on to another writer.
    #[cold]
    fn pass_on(&self, writer: &Writer) {
        self.turn().end(writer.since);
        if self.count() < self.limit {
            self.event(Event::Room).notify(1);
        }
    }

    /// Finds a place for an item of `room` units. The caller holds the put lock.
    fn place(&self, room: usize) -> Result<Place, RingError> {
        let tail = self.position(TAIL)?;
        let seen = self.get(SEEN_HEAD);
        let checks_head = tail.place >= CACHED_UNITS && (tail.place % HEAD_CHECK_DISTANCE) < room;
        if seen != UNSEEN && !checks_head {
            let place = self.place_between(self.unpack(seen)?, tail, room);
            if let Place::Free(..) = place {
                return Ok(place);
            }
        }
        let word = self.get(HEAD);
        let mut head = self.unpack(word)?;
        if head.number == tail.number {
            // Takers store `HEAD` only while there are items, so here the putter may store it.
            let fits = self.layout.units - tail.place >= room;
            head.place = if fits && !checks_head { tail.place } else { 0 };
            self.set(SEEN_HEAD, UNSEEN);
            self.set(HEAD, self.layout.pack(head));
            self.set(SEEN_HEAD, self.layout.pack(head));
            return Ok(Place::Free(tail.number, head.place));
        }
        self.set(SEEN_HEAD, word);
        Ok(self.place_between(head, tail, room))
    }

    /// Finds a place for an item of `room` units while the items from `head` to `tail` take the rest.
    fn place_between(&self, head: Position, tail: Position, room: usize) -> Place {
        let count = self.layout.distance(head.number, tail.number);
        if count >= self.limit {
            return Place::TooManyItems;
        }
        if count == 0 {
            // A copy of `HEAD` does not show where an empty ring restarts: see `place`.
            return Place::NoRoom;
        }
        let at_end = self.layout.units - tail.place;
        if tail.place <= head.place {
            if head.place - tail.place >= room {
                return Place::Free(tail.number, tail.place);
            }
        } else if at_end >= room {
            return Place::Free(tail.number, tail.place);
        } else if head.place >= room {
            self.set(DATA + tail.place * UNIT, header_of(tail.number, SKIP));
            return Place::Free(tail.number, 0);
        }
        Place::NoRoom
    }

    /// Takes the oldest item. Its bytes replace the content of `bytes`.
    pub(crate) fn take(&self, bytes: &mut Vec<u8>, timeout: Timeout) -> Result<(), RingError> {
        self.repeat(timeout, |_| self.try_take(bytes, timeout))
    }

    fn try_take(&self, bytes: &mut Vec<u8>, timeout: Timeout) -> Result<Step, RingError> {
        loop {
            let guard = self.lock(TAKE_LOCK, timeout)?;
            let Some(head) = self.oldest()? else {
                // Read in this order: no item is put after the ring was closed.
                let is_closed = self.closed()?;
                self.set(SEEN_TAIL, self.get(TAIL));
                return match self.oldest()? {
                    Some(_) => continue,
                    None if is_closed => Err(RingError::Closed),
                    None => Ok(Step::wait(Event::Items)),
                };
            };
            let (place, length) = self.item(head)?;
            if bytes.capacity() < length {
                // Code of the user's allocator does not run under the lock.
                drop(guard);
                bytes.clear();
                bytes.reserve(length);
                continue;
            }
            bytes.clear();
            self.map()
                .append_to(bytes, DATA + place * UNIT + HEADER, length);
            let next = self.layout.after(head.number, place, room_of(length));
            self.set(HEAD, self.layout.pack(next));
            drop(guard);
            if !self.event(Event::Turn).notify(i32::MAX) {
                self.event(Event::Room).notify(1);
            }
            return Ok(Step::Done);
        }
    }

    /// Returns the position of the oldest item, if there is one. The caller holds the take lock.
    fn oldest(&self) -> Result<Option<Position>, RingError> {
        let seen = self.layout.number(self.get(SEEN_TAIL));
        let head = self.position(HEAD)?;
        if head.number != seen {
            return Ok(Some(head));
        }
        // The tail is read first: a putter moves the head of an empty ring before it stores the tail.
        let tail = self.get(TAIL);
        let head = self.position(HEAD)?;
        if head.number == self.layout.number(tail) {
            return Ok(None);
        }
        self.set(SEEN_TAIL, tail);
        Ok(Some(head))
    }

    /// Returns the place of an item and its length. Verifies that the item lies in the ring.
    fn item(&self, head: Position) -> Result<(usize, usize), RingError> {
        let number = header_of(head.number, 0);
        for place in [head.place, 0] {
            let header = self.get(DATA + place * UNIT);
            let length = header & SKIP;
            if header & !SKIP != number {
                break;
            }
            if length != SKIP {
                let fits = place + room_of(length as usize) <= self.layout.units;
                return if fits {
                    Ok((place, length as usize))
                } else {
                    Err(RingError::Broken)
                };
            }
        }
        Err(RingError::Broken)
    }

    /// Reports an item that was taken as done. False: all of them have been reported.
    pub(crate) fn done(&self) -> Result<bool, RingError> {
        let done_count = self.map().word(DONE_COUNT);
        let mut seen = done_count.load(SeqCst);
        loop {
            if self.get(MAGIC) != MAGIC_VALUE {
                return Err(RingError::Broken);
            }
            if seen == self.position(HEAD)?.number {
                return Ok(false);
            }
            let next = self.layout.after(seen, 0, 0).number;
            match done_count.compare_exchange_weak(seen, next, SeqCst, SeqCst) {
                Ok(_) if next == self.position(TAIL)?.number => {
                    self.event(Event::Done).notify(i32::MAX);
                    return Ok(true);
                }
                Ok(_) => return Ok(true),
                Err(now) => seen = now,
            }
        }
    }

    /// Waits until every item that was put has been reported as done.
    pub(crate) fn join(&self, timeout: Timeout) -> Result<(), RingError> {
        self.repeat(timeout, |_| {
            if self.get(MAGIC) != MAGIC_VALUE {
                return Err(RingError::Broken);
            }
            // Read in this order: if they are equal, all items were done when the tail was read.
            let done_count = self.map().word(DONE_COUNT).load(SeqCst);
            let tail = self.position(TAIL)?;
            if done_count > self.layout.max_number() {
                return Err(RingError::Broken);
            }
            Ok(if done_count == tail.number {
                Step::Done
            } else {
                Step::wait(Event::Done)
            })
        })
    }

    /// Closes the ring: no more items can be put.
    pub(crate) fn close(&self) -> Result<(), RingError> {
        let guard = self.lock(PUT_LOCK, Timeout::Unlimited)?;
        self.set(CLOSED, 1);
        drop(guard);
        self.notify_everyone();
        Ok(())
    }

    /// Repeats `step` until it is done, fails, or the timeout has passed. Its argument is whether the thread has slept since
    /// the last call.
    fn repeat(
        &self,
        timeout: Timeout,
        mut step: impl FnMut(bool) -> Result<Step, RingError>,
    ) -> Result<(), RingError> {
        let Step::Wait(mut event, _) = step(false)? else {
            return Ok(());
        };
        if timeout.left().is_zero() {
            return Err(RingError::TimedOut);
        }
        self.spin_for_change(event);
        let mut has_slept = false;
        loop {
            let waiter = self.event(event).register();
            let Step::Wait(wanted, time) = step(has_slept)? else {
                return Ok(());
            };
            let left = timeout.left();
            if left.is_zero() {
                return Err(RingError::TimedOut);
            }
            has_slept = wanted == event;
            if has_slept {
                waiter.sleep(time.min(left));
            }
            event = wanted;
        }
    }

    /// Spins for a short time until the event's word changes: a sleep and a wake-up cost more than most waits.
    fn spin_for_change(&self, event: Event) {
        let word = match event {
            Event::Items => TAIL,
            Event::Room | Event::Turn => HEAD,
            Event::Done => DONE_COUNT,
        };
        let before = self.get(word);
        for attempt in 0..54 {
            if attempt < 4 {
                // Reading less often lets the other processor handle several items: each read transfers the cache line.
                (0..sys::SPINS).for_each(|_| hint::spin_loop());
            } else {
                // With more threads than processors, the process that this one waits for can run.
                thread::yield_now();
            }
            if self.get(word) != before {
                return;
            }
        }
    }
}

/// Result of a search for the place of an item.
enum Place {
    /// The item's number and place.
    Free(u64, usize),
    TooManyItems,
    NoRoom,
}

/// State of one call of `put`.
#[derive(Default)]
struct Writer {
    has_slept: bool,
    /// When it first claimed the turn, in nanoseconds of the monotonic clock. Zero: never.
    since: u64,
}

impl Writer {
    fn waiting_since(&mut self) -> u64 {
        if self.since == 0 {
            self.since = sys::monotonic_nanos();
        }
        self.since
    }
}
