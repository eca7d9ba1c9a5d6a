//! The slots, and the waker that leads to them.

use core::cell::Cell;
use core::pin::Pin;
use core::ptr;
use core::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use super::Brand;
use crate::state::Step;

/// One resume's exchange, on the stack of `resume`.
///
/// `repr(C)` keeps the head first whatever `Y` and `A` are: it is read before the types are known to be right.
#[repr(C)]
struct Airlock<Y, A> {
    head: Head,
    slot: Cell<Slot<Y, A>>,
}

/// What passes during one resume. The states follow each other in this order; each may be left out.
///
/// | state | becomes | by |
/// |---|---|---|
/// | `Argument` | `Taken` | the body's start, or the `yield_` whose value went out in an earlier resume |
/// | `Argument`, `Taken` | `Yielded` | a `yield_` that is polled for the first time |
///
/// So a `yield_` whose value went out in this very resume never finds an argument, however often it is polled, and an
/// argument that answers a `yield_` that was dropped goes to no other.
enum Slot<Y, A> {
    /// Not taken yet.
    Argument(A),
    /// Nothing to take, and nothing has been yielded.
    Taken,
    /// At most one value a resume.
    Yielded(Y),
}

/// The part that is the same for all types.
#[repr(C)]
struct Head {
    id: u64,
    /// The waker of the task that polls; null if a plain resume does.
    #[cfg(feature = "stream")]
    outer: *const Waker,
}

/// The table that says "the data pointer leads to an [`Airlock`]". A static, not a constant: its address is the proof.
static OURS: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, drop);

/// A clone must not lead to the slots, which end with the poll. It is a clone of the task's waker, or one that wakes
/// nobody: a coroutine goes on when it is resumed.
fn clone(_data: *const ()) -> RawWaker {
    #[cfg(feature = "stream")]
    // SAFETY: as in `wake`.
    if let Some(outer) = unsafe { outer(_data) } {
        let waker = core::mem::ManuallyDrop::new(outer.clone());
        return RawWaker::new(waker.data(), waker.vtable());
    }
    let noop = Waker::noop();
    RawWaker::new(noop.data(), noop.vtable())
}

/// For both ways to wake: nobody owns the original, so none gives it up.
fn wake(_data: *const ()) {
    #[cfg(feature = "stream")]
    // SAFETY: the functions of the table are called through a waker that `enter` has made (a clone has another table),
    // so with its data pointer and while it lives.
    if let Some(outer) = unsafe { outer(_data) } {
        outer.wake_by_ref();
    }
}

/// The original owns nothing.
fn drop(_: *const ()) {}

/// The waker of the task that polls.
///
/// # Safety
///
/// `data` is the data pointer of a waker that [`Airlock::enter`] made, which lives for `'w`.
#[cfg(feature = "stream")]
unsafe fn outer<'w>(data: *const ()) -> Option<&'w Waker> {
    // SAFETY: it leads to an airlock that outlives the waker, and begins with its head. No other thread writes the head.
    let outer = unsafe { (*data.cast::<Head>()).outer };
    // SAFETY: null, or borrowed by the context of the poll that the airlock was made for, and which has not ended.
    unsafe { outer.as_ref() }
}

impl<Y, A> Airlock<Y, A> {
    #[inline(always)]
    fn new(brand: Brand<Y, A>, arg: A) -> Self {
        Self {
            head: Head {
                id: brand.id(),
                #[cfg(feature = "stream")]
                outer: ptr::null(),
            },
            slot: Cell::new(Slot::Argument(arg)),
        }
    }

    /// The argument of this resume, unless it has been taken.
    #[inline(always)]
    fn take_argument(&self) -> Option<A> {
        match self.slot.replace(Slot::Taken) {
            Slot::Argument(arg) => Some(arg),
            other => {
                self.slot.set(other);
                None
            }
        }
    }

    /// Puts `value` out and drops an argument that nothing has taken; gives it back if another value is there.
    #[inline(always)]
    fn put_out(&self, value: Y) -> Option<Y> {
        match self.slot.replace(Slot::Yielded(value)) {
            first @ Slot::Yielded(_) => match self.slot.replace(first) {
                Slot::Yielded(value) => Some(value),
                _ => None,
            },
            _ => None,
        }
    }

    /// Calls `poll` with a context that leads here.
    #[inline(always)]
    fn enter<T>(&self, poll: impl FnOnce(&mut Context<'_>) -> T) -> T {
        let raw = RawWaker::new(ptr::from_ref(self).cast(), &OURS);
        // SAFETY: the functions of the table keep the contract of a waker: they only read the head, which nobody writes
        // while the waker lives, and go on to a waker that keeps it, so any thread may call them.
        let waker = unsafe { Waker::from_raw(raw) };
        poll(&mut Context::from_waker(&waker))
    }

    /// The airlock that `cx` leads to, if it is one of the coroutine with this brand.
    #[inline(always)]
    fn find<'c>(cx: &'c Context<'_>, brand: Brand<Y, A>) -> Option<&'c Self> {
        let waker = cx.waker();
        if !ptr::eq(waker.vtable(), &OURS) {
            return None;
        }
        // SAFETY: only `enter` makes wakers with this table (a clone gets another), and it points them to an airlock that
        // it borrows for as long as the waker lives, so for as long as `cx` does. It begins with its head.
        let id = unsafe { (*waker.data().cast::<Head>()).id };
        if id != brand.id() {
            return None;
        }
        // SAFETY: alive as above; an `Airlock<Y, A>`, since `new` took the number from a brand, and equal numbers mean
        // equal types. One thread at a time: a handle is neither cloned nor sent anywhere while its `yield_` is polled.
        Some(unsafe { &*waker.data().cast::<Self>() })
    }
}

/// Runs `body`, which yields through a handle with this brand, to its next `yield_` or its end.
#[inline(always)]
pub(crate) fn poll<Y, A, F>(brand: Brand<Y, A>, body: Pin<&mut F>, arg: A) -> Step<Y, F::Output>
where
    F: Future + ?Sized,
{
    let lock = Airlock::new(brand, arg);
    match lock.enter(|cx| body.poll(cx)) {
        Poll::Ready(value) => Step::Complete(value),
        Poll::Pending => match lock.slot.into_inner() {
            Slot::Yielded(value) => Step::Yielded(value),
            _ => Step::ForeignAwait,
        },
    }
}

/// As [`poll`], on behalf of a task: the body may await anything. What is left of `arg` waits for the next poll.
#[cfg(feature = "stream")]
#[inline(always)]
pub(crate) fn poll_through<Y, A, F>(
    brand: Brand<Y, A>,
    body: Pin<&mut F>,
    arg: &mut Option<A>,
    cx: &Context<'_>,
) -> Poll<Step<Y, F::Output>>
where
    F: Future + ?Sized,
{
    let lock = Airlock {
        head: Head {
            id: brand.id(),
            outer: cx.waker(),
        },
        slot: Cell::new(arg.take().map_or(Slot::Taken, Slot::Argument)),
    };
    match lock.enter(|cx| body.poll(cx)) {
        Poll::Ready(value) => Poll::Ready(Step::Complete(value)),
        Poll::Pending => match lock.slot.into_inner() {
            Slot::Yielded(value) => Poll::Ready(Step::Yielded(value)),
            Slot::Argument(left) => {
                *arg = Some(left);
                Poll::Pending
            }
            Slot::Taken => Poll::Pending,
        },
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
        Some(fresh) => {
            let Some(lock) = Airlock::find(cx, brand) else {
                elsewhere()
            };
            // It comes back if another `yield_` was polled and dropped in this very resume: that one's value goes first.
            *value = lock.put_out(fresh);
            Poll::Pending
        }
        None => {
            let Some(lock) = Airlock::find(cx, brand) else {
                elsewhere()
            };
            lock.take_argument().map_or(Poll::Pending, Poll::Ready)
        }
    }
}

/// The argument of the resume that `cx` comes from, if it is one of the coroutine with this brand.
#[inline(always)]
pub(super) fn argument<Y, A>(brand: Brand<Y, A>, cx: &Context<'_>) -> Option<A> {
    Airlock::find(cx, brand).and_then(Airlock::take_argument)
}

#[cold]
#[inline(never)]
fn elsewhere() -> ! {
    panic!(
        "a `yield_` was awaited outside its own coroutine: await a handle only in the body it was given to, \
         and not inside a combinator that polls with a waker of its own"
    )
}
