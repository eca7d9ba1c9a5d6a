//! The shared memory of a queue: a ring of items behind a mutex that survives its owners.
//!
//! Everything is changed under the mutex. Each change takes effect by *one* store, of `TAIL` when an item is put and of
//! `HEAD` when one is taken: whoever is killed before it has done nothing, whoever is killed after it has done everything
//! but counting. The next one who gets the mutex learns of the death and counts again.
//!
//! | word | says |
//! |---|---|
//! | `HEAD`, `TAIL` | where the oldest item begins and the newest ends; never less than before, a place is the rest modulo the size |
//! | `PUTS`, `TAKES`, `DONES` | how many items were put, taken, and reported as done |
//! | `CLOSED` | no more will be put |
//! | `LIMIT` | how many items may wait |
//!
//! An item is its length (u64), its number (u64), its bytes; rounded up to [`UNIT`]. It lies in one piece: what remains at
//! the end of the ring is left out, with `SKIP` for a length.
//!
//! Those who wait count themselves in a [`Bell`] and sleep on its futex; whoever has news takes the count and wakes them
//! after unlocking. One who is killed between the two wakes nobody: so nobody sleeps longer than a [`NAP`] at a time.

use std::hint;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::thread;
use std::time::{Duration, Instant};

use crate::sys::{self, Found, SharedMap};

const MUTEX: usize = 0;
const HEAD: usize = 64;
const TAKES: usize = 72;
const TAIL: usize = 128;
const PUTS: usize = 136;
const DONES: usize = 192;
const CLOSED: usize = 200;
const LIMIT: usize = 208;
const DATA: usize = 4096;

const UNIT: usize = 16;
const HEADER: usize = 16;
const SKIP: u64 = u64::MAX;

/// Where a ring that is empty begins anew, so that a queue that is never full stays in the processor's cache.
const WARM: usize = 64 * 1024;

/// See above.
const NAP: Duration = Duration::from_millis(100);

/// How long one waits for the mutex who does not want to wait: it is held for microseconds, unless its owner was stopped.
const PATIENCE: Duration = Duration::from_millis(100);

/// Who waits for what: a futex, and behind it the number of waiters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bell {
    Items = 256,
    Room = 320,
    Done = 384,
}

/// Why nothing was done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It is too late.
    Late,
    Closed,
    /// A process has overwritten the ring.
    Broken,
}

/// The shared memory of a queue.
#[derive(Clone)]
pub(crate) struct Ring {
    map: Arc<SharedMap>,
    size: usize,
}

/// The mutex, held.
struct Held<'a>(&'a Ring);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        sys::unlock_mutex(&self.0.map, MUTEX);
    }
}

impl Ring {
    /// For up to `limit` items that together take up to `size` bytes (a multiple of [`UNIT`]).
    pub(crate) fn new(limit: usize, size: usize) -> io::Result<Self> {
        let length = size.checked_add(DATA).ok_or(io::ErrorKind::OutOfMemory)?;
        let map = SharedMap::new(length)?;
        sys::init_mutex(&map, MUTEX)?;
        map.word(LIMIT).store(limit as u64, Relaxed);
        Ok(Self {
            map: Arc::new(map),
            size,
        })
    }

    pub(crate) fn attach(file: OwnedFd, size: usize) -> io::Result<Self> {
        let length = size.checked_add(DATA).ok_or(io::ErrorKind::InvalidData)?;
        let map = Arc::new(SharedMap::attach(file, length)?);
        Ok(Self { map, size })
    }

    pub(crate) fn map(&self) -> &SharedMap {
        &self.map
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn limit(&self) -> usize {
        self.get(LIMIT) as usize
    }

    /// The largest value that finds room.
    pub(crate) fn largest(&self) -> usize {
        self.size - HEADER
    }

    fn get(&self, word: usize) -> u64 {
        self.map.word(word).load(Acquire)
    }

    fn set(&self, word: usize, value: u64) {
        // Release, so that the compiler and the processor keep everything before it there, also for one who is killed.
        self.map.word(word).store(value, Release);
    }

    /// Where a position lies in the ring. A division is as slow as all the rest of a put; most sizes need none.
    fn rest(&self, at: u64) -> usize {
        let size = self.size as u64;
        let rest = if size.is_power_of_two() {
            at & (size - 1)
        } else {
            at % size
        };
        rest as usize
    }

    /// How many items wait, at this moment.
    pub(crate) fn count(&self) -> u64 {
        // Takes first: items that are put in between make the number too large rather than negative.
        let takes = self.get(TAKES);
        self.get(PUTS).saturating_sub(takes)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.get(CLOSED) != 0
    }

    fn lock(&self, deadline: Option<Instant>) -> Result<Held<'_>, Stop> {
        let deadline = deadline.map(|deadline| deadline.max(Instant::now() + PATIENCE));
        let found = sys::lock_mutex(&self.map, MUTEX, deadline).map_err(|_| Stop::Broken)?;
        let found = found.ok_or(Stop::Late)?;
        let held = Held(self);
        if found == Found::OwnerDied {
            let counted = self.recount();
            // Also a ring that cannot be counted must stay lockable, so that all see that it is broken.
            sys::repaired(&self.map, MUTEX);
            counted?;
        }
        Ok(held)
    }

    /// Counts again what the dead may not have counted.
    fn recount(&self) -> Result<(), Stop> {
        let (mut at, tail) = (self.get(HEAD), self.get(TAIL));
        let mut count = 0;
        while at != tail {
            match self.item(at, tail)? {
                (start, None) => at = start,
                (start, Some((length, number))) => {
                    count += 1;
                    // Items are numbered by `PUTS`: only the newest may not be in it.
                    self.set(PUTS, self.get(PUTS).max(number + 1));
                    at = start + room_of(length) as u64;
                }
            }
        }
        self.set(
            TAKES,
            self.get(PUTS).checked_sub(count).ok_or(Stop::Broken)?,
        );
        Ok(())
    }

    /// What lies at a position before the tail: an item's length and number, or a gap and where it ends.
    fn item(&self, at: u64, tail: u64) -> Result<(u64, Option<(usize, u64)>), Stop> {
        let place = self.rest(at);
        let left = self.size - place;
        if tail.wrapping_sub(at) > self.size as u64 || !place.is_multiple_of(UNIT) {
            return Err(Stop::Broken);
        }
        let length = self.get(DATA + place);
        let end = at + left as u64;
        if length == SKIP {
            return if end <= tail {
                Ok((end, None))
            } else {
                Err(Stop::Broken)
            };
        }
        let length = usize::try_from(length).map_err(|_| Stop::Broken)?;
        let fits = length <= left - HEADER && at + room_of(length) as u64 <= tail;
        if !fits {
            return Err(Stop::Broken);
        }
        Ok((at, Some((length, self.get(DATA + place + 8)))))
    }

    /// Leaves out what remains at the end of the ring after a position.
    fn skip(&self, at: u64) -> u64 {
        let place = self.rest(at);
        self.set(DATA + place, SKIP);
        at + (self.size - place) as u64
    }

    /// Where an item of this size begins if there is room.
    fn place(&self, room: usize) -> Option<u64> {
        let (mut head, mut tail) = (self.get(HEAD), self.get(TAIL));
        let left = |at: u64| self.size - self.rest(at);
        if self.count() == 0 {
            if left(tail) < room || self.size - left(tail) > WARM {
                // First the gap, then the two ends: each of the three leaves a ring without items.
                tail = self.skip(tail);
                self.set(TAIL, tail);
            }
            head = tail;
            self.set(HEAD, head);
        }
        let gap = if left(tail) < room { left(tail) } else { 0 };
        let free = self.size - (tail - head) as usize;
        if gap + room > free {
            return None;
        }
        Some(if gap > 0 { self.skip(tail) } else { tail })
    }

    /// Puts an item that is not larger than the largest.
    pub(crate) fn put(&self, bytes: &[u8], deadline: Option<Instant>) -> Result<(), Stop> {
        let room = room_of(bytes.len());
        self.repeat(Bell::Room, deadline, || {
            let held = self.lock(deadline)?;
            if self.is_closed() {
                return Err(Stop::Closed);
            }
            let (puts, full) = (self.get(PUTS), self.count() >= self.get(LIMIT));
            let Some(at) = (if full { None } else { self.place(room) }) else {
                return Ok(Err(held));
            };
            let place = DATA + self.rest(at);
            self.set(place, bytes.len() as u64);
            self.set(place + 8, puts);
            self.map.write(place + HEADER, bytes);
            self.set(TAIL, at + room as u64);
            self.set(PUTS, puts + 1);
            self.ring(Bell::Items, held, 1);
            Ok(Ok(()))
        })
    }

    /// Takes the oldest item, into `bytes`, whatever was there. (Bytes that are there already need not be cleared first.)
    pub(crate) fn take(&self, bytes: &mut Vec<u8>, deadline: Option<Instant>) -> Result<(), Stop> {
        self.repeat(Bell::Items, deadline, || {
            let held = self.lock(deadline)?;
            if self.count() == 0 {
                return if self.is_closed() {
                    Err(Stop::Closed)
                } else {
                    Ok(Err(held))
                };
            }
            let tail = self.get(TAIL);
            let (mut at, mut item) = self.item(self.get(HEAD), tail)?;
            if item.is_none() {
                (at, item) = self.item(at, tail)?;
            }
            let (length, _) = item.ok_or(Stop::Broken)?;
            bytes.resize(length, 0);
            let place = DATA + self.rest(at);
            self.map.read(place + HEADER, bytes);
            self.set(HEAD, at + room_of(length) as u64);
            self.set(TAKES, self.get(TAKES) + 1);
            // All of them: the first may need more room than there is, and the second less.
            self.ring(Bell::Room, held, i32::MAX);
            Ok(Ok(()))
        })
    }

    /// Says that an item that was taken is done. False: none is open.
    pub(crate) fn done(&self) -> Result<bool, Stop> {
        let held = self.lock(None)?;
        let dones = self.get(DONES) + 1;
        if dones > self.get(TAKES) {
            return Ok(false);
        }
        self.set(DONES, dones);
        if dones == self.get(PUTS) {
            self.ring(Bell::Done, held, i32::MAX);
        }
        Ok(true)
    }

    /// Waits until all that was put is done.
    pub(crate) fn join(&self, deadline: Option<Instant>) -> Result<(), Stop> {
        self.repeat(Bell::Done, deadline, || {
            let held = self.lock(deadline)?;
            let all_done = self.get(DONES) == self.get(PUTS);
            Ok(if all_done { Ok(()) } else { Err(held) })
        })
    }

    /// Lets nobody put anything more.
    pub(crate) fn close(&self) -> Result<(), Stop> {
        let held = self.lock(None)?;
        self.set(CLOSED, 1);
        self.ring(Bell::Items, held, i32::MAX);
        let held = self.lock(None)?;
        self.ring(Bell::Room, held, i32::MAX);
        Ok(())
    }

    /// Tries until it succeeds, fails, or is too late. `step` gives back the mutex where it wants to wait.
    fn repeat<'a>(
        &'a self,
        bell: Bell,
        deadline: Option<Instant>,
        mut step: impl FnMut() -> Result<Result<(), Held<'a>>, Stop>,
    ) -> Result<(), Stop> {
        let mut first = true;
        loop {
            let held = match step()? {
                Ok(()) => return Ok(()),
                Err(held) => held,
            };
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(Stop::Late);
            }
            if std::mem::take(&mut first) {
                drop(held);
                self.linger(bell);
                continue;
            }
            let waiters = self.map.half_word(bell as usize + 4);
            waiters.store(waiters.load(Relaxed).saturating_add(1), Relaxed);
            // Read under the mutex: whoever has news after it changes this number before waking.
            let seen = self.map.half_word(bell as usize).load(Relaxed);
            drop(held);
            let nap = left.map_or(NAP, |left| left.min(NAP));
            sys::futex_wait(&self.map, bell as usize, seen, nap);
        }
    }

    /// Looks for news for a moment before sleeping: a sleep and a wake-up cost more than most waits.
    fn linger(&self, bell: Bell) {
        let word = match bell {
            Bell::Items => TAIL,
            Bell::Room => HEAD,
            Bell::Done => DONES,
        };
        let before = self.get(word);
        for look in 0..54 {
            if look < 4 {
                // Meanwhile the other processor does several items: to pass the ring's memory to and fro takes longer.
                (0..sys::SPINS).for_each(|_| hint::spin_loop());
            } else {
                // Yielding lets the one run that is waited for.
                thread::yield_now();
            }
            if self.get(word) != before {
                return;
            }
        }
    }

    /// Unlocks, and wakes up to so many of those who wait.
    fn ring(&self, bell: Bell, held: Held<'_>, count: i32) {
        let waiters = self.map.half_word(bell as usize + 4);
        let waiting = waiters.load(Relaxed);
        if waiting > 0 {
            let woken = u32::try_from(count).unwrap_or(u32::MAX);
            waiters.store(waiting.saturating_sub(woken), Relaxed);
            let number = self.map.half_word(bell as usize);
            number.store(number.load(Relaxed).wrapping_add(1), Relaxed);
        }
        drop(held);
        if waiting > 0 {
            sys::futex_wake(&self.map, bell as usize, count);
        }
    }
}

/// How much of the ring an item takes.
fn room_of(length: usize) -> usize {
    (HEADER + length).next_multiple_of(UNIT)
}
