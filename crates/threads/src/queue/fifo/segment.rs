//! Storage of queued items: a list of fixed arrays with a writing end and a reading end.
//!
//! Nothing here is atomic except the spare segment. The owner of the put side moves the writing cursor,
//! the owner of the get side the reading one, and the count of published items (`Fifo::put`) tells the
//! reader how far the writer has come.
//!
//! What runs under a side's lock neither allocates nor frees: segments are allocated before locking ([`Fresh`]) and
//! freed after unlocking ([`Emptied`]).

use crate::park::sys::UnsafeCell;
use crate::park::sys::atomic::{AtomicPtr, Ordering};
use std::mem::MaybeUninit;
use std::ptr;
use std::vec::Drain;

type Slot<T> = UnsafeCell<MaybeUninit<T>>;

/// One array of slots and the link to the next.
pub(super) struct Segment<T> {
    slots: Box<[Slot<T>]>,
    next: UnsafeCell<*mut Segment<T>>,
}

impl<T> Segment<T> {
    fn alloc(len: usize) -> *mut Self {
        let slots = (0..len).map(|_| Slot::new(MaybeUninit::uninit())).collect();
        Box::into_raw(Box::new(Self {
            slots,
            next: UnsafeCell::new(ptr::null_mut()),
        }))
    }
}

/// A segment that a writer allocated before it locked the put side, or none.
pub(super) struct Fresh<T>(*mut Segment<T>);

impl<T> Fresh<T> {
    pub(super) fn none() -> Self {
        Self(ptr::null_mut())
    }
}

/// The segments that a reader left, or none: the first, and how many of those linked to it.
#[must_use = "the segments are to be recycled after unlocking"]
pub(super) struct Emptied<T> {
    first: *mut Segment<T>,
    count: usize,
}

impl<T> Emptied<T> {
    #[inline]
    pub(super) fn none() -> Self {
        Self {
            first: ptr::null_mut(),
            count: 0,
        }
    }
}

/// One end of the list.
pub(super) struct Cursor<T> {
    segment: *mut Segment<T>,
    /// The segment's slots, so that an access costs one load less.
    slots: *const Slot<T>,
    index: usize,
}

// SAFETY: a cursor is an address; `SegmentList::write` and `read` state which thread may use it.
unsafe impl<T: Send> Send for Cursor<T> {}

impl<T> Cursor<T> {
    fn at(segment: *mut Segment<T>) -> Self {
        // SAFETY: callers pass a segment of the list, which lives as long as a cursor stands in it.
        let slots = unsafe { (*segment).slots.as_ptr() };
        Self {
            segment,
            slots,
            index: 0,
        }
    }
}

/// The shape of the list and its one spare segment.
pub(super) struct SegmentList<T> {
    /// Slots in each segment.
    len: usize,
    /// One segment that is its own successor: a ring.
    ring: bool,
    /// The last emptied segment, kept for the next that is needed: a queue in balance never allocates.
    spare: AtomicPtr<Segment<T>>,
}

/// The largest bound, in items, that is allocated at once; a larger one only limits the count.
const MAX_RING: usize = 4096;
/// The largest ring in bytes.
const MAX_RING_BYTES: usize = 1 << 20;
/// Bytes of items in one segment of a list, roughly.
const SEGMENT_BYTES: usize = 4096;
/// Slots in one segment, unless the items are large.
const SLOTS: std::ops::RangeInclusive<usize> = 16..=256;

fn is_ring<T>(capacity: usize) -> bool {
    capacity <= MAX_RING && capacity.saturating_mul(size_of::<T>()) <= MAX_RING_BYTES
}

fn slots_in_segment<T>() -> usize {
    let size = size_of::<T>().max(1);
    let fitting = (SEGMENT_BYTES / size).clamp(*SLOTS.start(), *SLOTS.end());
    fitting.min(MAX_RING_BYTES / size).max(1)
}

impl<T> SegmentList<T> {
    /// Makes a list for at most `capacity` items at a time, with its writing and its reading end.
    pub(super) fn new(capacity: usize) -> (Self, Cursor<T>, Cursor<T>) {
        let ring = is_ring::<T>(capacity);
        let len = if ring {
            capacity
        } else {
            slots_in_segment::<T>()
        };
        let first = Segment::alloc(len);
        let list = Self {
            len,
            ring,
            spare: AtomicPtr::new(ptr::null_mut()),
        };
        (list, Cursor::at(first), Cursor::at(first))
    }

    /// Allocates a segment for a writer that found neither a slot nor a spare. Call it without a lock.
    #[cold]
    pub(super) fn allocate(&self, fresh: &mut Fresh<T>) {
        if fresh.0.is_null() {
            fresh.0 = Segment::alloc(self.len);
        }
    }

    /// Keeps or frees a segment that was allocated in vain. Call it without a lock.
    #[inline]
    pub(super) fn release(&self, fresh: Fresh<T>) {
        if !fresh.0.is_null() {
            self.keep(fresh.0);
        }
    }

    /// Returns the number of slots in a row at the writing end. 0: a segment has to be allocated.
    #[inline]
    pub(super) fn room(&self, cursor: &mut Cursor<T>, fresh: &mut Fresh<T>) -> usize {
        if cursor.index == self.len {
            self.advance_writer(cursor, fresh);
        }
        self.len - cursor.index
    }

    #[cold]
    fn advance_writer(&self, cursor: &mut Cursor<T>, fresh: &mut Fresh<T>) {
        if self.ring {
            cursor.index = 0;
            return;
        }
        // Acquire pairs with the Release in `keep`: the reader has left the segment.
        let mut next = self.spare.swap(ptr::null_mut(), Ordering::Acquire);
        if next.is_null() {
            next = std::mem::replace(&mut fresh.0, ptr::null_mut());
        }
        if !next.is_null() {
            self.push_segment(cursor, next);
        }
    }

    fn push_segment(&self, cursor: &mut Cursor<T>, next: *mut Segment<T>) {
        // SAFETY: the reader leaves a segment only after it saw an item in the next one, which is not
        // yet written; so the current segment is alive.
        let link = unsafe { &(*cursor.segment).next };
        link.with_mut(|link| {
            // SAFETY: the reader reads the link only after an item of the next segment is published.
            unsafe { *link = next };
        });
        *cursor = Cursor::at(next);
    }

    /// Writes an item at the writing end.
    ///
    /// # Safety
    /// The caller owns the put side, `cursor` is its cursor, `room` returned at least 1 since the last write, and
    /// fewer than the list's capacity of written items are unread (known from an Acquire load of the count of read
    /// items).
    #[inline]
    pub(super) unsafe fn write(&self, cursor: &mut Cursor<T>, item: T) {
        // SAFETY: the index is below `len`, the number of slots, as `room` said.
        let slot = unsafe { &*cursor.slots.add(cursor.index) };
        slot.with_mut(|slot| {
            // SAFETY: the slot is unpublished or read out (the caller's promise), so only this thread
            // reaches it.
            unsafe { (*slot).write(item) };
        });
        cursor.index += 1;
    }

    /// Writes the first `n` of `items`, which are in a row.
    ///
    /// # Safety
    /// As `write`, for `n` items; `room` returned at least `n`.
    #[inline]
    pub(super) unsafe fn write_run(
        &self,
        cursor: &mut Cursor<T>,
        items: &mut Drain<'_, T>,
        n: usize,
    ) {
        for item in items.by_ref().take(n) {
            // SAFETY: the caller's promise for each of the `n`.
            unsafe { self.write(cursor, item) };
        }
    }

    /// Takes the item at the reading end.
    ///
    /// # Safety
    /// The caller owns the get side, `cursor` is its cursor, and at least one published item is unread
    /// (known from an Acquire load of the count of published items).
    #[inline]
    pub(super) unsafe fn read(&self, cursor: &mut Cursor<T>, emptied: &mut Emptied<T>) -> T {
        if cursor.index == self.len {
            // SAFETY: an unread item exists and none is left here, so it lies in the next segment.
            unsafe { self.advance_reader(cursor, emptied) };
        }
        // SAFETY: the index is below `len`, the number of slots.
        let slot = unsafe { &*cursor.slots.add(cursor.index) };
        cursor.index += 1;
        slot.with_mut(|slot| {
            // SAFETY: the item is published, so initialised, and the index moves on: it is read once.
            unsafe { (*slot).assume_init_read() }
        })
    }

    /// # Safety
    /// As `read`, and the cursor stands at its segment's end.
    #[cold]
    unsafe fn advance_reader(&self, cursor: &mut Cursor<T>, emptied: &mut Emptied<T>) {
        if self.ring {
            cursor.index = 0;
            return;
        }
        let old = cursor.segment;
        // SAFETY: the segment under the cursor is alive; the writer set its link before it published
        // the item that the caller knows of, and does not touch the segment afterwards.
        let next = unsafe { (*old).next.with_mut(|link| *link) };
        *cursor = Cursor::at(next);
        if emptied.count == 0 {
            emptied.first = old;
        }
        emptied.count += 1;
    }

    /// Keeps one of the segments for the writer and frees the others. Call it without a lock.
    #[inline]
    pub(super) fn recycle(&self, emptied: Emptied<T>) {
        if emptied.count > 0 {
            self.recycle_all(emptied);
        }
    }

    #[cold]
    fn recycle_all(&self, emptied: Emptied<T>) {
        let mut segment = emptied.first;
        for _ in 0..emptied.count {
            // SAFETY: `read` put the segment on the list of emptied ones, so both cursors have left it, and its
            // link was set before.
            let next = unsafe { (*segment).next.with_mut(|link| *link) };
            self.keep(segment);
            segment = next;
        }
    }

    /// Keeps an empty segment as the spare, or frees it.
    fn keep(&self, segment: *mut Segment<T>) {
        // Release pairs with the Acquire in `advance_writer`.
        let kept = self.spare.compare_exchange(
            ptr::null_mut(),
            segment,
            Ordering::Release,
            Ordering::Relaxed,
        );
        if kept.is_err() {
            // SAFETY: no cursor stands in the segment, and its items were moved out.
            drop(unsafe { Box::from_raw(segment) });
        }
    }

    /// Frees the list.
    ///
    /// # Safety
    /// Every item has been read, so both cursors stand in `reader`'s segment, and nobody uses the list
    /// afterwards.
    pub(super) unsafe fn free(&self, reader: &mut Cursor<T>) {
        let spare = self.spare.swap(ptr::null_mut(), Ordering::Acquire);
        for segment in [spare, reader.segment] {
            if !segment.is_null() {
                // SAFETY: the spare is not linked; the other is the list's only remaining segment.
                drop(unsafe { Box::from_raw(segment) });
            }
        }
    }
}
