//! Recursion at the price of a loop: frames on a stack of their own, of which only the top is polled.

use alloc::{boxed::Box, rc::Rc, vec::Vec};
use core::cell::Cell;
use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::pin::Pin;

use crate::raw::ResumeOutcome;
use crate::raw::{InstanceId, poll};
use crate::{Co, Coroutine, CoroutineState, ExecutionState, ResumeError};

/// A generator whose body calls itself: `body` gets a handle, and [`call`](Rec::call)s the next level through it.
///
/// A generator that delegates to a generator passes each value up through every level. This one keeps its frames in a
/// vector and polls the top one only, so a value costs the same at depth 4 and at depth 100,000, and the depth is limited
/// by memory, not by the thread's stack. A level costs one allocation.
///
/// # Examples
///
/// ```
/// use coroutines::{Rec, recursive};
///
/// enum Tree {
///     Leaf,
///     Node(Box<Tree>, u32, Box<Tree>),
/// }
/// use Tree::{Leaf, Node};
///
/// async fn walk<'t>(mut co: Rec<'t, u32>, tree: &'t Tree) {
///     if let Node(left, value, right) = tree {
///         co.call(|co| walk(co, left)).await;
///         co.yield_(*value).await;
///         co.call(|co| walk(co, right)).await;
///     }
/// }
///
/// let leaf = || Box::new(Leaf);
/// let tree = Node(Box::new(Node(leaf(), 1, leaf())), 2, Box::new(Node(leaf(), 3, leaf())));
/// assert_eq!(recursive(|co| walk(co, &tree)).collect::<Vec<_>>(), [1, 2, 3]);
/// ```
pub fn recursive<'g, Y, R, F, T>(body: F) -> Recursive<'g, Y, R>
where
    Y: 'g,
    R: 'g,
    F: FnOnce(Rec<'g, Y>) -> T,
    T: Future<Output = R> + 'g,
{
    let id = InstanceId::fresh();
    let result = Rc::new(Cell::new(None));
    let level = into_level(body(Rec::new(id)), &result);
    Recursive {
        id,
        levels: Vec::from([level]),
        started: false,
        result,
        returned: None,
    }
}

/// One call of the recursion.
type Level<'g> = Pin<Box<dyn Future<Output = ()> + 'g>>;

/// What a level asks of the loop that polls it.
enum Op<'g, Y> {
    Yield(Y),
    Call(Level<'g>),
}

/// A level that runs `body` and leaves its result in `slot`.
fn into_level<'g, R: 'g>(
    body: impl Future<Output = R> + 'g,
    slot: &Rc<Cell<Option<R>>>,
) -> Level<'g> {
    let slot = slot.clone();
    Box::pin(async move { slot.set(Some(body.await)) })
}

/// The handle of one level of a [`recursive`] generator.
pub struct Rec<'g, Y> {
    co: Co<'static, Op<'g, Y>>,
    // Every level has a handle to the same generator; two threads must not use two of them at once.
    one_thread: PhantomData<*mut ()>,
}

impl<'g, Y: 'g> Rec<'g, Y> {
    fn new(id: InstanceId<Op<'g, Y>, ()>) -> Self {
        Self {
            co: Co::new(id),
            one_thread: PhantomData,
        }
    }

    /// Hands `value` to whoever iterates over the generator, and waits there for the next resume.
    ///
    /// # Panics
    ///
    /// As [`Co::yield_`].
    #[inline(always)]
    pub fn yield_(&mut self, value: Y) -> impl Future<Output = ()> + use<'_, 'g, Y> {
        self.co.yield_(Op::Yield(value))
    }

    /// Runs `body` as the level above this one, to its end. It is given a handle of its own.
    ///
    /// # Panics
    ///
    /// As [`Co::yield_`].
    pub async fn call<F, T>(&mut self, body: F)
    where
        F: FnOnce(Rec<'g, Y>) -> T,
        T: Future<Output = ()> + 'g,
    {
        let level = Box::pin(body(Rec::new(self.co.id())));
        self.co.yield_(Op::Call(level)).await;
    }

    /// As [`call`](Self::call), for a level that returns a value; it costs a second allocation.
    ///
    /// # Panics
    ///
    /// As [`Co::yield_`]; and when this handle's generator is made to resume this level before the one above has ended,
    /// which no body that awaits its calls can bring about.
    ///
    /// ```
    /// use coroutines::{Rec, recursive};
    ///
    /// /// Yields the numbers on the way down and returns their sum.
    /// async fn sum(mut co: Rec<'_, u32>, n: u32) -> u32 {
    ///     if n == 0 {
    ///         return 0;
    ///     }
    ///     co.yield_(n).await;
    ///     n + co.call_value(|co| sum(co, n - 1)).await
    /// }
    /// let mut g = recursive(|co| sum(co, 4));
    /// assert_eq!(g.by_ref().collect::<Vec<_>>(), [4, 3, 2, 1]);
    /// assert_eq!(g.take_return(), Some(10));
    /// ```
    pub async fn call_value<F, T>(&mut self, body: F) -> T::Output
    where
        F: FnOnce(Rec<'g, Y>) -> T,
        T: Future + 'g,
        T::Output: 'g,
    {
        let slot = Rc::new(Cell::new(None));
        let level = into_level(body(Rec::new(self.co.id())), &slot);
        self.co.yield_(Op::Call(level)).await;
        let Some(value) = slot.take() else {
            panic!(
                "a level was resumed while the one that it had called was still running: await each call to its end"
            )
        };
        value
    }
}

impl<Y> fmt::Debug for Rec<'_, Y> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rec").finish_non_exhaustive()
    }
}

/// A generator with a stack of frames; made by [`recursive`]. It needs no pinning, since its frames are boxed.
///
/// Dropping or closing it drops the frames from the top down, one after the other, so depth is no danger then either.
#[must_use = "nothing runs before the first resume"]
pub struct Recursive<'g, Y, R = ()> {
    id: InstanceId<Op<'g, Y>, ()>,
    levels: Vec<Level<'g>>,
    started: bool,
    /// Where the lowest level leaves its result.
    result: Rc<Cell<Option<R>>>,
    returned: Option<R>,
}

// The levels are pinned in their boxes, and the returned value is never pinned.
impl<Y, R> Unpin for Recursive<'_, Y, R> {}

impl<Y, R> Recursive<'_, Y, R> {
    /// What the body returned, if it ended while it was used as an iterator, and if nobody has taken it yet.
    pub fn take_return(&mut self) -> Option<R> {
        self.returned.take()
    }

    /// Drops all levels from the top down; the others too if the drop of one panics.
    fn unwind(&mut self) {
        struct Rest<'l, 'g>(&'l mut Vec<Level<'g>>);

        impl Drop for Rest<'_, '_> {
            fn drop(&mut self) {
                while let Some(level) = self.0.pop() {
                    drop(level);
                }
            }
        }

        let rest = Rest(&mut self.levels);
        while let Some(level) = rest.0.pop() {
            drop(level);
        }
    }
}

impl<Y, R> Coroutine for Recursive<'_, Y, R> {
    type Yield = Y;
    type Return = R;

    #[inline]
    fn try_resume(self: Pin<&mut Self>, (): ()) -> Result<CoroutineState<Y, R>, ResumeError> {
        match self.step(()) {
            ResumeOutcome::Yielded(value) => Ok(CoroutineState::Yielded(value)),
            ResumeOutcome::Complete(value) => Ok(CoroutineState::Complete(value)),
            ResumeOutcome::Finished => Err(ResumeError::Finished(())),
            ResumeOutcome::AlreadyExecuting => Err(ResumeError::AlreadyExecuting(())),
            ResumeOutcome::ForeignAwait => Err(ResumeError::ForeignAwait),
        }
    }

    fn step(mut self: Pin<&mut Self>, (): ()) -> ResumeOutcome<Y, R> {
        self.started = true;
        let this = Abandon(&mut self);
        while let Some(top) = this.0.levels.last_mut() {
            match poll(this.0.id, top.as_mut(), ()) {
                ResumeOutcome::Yielded(Op::Yield(value)) => {
                    core::mem::forget(this);
                    return ResumeOutcome::Yielded(value);
                }
                ResumeOutcome::Yielded(Op::Call(level)) => this.0.levels.push(level),
                ResumeOutcome::Complete(()) => drop(this.0.levels.pop()),
                _ => return ResumeOutcome::ForeignAwait,
            }
        }
        // The lowest level has just ended, or none was there to begin with.
        this.0
            .result
            .take()
            .map_or(ResumeOutcome::Finished, ResumeOutcome::Complete)
    }

    #[inline]
    fn is_finished(&self) -> bool {
        self.levels.is_empty()
    }

    fn state(&self) -> ExecutionState {
        match (self.is_finished(), self.started) {
            (true, _) => ExecutionState::Finished,
            (false, true) => ExecutionState::Suspended,
            (false, false) => ExecutionState::Created,
        }
    }

    fn close(mut self: Pin<&mut Self>) {
        self.unwind();
    }
}

/// Drops every level on every way out of a resume but a yield, a panic included.
struct Abandon<'r, 'g, Y, R>(&'r mut Recursive<'g, Y, R>);

impl<Y, R> Drop for Abandon<'_, '_, Y, R> {
    fn drop(&mut self) {
        self.0.unwind();
    }
}

impl<Y, R> Iterator for Recursive<'_, Y, R> {
    type Item = Y;

    #[inline]
    fn next(&mut self) -> Option<Y> {
        match Pin::new(&mut *self).step(()) {
            ResumeOutcome::Yielded(value) => Some(value),
            ResumeOutcome::Complete(value) => {
                self.returned = Some(value);
                None
            }
            ResumeOutcome::Finished => None,
            stuck => stuck.raise(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.is_finished().then_some(0))
    }
}

impl<Y, R> FusedIterator for Recursive<'_, Y, R> {}

impl<Y, R> Drop for Recursive<'_, Y, R> {
    fn drop(&mut self) {
        self.unwind();
    }
}

impl<Y, R> fmt::Debug for Recursive<'_, Y, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recursive")
            .field("depth", &self.levels.len())
            .finish_non_exhaustive()
    }
}
