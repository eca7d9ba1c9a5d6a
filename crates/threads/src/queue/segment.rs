//! Where queued items lie: a chain of fixed arrays with a writing end and a reading end.
//!
//! Nothing here is atomic except the spare segment. The owner of the put side moves the writing cursor,
//! the owner of the get side the reading one, and the count of published items (`Fifo::tail`) tells the
//! reader how far the writer has come.

use crate::park::sys::UnsafeCell;
use crate::park::sys::atomic::{AtomicPtr, Ordering};
use std::mem::MaybeUninit;
use std::ptr;

type Slot<T> = UnsafeCell<MaybeUninit<T>>;

/// One array of slots and the link to the next.
struct Segment<T> {
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

/// One end of the chain.
pub(super) struct Cursor<T> {
    segment: *mut Segment<T>,
    /// The segment's slots, so that an access costs one load less.
    slots: *const Slot<T>,
    index: usize,
}

// SAFETY: a cursor is an address; who may use it is said at `Chain::write` and `Chain::read`.
unsafe impl<T: Send> Send for Cursor<T> {}

impl<T> Cursor<T> {
    fn at(segment: *mut Segment<T>) -> Self {
        // SAFETY: callers pass a segment of the chain, which lives as long as a cursor stands in it.
        let slots = unsafe { (*segment).slots.as_ptr() };
        Self {
            segment,
            slots,
            index: 0,
        }
    }
}

/// The chain's shape and its one spare segment.
pub(super) struct Chain<T> {
    /// Slots in each segment.
    len: usize,
    /// One segment that is its own successor: a ring.
    ring: bool,
    /// The last emptied segment, kept for the next that is needed: a queue in balance never allocates.
    spare: AtomicPtr<Segment<T>>,
}

/// The largest bound that is allocated at once; a larger one only limits the count.
const MAX_RING: usize = 4096;
/// Bytes of items in one segment of an unbounded chain, roughly.
const SEGMENT_BYTES: usize = 4096;

impl<T> Chain<T> {
    /// A chain for at most `capacity` items at a time, with its writing and its reading end.
    pub(super) fn new(capacity: usize) -> (Self, Cursor<T>, Cursor<T>) {
        let ring = capacity <= MAX_RING;
        let len = if ring {
            capacity
        } else {
            (SEGMENT_BYTES / size_of::<T>().max(1)).clamp(16, 256)
        };
        let first = Segment::alloc(len);
        let chain = Self {
            len,
            ring,
            spare: AtomicPtr::new(ptr::null_mut()),
        };
        (chain, Cursor::at(first), Cursor::at(first))
    }

    /// Writes an item at the writing end.
    ///
    /// # Safety
    /// The caller owns the put side, `cursor` is its cursor, and in a ring fewer than `len` written
    /// items are unread (which it learnt from an Acquire load of the count of read items).
    #[inline]
    pub(super) unsafe fn write(&self, cursor: &mut Cursor<T>, item: T) {
        if cursor.index == self.len {
            self.extend(cursor);
        }
        // SAFETY: the index is below `len`, the number of slots.
        let slot = unsafe { &*cursor.slots.add(cursor.index) };
        slot.with_mut(|slot| {
            // SAFETY: the slot is unpublished or read out (the caller's promise), so only this thread
            // reaches it.
            unsafe { (*slot).write(item) };
        });
        cursor.index += 1;
    }

    #[cold]
    fn extend(&self, cursor: &mut Cursor<T>) {
        if self.ring {
            cursor.index = 0;
            return;
        }
        // Acquire pairs with the Release in `recycle`: the reader has left the segment.
        let mut next = self.spare.swap(ptr::null_mut(), Ordering::Acquire);
        if next.is_null() {
            next = Segment::alloc(self.len);
        }
        // SAFETY: the reader frees a segment only after it saw an item in the next one, which is not
        // yet written; so the current segment is alive.
        let link = unsafe { &(*cursor.segment).next };
        link.with_mut(|link| {
            // SAFETY: the reader reads the link only after an item of the next segment is published.
            unsafe { *link = next };
        });
        *cursor = Cursor::at(next);
    }

    /// Takes the item at the reading end.
    ///
    /// # Safety
    /// The caller owns the get side, `cursor` is its cursor, and at least one published item is unread
    /// (which it learnt from an Acquire load of the count of published items).
    #[inline]
    pub(super) unsafe fn read(&self, cursor: &mut Cursor<T>) -> T {
        if cursor.index == self.len {
            // SAFETY: an unread item exists and none is left here, so it lies in the next segment.
            unsafe { self.follow(cursor) };
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
    unsafe fn follow(&self, cursor: &mut Cursor<T>) {
        if self.ring {
            cursor.index = 0;
            return;
        }
        let old = cursor.segment;
        // SAFETY: the segment under the cursor is alive; the writer set its link before it published
        // the item that the caller knows of, and does not touch the segment afterwards.
        let next = unsafe { (*old).next.with_mut(|link| *link) };
        *cursor = Cursor::at(next);
        self.recycle(old);
    }

    fn recycle(&self, segment: *mut Segment<T>) {
        // Release pairs with the Acquire in `extend`.
        let kept = self.spare.compare_exchange(
            ptr::null_mut(),
            segment,
            Ordering::Release,
            Ordering::Relaxed,
        );
        if kept.is_err() {
            // SAFETY: both cursors have left the segment, and its items were moved out.
            drop(unsafe { Box::from_raw(segment) });
        }
    }

    /// Frees the chain.
    ///
    /// # Safety
    /// Every item has been read, so both cursors stand in `reader`'s segment, and nobody uses the chain
    /// afterwards.
    pub(super) unsafe fn free(&self, reader: &mut Cursor<T>) {
        let spare = self.spare.swap(ptr::null_mut(), Ordering::Acquire);
        for segment in [spare, reader.segment] {
            if !segment.is_null() {
                // SAFETY: the spare is not linked; the other is the chain's only remaining segment.
                drop(unsafe { Box::from_raw(segment) });
            }
        }
    }
}
