//! The shared memory of a queue: a ring of items between two positions.
//!
//! Putting and taking have a lock each, so a putter and a taker do not wait for one another. `TAIL` is stored under the put
//! lock, `HEAD` under the take lock. Each change takes effect by *one* store: a process that is killed before the store has
//! done nothing, and after it everything except waking others. The locks are released by the kernel when their owner dies;
//! the next owner then notifies all waiters. Nothing has to be repaired.
//!
//! | word | meaning |
//! |---|---|
//! | `MAGIC`, `SIZE`, `LIMIT` | identify a ring; size in bytes, greatest number of items |
//! | `CLOSED` | 1: no item is put any more |
//! | `TAIL` | position behind the newest item |
//! | `HEAD` | position of the oldest item |
//! | `SEEN_HEAD`, `SEEN_TAIL` | copies that the other side made some time ago: read instead of the word that the others write |
//! | `TURN_SINCE`, `TURN_UNTIL` | the writer that waits for much room, and until when its turn counts, see [`turn`](super::turn) |
//! | `DONES` | number of the items that were reported as done |
//!
//! A *position* is the number of an item in the upper bits, and its place in the ring, in units of [`UNIT`], in the lower
//! bits. Equal numbers mean an empty ring. An item is a header (upper 24 bits: its number; lower 40 bits: its length in
//! bytes) and its bytes, rounded up to whole units. It lies in one piece: a header with the length [`SKIP`] sends the taker
//! to the beginning of the ring.
//!
//! # What other processes can do
//!
//! Every process that has the queue can write to this memory. Offsets and lengths that are read from it are verified before
//! they are used, items are copied out before they are decoded, and nothing in it is an address. So an overwritten ring
//! gives errors ([`RingError::Broken`]), wrong items, or a lost wake-up, but no access outside the ring.

use std::hint;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use crate::ipc::queue::futex_event::FutexEvent;
use crate::ipc::queue::turn::{self, Turn};
use crate::sys::{self, AcquireError, Acquired, SharedMap};

/// Identifies a ring, and the version of its layout.
const MAGIC_VALUE: u64 = u64::from_le_bytes(*b"procs-q2");

// Written once, and by `close`: all processors keep a copy of this cache line.
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
const DONES: usize = 384;
const DATA: usize = 4096;

const UNIT: usize = 16;
const HEADER: usize = 8;

const LENGTH_BITS: u32 = 40;
const SKIP: u64 = (1 << LENGTH_BITS) - 1;

/// `SEEN_HEAD` holds no position.
const UNSEEN: u64 = u64::MAX;

/// An empty ring starts again at its beginning from this place on, so that a short queue stays in the processor's cache.
const WARM: usize = 64 * 1024 / UNIT;

/// Distance, in units, between two looks at `HEAD` behind the warm part.
const LOOK_DISTANCE: usize = 4096 / UNIT;

/// Longest single sleep of a waiter. A process that is killed between a change and the wake-up leaves waiters asleep, so
/// they look again.
pub(super) const RECHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Upper bound for which a call with a time limit waits for a lock beyond the limit. Locks are held for microseconds
/// unless their owner is stopped (SIGSTOP, debugger).
const TRY_LOCK_BUDGET: Duration = Duration::from_millis(100);

/// What threads wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Items = 512,
    Room = 576,
    /// Room for the writer whose turn it is.
    Turn = 592,
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

/// How long an operation may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    Forever,
    Until(Instant),
    /// It does not wait for items or room.
    None,
}

impl Patience {
    /// `time` from now; for ever if the clock cannot show that moment.
    pub(crate) fn lasting(time: Duration) -> Self {
        Instant::now()
            .checked_add(time)
            .map_or(Self::Forever, Self::Until)
    }

    /// Time that is left; zero when nothing is.
    fn left(self) -> Duration {
        match self {
            Self::Forever => Duration::MAX,
            Self::Until(deadline) => deadline.saturating_duration_since(Instant::now()),
            Self::None => Duration::ZERO,
        }
    }

    fn lock_deadline(self) -> Option<Instant> {
        let soonest = Instant::now() + TRY_LOCK_BUDGET;
        match self {
            Self::Forever => None,
            Self::Until(deadline) => Some(deadline.max(soonest)),
            Self::None => Some(soonest),
        }
    }
}

/// Result of one attempt.
pub(super) enum Step {
    Done,
    /// Not possible before this event, or before so much time has passed.
    Wait(Event, Duration),
}

impl Step {
    fn wait(event: Event) -> Self {
        Self::Wait(event, RECHECK_INTERVAL)
    }
}

/// The number of an item and its place, in units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    number: u64,
    place: usize,
}

/// How positions are written as words: depends on the size of the ring only.
#[derive(Clone, Copy)]
struct Layout {
    units: usize,
    place_bits: u32,
}

impl Layout {
    fn new(size: usize) -> Self {
        let units = size / UNIT;
        Self {
            units,
            place_bits: usize::BITS - (units - 1).leading_zeros(),
        }
    }

    fn pack(self, position: Position) -> u64 {
        position.number << self.place_bits | position.place as u64
    }

    fn unpack(self, word: u64) -> Result<Position, RingError> {
        let place = (word & ((1 << self.place_bits) - 1)) as usize;
        if place >= self.units {
            return Err(RingError::Broken);
        }
        Ok(Position {
            number: word >> self.place_bits,
            place,
        })
    }

    /// The number of items from one number to the next; numbers begin again at zero.
    fn distance(self, from: u64, to: u64) -> u64 {
        to.wrapping_sub(from) & (u64::MAX >> self.place_bits)
    }

    /// The position behind an item.
    fn behind(self, number: u64, place: usize, room: usize) -> Position {
        let end = place + room;
        Position {
            number: number.wrapping_add(1) & (u64::MAX >> self.place_bits),
            place: if end == self.units { 0 } else { end },
        }
    }
}

/// The room of an item of so many bytes, in units.
fn room_of(length: usize) -> usize {
    (HEADER + length).div_ceil(UNIT)
}

fn header_of(number: u64, length: u64) -> u64 {
    number << LENGTH_BITS | length
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
    /// A lock was found to be overwritten: nothing is tried any more by this process.
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
    /// Makes memory for up to `limit` items that together take up to `size` bytes, a multiple of [`UNIT`].
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

    /// Maps the memory that another process made.
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

    /// The length of the largest item, in bytes.
    pub(crate) fn largest(&self) -> usize {
        self.size() - HEADER
    }

    fn get(&self, word: usize) -> u64 {
        self.map().word(word).load(Acquire)
    }

    fn set(&self, word: usize, value: u64) {
        // Release: the compiler and the processor keep everything before it there, also for a process that is killed.
        self.map().word(word).store(value, Release);
    }

    fn position(&self, word: usize) -> Result<Position, RingError> {
        self.layout.unpack(self.get(word))
    }

    pub(super) fn event(&self, event: Event) -> FutexEvent<'_> {
        FutexEvent::new(self.map(), event as usize)
    }

    fn turn(&self) -> Turn<'_> {
        Turn::new(self.map().word(TURN_SINCE), self.map().word(TURN_UNTIL))
    }

    /// The number of items at this moment.
    pub(crate) fn count(&self) -> u64 {
        // The head first: items that are put in between make the number too large rather than negative.
        let head = self.get(HEAD) >> self.layout.place_bits;
        let tail = self.get(TAIL) >> self.layout.place_bits;
        self.layout.distance(head, tail).min(self.limit)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.get(CLOSED) != 0
    }

    /// Whether it is closed, as putters and takers read it.
    fn closed(&self) -> Result<bool, RingError> {
        match self.get(CLOSED) {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(RingError::Broken),
        }
    }

    fn lock(&self, lock: usize, patience: Patience) -> Result<LockGuard<'_>, RingError> {
        if self.shared.is_broken.load(Relaxed) {
            return Err(RingError::Broken);
        }
        let word = self.map().half_word(lock);
        let acquired = match sys::acquire(word, || patience.lock_deadline()) {
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

    /// Wakes all waiters: a dead owner may have changed something without waking them.
    #[cold]
    fn notify_everyone(&self) {
        for event in [Event::Items, Event::Room, Event::Turn] {
            self.event(event).notify(i32::MAX);
        }
    }

    /// Puts an item that is not larger than the largest.
    pub(crate) fn put(&self, bytes: &[u8], patience: Patience) -> Result<(), RingError> {
        let mut writer = Writer::default();
        let result = self.repeat(patience, |asleep| {
            writer.has_slept |= asleep;
            self.try_put(bytes, patience, &mut writer)
        });
        if writer.has_slept {
            self.pass_on(&writer);
        }
        result
    }

    fn try_put(
        &self,
        bytes: &[u8],
        patience: Patience,
        writer: &mut Writer,
    ) -> Result<Step, RingError> {
        let guard = self.lock(PUT_LOCK, patience)?;
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
            // Items that came later have taken the room.
            Place::NoRoom if writer.has_slept => {
                if turn.take(writer.age()) {
                    // The writer that has lost its turn waits with the others from now on.
                    self.event(Event::Turn).notify(i32::MAX);
                }
                return Ok(Step::Wait(Event::Turn, turn::RENEWAL_INTERVAL));
            }
            Place::NoRoom => return Ok(Step::wait(Event::Room)),
        };
        let at = DATA + place * UNIT;
        self.set(at, header_of(number, bytes.len() as u64));
        self.map().write(at + HEADER, bytes);
        let tail = self.layout.behind(number, place, room_of(bytes.len()));
        turn.end(writer.since);
        self.set(TAIL, self.layout.pack(tail));
        drop(guard);
        self.event(Event::Items).notify(1);
        Ok(Step::Done)
    }

    /// Wakes the next writer: the one that has slept may have received a wake-up that another could use.
    #[cold]
    fn pass_on(&self, writer: &Writer) {
        self.turn().end(writer.since);
        if self.count() < self.limit {
            self.event(Event::Room).notify(1);
        }
    }

    /// Finds the place of an item of so many units.
    fn place(&self, room: usize) -> Result<Place, RingError> {
        let tail = self.position(TAIL)?;
        let seen = self.get(SEEN_HEAD);
        let is_far = tail.place >= WARM && (tail.place % LOOK_DISTANCE) < room;
        if seen != UNSEEN && !is_far {
            let place = self.place_between(self.layout.unpack(seen)?, tail, room);
            if let Place::Free(..) = place {
                return Ok(place);
            }
        }
        let word = self.get(HEAD);
        let mut head = self.layout.unpack(word)?;
        if head.number == tail.number {
            // Takers store the head only while there are items, so here it is the putter's to store.
            let fits = self.layout.units - tail.place >= room;
            head.place = if fits && !is_far { tail.place } else { 0 };
            self.set(SEEN_HEAD, UNSEEN);
            self.set(HEAD, self.layout.pack(head));
            self.set(SEEN_HEAD, self.layout.pack(head));
            return Ok(Place::Free(tail.number, head.place));
        }
        self.set(SEEN_HEAD, word);
        Ok(self.place_between(head, tail, room))
    }

    /// Finds the place of an item while there are others from `head` to `tail`, or were.
    fn place_between(&self, head: Position, tail: Position, room: usize) -> Place {
        let count = self.layout.distance(head.number, tail.number);
        if count >= self.limit {
            return Place::TooManyItems;
        }
        if count == 0 {
            // The place of the head does not follow from the copy: see `place`.
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

    /// Takes the oldest item; its bytes replace what is in `bytes`.
    pub(crate) fn take(&self, bytes: &mut Vec<u8>, patience: Patience) -> Result<(), RingError> {
        self.repeat(patience, |_| self.try_take(bytes, patience))
    }

    fn try_take(&self, bytes: &mut Vec<u8>, patience: Patience) -> Result<Step, RingError> {
        loop {
            let guard = self.lock(TAKE_LOCK, patience)?;
            let Some(head) = self.oldest()? else {
                // In this order: after the mark no item is put.
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
                // The allocator does not run under the lock.
                drop(guard);
                bytes.clear();
                bytes.reserve(length);
                continue;
            }
            bytes.clear();
            self.map()
                .append_to(bytes, DATA + place * UNIT + HEADER, length);
            let next = self.layout.behind(head.number, place, room_of(length));
            self.set(HEAD, self.layout.pack(next));
            drop(guard);
            if !self.event(Event::Turn).notify(i32::MAX) {
                self.event(Event::Room).notify(1);
            }
            return Ok(Step::Done);
        }
    }

    /// The position of the oldest item, if there is one. The caller holds the take lock.
    fn oldest(&self) -> Result<Option<Position>, RingError> {
        let seen = self.get(SEEN_TAIL) >> self.layout.place_bits;
        let head = self.position(HEAD)?;
        if head.number != seen {
            return Ok(Some(head));
        }
        // The tail first: a putter moves the head of an empty ring before it stores the tail.
        let tail = self.get(TAIL);
        let head = self.position(HEAD)?;
        if head.number == tail >> self.layout.place_bits {
            return Ok(None);
        }
        self.set(SEEN_TAIL, tail);
        Ok(Some(head))
    }

    /// The place of an item and its length. Verifies that it lies in the ring.
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

    /// Reports an item that was taken as done. False: none is open.
    pub(crate) fn done(&self) -> Result<bool, RingError> {
        let dones = self.map().word(DONES);
        let mut seen = dones.load(SeqCst);
        loop {
            if self.get(MAGIC) != MAGIC_VALUE {
                return Err(RingError::Broken);
            }
            if seen == self.position(HEAD)?.number {
                return Ok(false);
            }
            let next = self.layout.behind(seen, 0, 0).number;
            match dones.compare_exchange_weak(seen, next, SeqCst, SeqCst) {
                Ok(_) if next == self.position(TAIL)?.number => {
                    self.event(Event::Done).notify(i32::MAX);
                    return Ok(true);
                }
                Ok(_) => return Ok(true),
                Err(now) => seen = now,
            }
        }
    }

    /// Waits until every item that was put is reported as done.
    pub(crate) fn join(&self, patience: Patience) -> Result<(), RingError> {
        self.repeat(patience, |_| {
            if self.get(MAGIC) != MAGIC_VALUE {
                return Err(RingError::Broken);
            }
            // In this order: if they are equal, all was done when the tail was read.
            let dones = self.map().word(DONES).load(SeqCst);
            let tail = self.position(TAIL)?;
            if dones > u64::MAX >> self.layout.place_bits {
                return Err(RingError::Broken);
            }
            Ok(if dones == tail.number {
                Step::Done
            } else {
                Step::wait(Event::Done)
            })
        })
    }

    /// Lets no more items in.
    pub(crate) fn close(&self) -> Result<(), RingError> {
        let guard = self.lock(PUT_LOCK, Patience::Forever)?;
        self.set(CLOSED, 1);
        drop(guard);
        self.notify_everyone();
        Ok(())
    }

    /// Repeats `step` until it is done, fails, or runs out of time. Its argument is whether the thread has slept since the
    /// last one.
    fn repeat(
        &self,
        patience: Patience,
        mut step: impl FnMut(bool) -> Result<Step, RingError>,
    ) -> Result<(), RingError> {
        let Step::Wait(mut event, _) = step(false)? else {
            return Ok(());
        };
        if patience.left().is_zero() {
            return Err(RingError::TimedOut);
        }
        self.linger(event);
        let mut has_slept = false;
        loop {
            let waiter = self.event(event).register();
            let Step::Wait(wanted, nap) = step(has_slept)? else {
                return Ok(());
            };
            let left = patience.left();
            if left.is_zero() {
                return Err(RingError::TimedOut);
            }
            has_slept = wanted == event;
            if has_slept {
                waiter.sleep(nap.min(left));
            }
            event = wanted;
        }
    }

    /// Looks for news for a moment before sleeping: a sleep and a wake-up cost more than most waits.
    fn linger(&self, event: Event) {
        let word = match event {
            Event::Items => TAIL,
            Event::Room | Event::Turn => HEAD,
            Event::Done => DONES,
        };
        let before = self.get(word);
        for look in 0..54 {
            if look < 4 {
                // Meanwhile the other processor handles several items: passing the memory to and fro takes longer.
                (0..sys::SPINS).for_each(|_| hint::spin_loop());
            } else {
                // Yielding lets the process run that this one waits for.
                thread::yield_now();
            }
            if self.get(word) != before {
                return;
            }
        }
    }
}

/// Where an item can lie.
enum Place {
    /// Its number and place.
    Free(u64, usize),
    TooManyItems,
    NoRoom,
}

/// A putter that may have to wait.
#[derive(Default)]
struct Writer {
    has_slept: bool,
    /// When it wanted to have a turn for the first time. Zero: never.
    since: u64,
}

impl Writer {
    fn age(&mut self) -> u64 {
        if self.since == 0 {
            self.since = sys::monotonic_nanos();
        }
        self.since
    }
}
