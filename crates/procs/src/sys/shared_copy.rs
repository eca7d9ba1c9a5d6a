//! Copies between memory that processes share and memory of this process.
//!
//! The shared side is accessed atomically, by words and by bytes, because other processes may access it at the same time.
//! `tests/pure` runs these functions in Miri, which does not support the inline assembly.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU8, AtomicU64};

pub(in crate::sys) const WORD: usize = size_of::<u64>();

/// Smallest copy that uses vector registers, in bytes. Below it, a loop over words is as fast.
#[cfg(all(target_arch = "x86_64", not(miri)))]
const VECTOR_COPY: usize = 128;

/// Returns how many of `count` bytes lie before the first whole word.
fn unaligned(shared: *const u8, count: usize) -> usize {
    count.min(shared.addr().wrapping_neg() % WORD)
}

/// Copies bytes into shared memory.
///
/// # Safety
///
/// `to` is writable for as many bytes, which do not overlap with `bytes`. All other users access them atomically.
#[inline]
pub(in crate::sys) unsafe fn copy_in(to: *mut u8, bytes: &[u8]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if bytes.len() >= VECTOR_COPY {
        // SAFETY: the caller vouches for the destination; the source is a slice.
        unsafe { vector_copy(to, bytes.as_ptr(), bytes.len()) };
        return;
    }
    let unaligned = unaligned(to, bytes.len());
    let (head, rest) = bytes.split_at(unaligned);
    let (words, tail) = rest.as_chunks::<WORD>();
    for (index, byte) in head.iter().enumerate() {
        // SAFETY: inside the range that the caller vouches for; all access to it is atomic.
        unsafe { AtomicU8::from_ptr(to.add(index)) }.store(*byte, Relaxed);
    }
    for (index, word) in words.iter().enumerate() {
        // SAFETY: as above; the address is a multiple of eight, because the head ends at one.
        unsafe { AtomicU64::from_ptr(to.add(unaligned + index * WORD).cast()) }
            .store(u64::from_ne_bytes(*word), Relaxed);
    }
    let done = bytes.len() - tail.len();
    for (index, byte) in tail.iter().enumerate() {
        // SAFETY: as for the first bytes.
        unsafe { AtomicU8::from_ptr(to.add(done + index)) }.store(*byte, Relaxed);
    }
}

/// Copies bytes out of shared memory.
///
/// # Safety
///
/// `from` is readable for `count` bytes, which all other users access atomically. `to` is writable for `count` bytes,
/// initialized or not. The ranges do not overlap.
#[inline]
pub(in crate::sys) unsafe fn copy_out(to: *mut u8, from: *mut u8, count: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if count >= VECTOR_COPY {
        // SAFETY: the caller vouches for both ranges.
        unsafe { vector_copy(to, from, count) };
        return;
    }
    let byte = |index| {
        // SAFETY: below `count`, so in both ranges; all access to the shared one is atomic.
        unsafe {
            to.add(index)
                .write(AtomicU8::from_ptr(from.add(index)).load(Relaxed));
        }
    };
    let unaligned = unaligned(from, count);
    let words_end = count - (count - unaligned) % WORD;
    (0..unaligned).for_each(byte);
    for index in (unaligned..words_end).step_by(WORD) {
        // SAFETY: as for a byte, for eight of them; the address is a multiple of eight, because the first bytes end at one.
        unsafe {
            let word = AtomicU64::from_ptr(from.add(index).cast()).load(Relaxed);
            to.add(index).cast::<u64>().write_unaligned(word);
        }
    }
    (words_end..count).for_each(byte);
}

/// Appends bytes of shared memory to `bytes`. Does not allocate if there is room.
///
/// # Safety
///
/// As for [`copy_out`], of the source.
#[inline]
pub(in crate::sys) unsafe fn append(bytes: &mut Vec<u8>, from: *mut u8, count: usize) {
    let start = bytes.len();
    bytes.reserve(count);
    // SAFETY: `reserve` has made room for `count` more bytes.
    let to = unsafe { bytes.as_mut_ptr().add(start) };
    // SAFETY: the caller vouches for the source; the destination is the vector's spare room.
    unsafe { copy_out(to, from, count) };
    // SAFETY: the copy has initialized these bytes, for which there is room.
    unsafe { bytes.set_len(start + count) };
}

/// Copies bytes through vector registers, nearly as fast as `memcpy`.
///
/// `rep movsb` would be as short, but takes 14 times as long on some processors when the destination lies a few bytes
/// behind the source, counted within a page.
///
/// The compiler does not see the accesses, so it can assume nothing about them: to the other processes they are relaxed
/// atomic accesses of single bytes, in any order.
///
/// # Safety
///
/// Both ranges are valid for `count` bytes, at least 64, and do not overlap. If one of them is shared, all its other users
/// access it atomically.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline]
unsafe fn vector_copy(to: *mut u8, from: *const u8, count: usize) {
    // SAFETY: each step of the loop copies 64 bytes, `count / 64` times; the last one, which may overlap with the step
    // before, copies the last 64 bytes. The caller vouches for both ranges. The loop runs at least once.
    unsafe {
        std::arch::asm!(
            "2:",
            "movups {a}, [{from}]",
            "movups {b}, [{from} + 16]",
            "movups {c}, [{from} + 32]",
            "movups {d}, [{from} + 48]",
            "movups [{to}], {a}",
            "movups [{to} + 16], {b}",
            "movups [{to} + 32], {c}",
            "movups [{to} + 48], {d}",
            "add {from}, 64",
            "add {to}, 64",
            "dec {steps}",
            "jnz 2b",
            "movups {a}, [{from_last}]",
            "movups {b}, [{from_last} + 16]",
            "movups {c}, [{from_last} + 32]",
            "movups {d}, [{from_last} + 48]",
            "movups [{to_last}], {a}",
            "movups [{to_last} + 16], {b}",
            "movups [{to_last} + 32], {c}",
            "movups [{to_last} + 48], {d}",
            a = out(xmm_reg) _,
            b = out(xmm_reg) _,
            c = out(xmm_reg) _,
            d = out(xmm_reg) _,
            from = inout(reg) from => _,
            to = inout(reg) to => _,
            steps = inout(reg) count / 64 => _,
            from_last = in(reg) from.add(count - 64),
            to_last = in(reg) to.add(count - 64),
            options(nostack)
        );
    }
}
