//! The slots, and the waker that leads to them.

use core::cell::Cell;
use core::ptr;
use core::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use super::Brand;

/// Two slots on the stack of `resume`.
///
/// `repr(C)` keeps the number first whatever `Y` and `A` are: it is read before the types are known to be right.
#[repr(C)]
pub(super) struct Airlock<Y, A> {
    id: u64,
    /// What goes out: at most one value a resume.
    out: Cell<Option<Y>>,
    /// What goes in: taken by the `yield_` that was waiting for it, or by the body's start.
    arg: Cell<Option<A>>,
}

/// The table that says "the data pointer leads to an [`Airlock`]". A static, not a constant: its address is the proof.
static OURS: RawWakerVTable = RawWakerVTable::new(clone, nothing, nothing, nothing);

/// A clone must not lead to the slots, which end with `resume`. A coroutine is not woken by anything but a resume.
fn clone(_: *const ()) -> RawWaker {
    let noop = Waker::noop();
    RawWaker::new(noop.data(), noop.vtable())
}

fn nothing(_: *const ()) {}

impl<Y, A> Airlock<Y, A> {
    #[inline(always)]
    pub(super) fn new(brand: Brand<Y, A>, arg: A) -> Self {
        Self {
            id: brand.id(),
            out: Cell::new(None),
            arg: Cell::new(Some(arg)),
        }
    }

    /// Calls `poll` with a context that leads here.
    #[inline(always)]
    pub(super) fn enter<T>(&self, poll: impl FnOnce(&mut Context<'_>) -> T) -> T {
        let raw = RawWaker::new(ptr::from_ref(self).cast(), &OURS);
        // SAFETY: every function of the table ignores its pointer, and all may be called on any thread at any time, so
        // the contract of a waker holds.
        let waker = unsafe { Waker::from_raw(raw) };
        poll(&mut Context::from_waker(&waker))
    }

    /// What the body put out during the poll.
    #[inline(always)]
    pub(super) fn take_out(&self) -> Option<Y> {
        self.out.take()
    }

    /// The airlock that `cx` leads to, if it is one of the coroutine with this brand.
    #[inline(always)]
    fn find<'c>(cx: &'c Context<'_>, brand: Brand<Y, A>) -> Option<&'c Self> {
        let waker = cx.waker();
        if !ptr::eq(waker.vtable(), &OURS) {
            return None;
        }
        // SAFETY: only `enter` makes wakers with this table (a clone gets another), and it points them to an airlock that
        // it borrows for as long as the waker lives, so for as long as `cx` does. The number is its first field.
        let id = unsafe { *waker.data().cast::<u64>() };
        if id != brand.id() {
            return None;
        }
        // SAFETY: alive as above; an `Airlock<Y, A>`, since `new` took the number from a brand, and equal numbers mean
        // equal types. One thread at a time: a handle is neither cloned nor sent anywhere while its `yield_` is polled.
        Some(unsafe { &*waker.data().cast::<Self>() })
    }
}

/// One poll of a `yield_`: puts `value` out if it is still there, else waits for the argument of the next resume.
///
/// # Panics
///
/// When `cx` does not come from a resume of the coroutine with this brand.
#[inline(always)]
pub(crate) fn exchange<Y, A>(
    brand: Brand<Y, A>,
    value: &mut Option<Y>,
    cx: &Context<'_>,
) -> Poll<A> {
    // The slot is sought in each arm, after the question which arm it is: a fresh `yield_` is polled as soon as it is
    // made, and an optimiser that has not passed another branch meanwhile answers the question itself.
    match value.take() {
        Some(value) => {
            let Some(lock) = Airlock::find(cx, brand) else {
                elsewhere()
            };
            lock.out.set(Some(value));
            Poll::Pending
        }
        None => {
            let Some(lock) = Airlock::find(cx, brand) else {
                elsewhere()
            };
            lock.arg.take().map_or(Poll::Pending, Poll::Ready)
        }
    }
}

/// The argument of the resume that `cx` comes from, if it is one of the coroutine with this brand.
#[inline(always)]
pub(super) fn argument<Y, A>(brand: Brand<Y, A>, cx: &Context<'_>) -> Option<A> {
    Airlock::find(cx, brand).and_then(|lock| lock.arg.take())
}

#[cold]
#[inline(never)]
fn elsewhere() -> ! {
    panic!(
        "a `yield_` was awaited outside its own coroutine: await a handle only in the body it was given to, \
         and not inside a combinator that polls with a waker of its own"
    )
}
