//! What shared memory can hold.

use std::sync::atomic::Ordering::{Acquire, SeqCst};

/// A number that can lie in shared memory: an integer or a float. Every pattern of its bits is a value, and the processor
/// reads and writes it in one step. Implemented for those types, and for no others.
pub trait Plain: Copy + Send + Sync + 'static + sealed::Cell {}

pub(super) mod sealed {
    pub trait Cell: Sized {
        /// # Safety
        ///
        /// The pointer is aligned, valid for as long as the call lasts, and used for atomic access of this size only.
        unsafe fn load(at: *mut u8) -> Self;
        /// # Safety
        ///
        /// As `load`.
        unsafe fn store(at: *mut u8, value: Self);
        /// Replaces the value by a function of it. Returns what was there.
        ///
        /// # Safety
        ///
        /// As `load`.
        unsafe fn update(at: *mut u8, change: impl FnMut(Self) -> Self) -> Self;
    }
}

macro_rules! plain {
    ($($type:ty, $atomic:ident, $to:expr, $from:expr;)*) => { $(
        impl Plain for $type {}

        impl sealed::Cell for $type {
            unsafe fn load(at: *mut u8) -> Self {
                // SAFETY: the caller's promise is that of `from_ptr`.
                let cell = unsafe { std::sync::atomic::$atomic::from_ptr(at.cast()) };
                $from(cell.load(Acquire))
            }

            unsafe fn store(at: *mut u8, value: Self) {
                // SAFETY: the caller's promise is that of `from_ptr`.
                let cell = unsafe { std::sync::atomic::$atomic::from_ptr(at.cast()) };
                cell.store($to(value), std::sync::atomic::Ordering::Release);
            }

            unsafe fn update(at: *mut u8, mut change: impl FnMut(Self) -> Self) -> Self {
                // SAFETY: the caller's promise is that of `from_ptr`.
                let cell = unsafe { std::sync::atomic::$atomic::from_ptr(at.cast()) };
                $from(cell.update(SeqCst, Acquire, |old| $to(change($from(old)))))
            }
        }
    )* };
}

plain! {
    u8, AtomicU8, u8::from, u8::from;
    u16, AtomicU16, u16::from, u16::from;
    u32, AtomicU32, u32::from, u32::from;
    u64, AtomicU64, u64::from, u64::from;
    usize, AtomicUsize, usize::from, usize::from;
    i8, AtomicI8, i8::from, i8::from;
    i16, AtomicI16, i16::from, i16::from;
    i32, AtomicI32, i32::from, i32::from;
    i64, AtomicI64, i64::from, i64::from;
    isize, AtomicIsize, isize::from, isize::from;
    f32, AtomicU32, f32::to_bits, f32::from_bits;
    f64, AtomicU64, f64::to_bits, f64::from_bits;
}
