//! Numbers that tell one coroutine from every other that this process makes. None is used twice.

#[cfg(feature = "std")]
use core::cell::Cell;
use core::marker::PhantomData;
#[cfg(target_has_atomic = "64")]
use core::sync::atomic::{AtomicU64 as Counter, Ordering};
#[cfg(not(target_has_atomic = "64"))]
use core::sync::atomic::{AtomicUsize as Counter, Ordering};

/// A coroutine's number, together with the types of the values that it exchanges.
///
/// A number gets its types when it is drawn, and copies keep both, so equal numbers mean equal types. The type is
/// invariant in both, lest a copy with other lifetimes pass for the original. It is `Send` and `Sync` always: it holds
/// neither value.
pub(crate) struct Brand<Y, A> {
    id: u64,
    types: PhantomData<Invariant<Y, A>>,
}

type Invariant<Y, A> = fn(Y, A) -> (Y, A);

impl<Y, A> Brand<Y, A> {
    /// A brand that nobody else has.
    #[inline]
    pub(crate) fn fresh() -> Self {
        Self {
            id: next(),
            types: PhantomData,
        }
    }

    #[inline(always)]
    pub(super) fn id(self) -> u64 {
        self.id
    }
}

impl<Y, A> Clone for Brand<Y, A> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<Y, A> Copy for Brand<Y, A> {}

/// Takes `n` numbers that nobody else will get, and returns the first.
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

/// The next of the numbers that this thread has reserved: no atomic operation but once in a while.
#[cfg(feature = "std")]
#[inline]
fn next() -> u64 {
    const BLOCK: u8 = 128;
    std::thread_local! {
        // The next number, and how many are left.
        static MINE: Cell<(u64, u8)> = const { Cell::new((0, 0)) };
    }
    MINE.with(|mine| {
        let (next, left) = match mine.get() {
            (_, 0) => (reserve(BLOCK), BLOCK),
            block => block,
        };
        mine.set((next + 1, left - 1));
        next
    })
}
