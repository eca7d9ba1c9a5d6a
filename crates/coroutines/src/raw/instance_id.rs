//! Numbers that tell the coroutines of a process apart. No number is used twice.

#[cfg(feature = "std")]
use core::cell::Cell;
use core::marker::PhantomData;
#[cfg(target_has_atomic = "64")]
use core::sync::atomic::{AtomicU64 as Counter, Ordering};
#[cfg(not(target_has_atomic = "64"))]
use core::sync::atomic::{AtomicUsize as Counter, Ordering};

/// The number of a coroutine, together with the types of the values that it exchanges.
///
/// A number gets its types when it is drawn, and copies keep both, so equal numbers mean equal types. The type is
/// invariant in both, so that a copy with other lifetimes does not pass for the original. It holds neither value, so it is
/// always `Send` and `Sync`.
pub(crate) struct InstanceId<Y, A> {
    number: u64,
    types: PhantomData<Invariant<Y, A>>,
}

type Invariant<Y, A> = fn(Y, A) -> (Y, A);

impl<Y, A> InstanceId<Y, A> {
    /// Draws an id that no other coroutine has.
    #[inline]
    pub(crate) fn fresh() -> Self {
        Self {
            number: next(),
            types: PhantomData,
        }
    }

    #[inline(always)]
    pub(super) fn number(self) -> u64 {
        self.number
    }
}

impl<Y, A> Clone for InstanceId<Y, A> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<Y, A> Copy for InstanceId<Y, A> {}

/// Reserves `n` numbers for the caller and returns the first.
#[cold]
fn reserve(n: u8) -> u64 {
    static NEXT: Counter = Counter::new(1);
    // Relaxed: the numbers differ whatever the order, and nothing else is published with them.
    match NEXT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
        next.checked_add(n.into())
    }) {
        #[allow(
            clippy::useless_conversion,
            reason = "a conversion where the counter has 32 bits"
        )]
        Ok(first) => first.try_into().unwrap_or(u64::MAX),
        // A second use of a number would let one coroutine's handle pass for another's.
        Err(_) => panic!(
            "this process has made as many coroutines as there are numbers to tell them apart"
        ),
    }
}

#[cfg(not(feature = "std"))]
#[inline]
fn next() -> u64 {
    reserve(1)
}

/// Returns the next of the numbers that this thread has reserved. Only one call in a block is an atomic operation.
#[cfg(feature = "std")]
#[inline]
fn next() -> u64 {
    const BLOCK: u8 = 128;
    std::thread_local! {
        // The next number, and how many are left.
        static RESERVED: Cell<(u64, u8)> = const { Cell::new((0, 0)) };
    }
    RESERVED.with(|reserved| {
        let (next, left) = match reserved.get() {
            (_, 0) => (reserve(BLOCK), BLOCK),
            block => block,
        };
        reserved.set((next + 1, left - 1));
        next
    })
}
