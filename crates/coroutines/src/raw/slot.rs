//! The slot of one resume, and the waker that leads to it.

use core::cell::Cell;
use core::pin::Pin;
use core::ptr;
use core::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use super::{InstanceId, ResumeOutcome};

/// What one resume exchanges with the body, on the stack of `resume`.
///
/// `repr(C)` keeps the header first whatever `Y` and `A` are: it is read before the types are known to be right.
#[repr(C)]
pub(super) struct ResumeSlot<Y, A> {
    header: Header,
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
    /// The argument has not been taken yet.
    Argument(A),
    /// There is nothing to take, and nothing has been yielded.
    Taken,
    /// A value goes out. A resume ends with at most one.
    Yielded(Y),
}

/// The part that is the same for all types.
#[repr(C)]
struct Header {
    number: u64,
    /// The waker of the task that polls; null in a resume without a task.
    #[cfg(feature = "stream")]
    outer: *const Waker,
}

/// The table that proves that the data pointer leads to a [`ResumeSlot`]. It is a static and not a constant, since its
/// address is the proof.
static OURS: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, drop);

/// Clones the waker of the enclosing task, or a waker that does nothing if there is none.
///
/// The slot lives only during the poll, so a clone must not point at it.
fn clone(_data: *const ()) -> RawWaker {
    #[cfg(feature = "stream")]
    // SAFETY: the functions of the table are called only through a waker that `enter` has made (a clone has another
    // table), so with its data pointer and while it lives.
    if let Some(outer) = unsafe { outer(_data) } {
        let waker = core::mem::ManuallyDrop::new(outer.clone());
        return RawWaker::new(waker.data(), waker.vtable());
    }
    let noop = Waker::noop();
    RawWaker::new(noop.data(), noop.vtable())
}

/// Wakes the enclosing task. It serves both ways to wake: the original owns nothing, so nothing is given up.
fn wake(_data: *const ()) {
    #[cfg(feature = "stream")]
    // SAFETY: the functions of the table are called only through a waker that `enter` has made (a clone has another
    // table), so with its data pointer and while it lives.
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
/// `data` is the data pointer of a waker that [`ResumeSlot::enter`] made, which lives for `'w`.
#[cfg(feature = "stream")]
unsafe fn outer<'w>(data: *const ()) -> Option<&'w Waker> {
    // SAFETY: it leads to a slot that outlives the waker, and begins with its header. No other thread writes the header.
    let outer = unsafe { (*data.cast::<Header>()).outer };
    // SAFETY: null, or borrowed by the context of the poll that the slot was made for, and which has not ended.
    unsafe { outer.as_ref() }
}

impl<Y, A> ResumeSlot<Y, A> {
    #[inline(always)]
    fn new(id: InstanceId<Y, A>, arg: A) -> Self {
        Self {
            header: Header {
                number: id.number(),
                #[cfg(feature = "stream")]
                outer: ptr::null(),
            },
            slot: Cell::new(Slot::Argument(arg)),
        }
    }

    /// Takes the argument of this resume, unless it has been taken.
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

    /// Moves `value` out and drops an argument that nothing has taken. Leaves `value` where it is if the resume has
    /// brought another one.
    #[inline(always)]
    fn put_out(&self, value: &mut Option<Y>) {
        match self.slot.replace(Slot::Taken) {
            first @ Slot::Yielded(_) => self.slot.set(first),
            _ => {
                if let Some(value) = value.take() {
                    self.slot.set(Slot::Yielded(value));
                }
            }
        }
    }

    /// Polls with a context that leads here.
    #[inline(always)]
    fn enter<T>(&self, poll: impl FnOnce(&mut Context<'_>) -> T) -> T {
        let raw = RawWaker::new(ptr::from_ref(self).cast(), &OURS);
        // SAFETY: the functions of the table keep the contract of a waker: they only read the header, which nothing writes
        // while the waker lives, and go on to a waker that keeps it, so any thread may call them.
        let waker = unsafe { Waker::from_raw(raw) };
        poll(&mut Context::from_waker(&waker))
    }

    /// Returns the slot that `cx` leads to, if it is one of the coroutine with this id.
    #[inline(always)]
    fn find<'c>(cx: &'c Context<'_>, id: InstanceId<Y, A>) -> Option<&'c Self> {
        let waker = cx.waker();
        if !ptr::eq(waker.vtable(), &OURS) {
            return None;
        }
        // SAFETY: only `enter` makes wakers with this table (a clone gets another), and it points them to a slot that it
        // borrows for as long as the waker lives, so for as long as `cx` does. The slot begins with its header.
        let number = unsafe { (*waker.data().cast::<Header>()).number };
        if number != id.number() {
            return None;
        }
        // SAFETY: alive as above; a `ResumeSlot<Y, A>`, since `new` took the number from an id, and equal numbers mean
        // equal types. One thread at a time: a handle is neither cloned nor sent anywhere while its `yield_` is polled.
        Some(unsafe { &*waker.data().cast::<Self>() })
    }
}

/// Runs `body`, which yields through a handle with this id, to its next `yield_` or its end.
#[inline(always)]
pub(crate) fn poll<Y, A, F>(
    id: InstanceId<Y, A>,
    body: Pin<&mut F>,
    arg: A,
) -> ResumeOutcome<Y, F::Output>
where
    F: Future + ?Sized,
{
    let slot = ResumeSlot::new(id, arg);
    match slot.enter(|cx| body.poll(cx)) {
        Poll::Ready(value) => ResumeOutcome::Complete(value),
        Poll::Pending => match slot.slot.into_inner() {
            Slot::Yielded(value) => ResumeOutcome::Yielded(value),
            _ => ResumeOutcome::ForeignAwait,
        },
    }
}

/// As [`poll`], on behalf of a task: the body may await anything. What is left of `arg` waits for the next poll.
#[cfg(feature = "stream")]
#[inline(always)]
pub(super) fn poll_in_task<Y, A, F>(
    id: InstanceId<Y, A>,
    body: Pin<&mut F>,
    arg: &mut Option<A>,
    cx: &Context<'_>,
) -> Poll<ResumeOutcome<Y, F::Output>>
where
    F: Future + ?Sized,
{
    let slot = ResumeSlot {
        header: Header {
            number: id.number(),
            outer: cx.waker(),
        },
        slot: Cell::new(arg.take().map_or(Slot::Taken, Slot::Argument)),
    };
    match slot.enter(|cx| body.poll(cx)) {
        Poll::Ready(value) => Poll::Ready(ResumeOutcome::Complete(value)),
        Poll::Pending => match slot.slot.into_inner() {
            Slot::Yielded(value) => Poll::Ready(ResumeOutcome::Yielded(value)),
            Slot::Argument(left) => {
                *arg = Some(left);
                Poll::Pending
            }
            Slot::Taken => Poll::Pending,
        },
    }
}

/// Polls a `yield_` once: puts `value` out if it is still there, else waits for the argument of the next resume.
///
/// # Panics
///
/// When `cx` does not come from a resume of the coroutine with this id.
#[inline(always)]
pub(crate) fn poll_yield<Y, A>(
    id: InstanceId<Y, A>,
    value: &mut Option<Y>,
    cx: &Context<'_>,
) -> Poll<A> {
    // The slot is sought in each branch, after the question which branch it is: a new `yield_` is polled as soon as it is
    // made, and an optimiser that has not passed another branch meanwhile answers the question itself.
    if value.is_some() {
        let Some(slot) = ResumeSlot::find(cx, id) else {
            wrong_context()
        };
        // The value stays if another `yield_` was polled and dropped in this very resume: that one's value goes first.
        slot.put_out(value);
        Poll::Pending
    } else {
        let Some(slot) = ResumeSlot::find(cx, id) else {
            wrong_context()
        };
        slot.take_argument().map_or(Poll::Pending, Poll::Ready)
    }
}

/// Returns the argument of the resume that `cx` comes from, if it is one of the coroutine with this id.
#[inline(always)]
pub(super) fn argument<Y, A>(id: InstanceId<Y, A>, cx: &Context<'_>) -> Option<A> {
    ResumeSlot::find(cx, id).and_then(ResumeSlot::take_argument)
}

#[cold]
#[inline(never)]
fn wrong_context() -> ! {
    panic!(
        "a `yield_` was awaited outside its own coroutine: await a handle only in the body it was given to, \
         and not inside a combinator that polls with a waker of its own"
    )
}
