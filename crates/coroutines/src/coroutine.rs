//! The trait that everything resumable has.

#[cfg(feature = "alloc")]
use alloc::{boxed::Box, vec::Vec};
use core::ops::DerefMut;
use core::pin::Pin;

use crate::raw::ResumeOutcome;
use crate::{CoroutineState, ExecutionState, ResumeError};

/// Something that can be resumed with an argument, hands out values, and ends with one.
///
/// Generators implement it, and so do types written by hand (see the `state_machine` example), `&mut C`, `Box<C>` and
/// `Pin<P>`. It can be made into a trait object. [`CoroutineExt`](crate::CoroutineExt) adds `send`, `throw` and
/// `close_with`.
///
/// # Examples
///
/// ```
/// use coroutines::{Co, Coroutine, CoroutineState, generator};
/// use std::pin::pin;
///
/// let mut hello = pin!(generator(async |mut co: Co<'_, &str>| {
///     co.yield_("hello").await;
///     co.yield_("world").await;
/// }));
/// assert_eq!(hello.as_mut().resume(()), CoroutineState::Yielded("hello"));
/// assert!(!hello.is_finished());
/// hello.as_mut().close();
/// assert!(hello.is_finished());
/// ```
pub trait Coroutine<A = ()> {
    /// What it hands out on the way.
    type Yield;
    /// What it ends with.
    type Return;

    /// Runs to the next yield or to the end. `arg` is the result of the `yield_` that it waits in, or the first argument.
    ///
    /// Whatever is executing between two resumes runs on the thread of the one that resumes.
    ///
    /// # Errors
    ///
    /// [`Finished`](ResumeError::Finished) and [`AlreadyExecuting`](ResumeError::AlreadyExecuting) give `arg` back;
    /// [`ForeignAwait`](ResumeError::ForeignAwait) finishes the coroutine.
    ///
    /// # Panics
    ///
    /// A panic of the body passes through; the coroutine is finished by it.
    fn try_resume(
        self: Pin<&mut Self>,
        arg: A,
    ) -> Result<CoroutineState<Self::Yield, Self::Return>, ResumeError<A>>;

    /// Whether it has returned, panicked or been closed. While it is executing it has not.
    fn is_finished(&self) -> bool;

    /// Whether nothing of it has run, or it waits in a `yield_`, or is executing, or has finished.
    ///
    /// Only a handle that shares a coroutine, as [`Shared`](crate::Shared) does, can meet one that is executing.
    /// The default method cannot tell a coroutine that has not started from one that is suspended. It says
    /// [`Suspended`](ExecutionState::Suspended) for both.
    ///
    /// ```
    /// use coroutines::{Co, Coroutine, ExecutionState, generator};
    /// use std::pin::pin;
    ///
    /// let mut counter = pin!(generator(async |mut co: Co<'_, u8>| co.yield_all(1..).await));
    /// assert_eq!(counter.state(), ExecutionState::Created);
    /// counter.as_mut().close();
    /// assert_eq!(counter.state(), ExecutionState::Finished);
    /// ```
    fn state(&self) -> ExecutionState {
        if self.is_finished() {
            ExecutionState::Finished
        } else {
            ExecutionState::Suspended
        }
    }

    /// Ends it where it is: its local variables are dropped, in reverse order, so their destructors are its clean-up.
    /// Nothing happens if it has finished.
    ///
    /// ```
    /// use coroutines::{Co, Coroutine, generator};
    /// use std::{pin::pin, rc::Rc};
    ///
    /// let held = Rc::new(());
    /// let mut holder = pin!(generator(async |mut co: Co<'_, ()>| {
    ///     let _held = held.clone();
    ///     co.yield_(()).await;
    /// }));
    /// let _ = holder.as_mut().resume(());
    /// assert_eq!(Rc::strong_count(&held), 2);
    /// holder.as_mut().close();
    /// assert_eq!(Rc::strong_count(&held), 1);
    /// ```
    fn close(self: Pin<&mut Self>);

    /// Ends it where it is, see [`close`](Self::close), unless it is executing.
    ///
    /// Only handles that share a coroutine, as [`Shared`](crate::Shared) does, can meet one that is executing.
    /// The default method closes it.
    ///
    /// # Errors
    ///
    /// [`AlreadyExecuting`](ResumeError::AlreadyExecuting): it has not been closed.
    ///
    /// ```
    /// use coroutines::{Co, Coroutine, generator};
    /// use std::pin::pin;
    ///
    /// let mut counter = pin!(generator(async |mut co: Co<'_, u8>| co.yield_all(1..).await));
    /// assert_eq!(counter.next(), Some(1));
    /// assert_eq!(counter.as_mut().try_close(), Ok(()));
    /// assert_eq!(counter.next(), None);
    /// ```
    fn try_close(self: Pin<&mut Self>) -> Result<(), ResumeError> {
        self.close();
        Ok(())
    }

    /// As [`try_resume`](Self::try_resume), for callers that know it can be resumed.
    ///
    /// # Panics
    ///
    /// With the error's text where `try_resume` gives an error.
    #[inline]
    #[track_caller]
    fn resume(self: Pin<&mut Self>, arg: A) -> CoroutineState<Self::Yield, Self::Return> {
        match self.try_resume(arg) {
            Ok(state) => state,
            Err(error) => error.raise(),
        }
    }

    /// `try_resume` with a result that is cheap to return through a trait object; the argument is lost on failure.
    #[doc(hidden)]
    #[inline]
    fn step(self: Pin<&mut Self>, arg: A) -> ResumeOutcome<Self::Yield, Self::Return> {
        self.try_resume(arg).into()
    }

    /// Appends the next `max` values to `out`, fewer if the end comes first; then the returned value is the result.
    ///
    /// One call on a trait object for the whole batch, against one a value with [`resume`](Self::resume). Each resume
    /// gets the argument's default. `None` means that there may be more, or that it had already finished.
    ///
    /// # Panics
    ///
    /// As [`resume`](Self::resume), except that a finished one yields nothing. `out` then holds what was yielded before.
    ///
    /// ```
    /// use coroutines::{Co, Coroutine, generator};
    /// use std::pin::pin;
    ///
    /// let mut three = pin!(generator(async |mut co: Co<'_, u8>| {
    ///     co.yield_all(1..=3).await;
    ///     "end"
    /// }));
    /// let mut out = Vec::new();
    /// assert_eq!(three.as_mut().fill(&mut out, 2), None);
    /// assert_eq!(three.as_mut().fill(&mut out, 2), Some("end"));
    /// assert_eq!(out, [1, 2, 3]);
    /// ```
    #[cfg(feature = "alloc")]
    fn fill(
        mut self: Pin<&mut Self>,
        out: &mut Vec<Self::Yield>,
        max: usize,
    ) -> Option<Self::Return>
    where
        A: Default,
    {
        for _ in 0..max {
            match self.as_mut().step(A::default()) {
                ResumeOutcome::Yielded(value) => out.push(value),
                ResumeOutcome::Complete(value) => return Some(value),
                ResumeOutcome::Finished => return None,
                stuck => stuck.raise(),
            }
        }
        None
    }

    /// Runs to the end, hands each value to `each`, and gives the returned value; `None` if it had already finished.
    ///
    /// One call on a trait object for all values. Each resume gets the argument's default.
    ///
    /// # Panics
    ///
    /// As [`resume`](Self::resume), except that a finished one yields nothing.
    ///
    /// ```
    /// use coroutines::{Co, Coroutine, generator};
    /// use std::pin::pin;
    ///
    /// let mut sum = 0;
    /// let mut three = pin!(generator(async |mut co: Co<'_, u8>| {
    ///     co.yield_all(1..=3).await;
    ///     "end"
    /// }));
    /// assert_eq!(three.as_mut().drive(&mut |x| sum += x), Some("end"));
    /// assert_eq!(sum, 6);
    /// ```
    fn drive(mut self: Pin<&mut Self>, each: &mut dyn FnMut(Self::Yield)) -> Option<Self::Return>
    where
        A: Default,
    {
        loop {
            match self.as_mut().step(A::default()) {
                ResumeOutcome::Yielded(value) => each(value),
                ResumeOutcome::Complete(value) => return Some(value),
                ResumeOutcome::Finished => return None,
                stuck => stuck.raise(),
            }
        }
    }
}

/// Passes every method on, so that a trait object behind the pointer is called once and not once a value.
macro_rules! forward {
    ($self:ident => $inner:expr, $shared:expr) => {
        type Yield = C::Yield;
        type Return = C::Return;

        #[inline]
        fn try_resume($self: Pin<&mut Self>, arg: A) -> Result<CoroutineState<C::Yield, C::Return>, ResumeError<A>> {
            $inner.try_resume(arg)
        }

        #[inline]
        fn is_finished(&$self) -> bool {
            $shared.is_finished()
        }

        #[inline]
        fn state(&$self) -> ExecutionState {
            $shared.state()
        }

        #[inline]
        fn close($self: Pin<&mut Self>) {
            $inner.close();
        }

        #[inline]
        fn try_close($self: Pin<&mut Self>) -> Result<(), ResumeError> {
            $inner.try_close()
        }

        #[inline]
        #[track_caller]
        fn resume($self: Pin<&mut Self>, arg: A) -> CoroutineState<C::Yield, C::Return> {
            $inner.resume(arg)
        }

        #[inline]
        fn step($self: Pin<&mut Self>, arg: A) -> ResumeOutcome<C::Yield, C::Return> {
            $inner.step(arg)
        }

        #[cfg(feature = "alloc")]
        #[inline]
        fn fill($self: Pin<&mut Self>, out: &mut Vec<C::Yield>, max: usize) -> Option<C::Return>
        where
            A: Default,
        {
            $inner.fill(out, max)
        }

        #[inline]
        fn drive($self: Pin<&mut Self>, each: &mut dyn FnMut(C::Yield)) -> Option<C::Return>
        where
            A: Default,
        {
            $inner.drive(each)
        }
    };
}

impl<A, P, C> Coroutine<A> for Pin<P>
where
    P: DerefMut<Target = C>,
    C: Coroutine<A> + ?Sized,
{
    forward!(self => self.as_deref_mut(), (**self));
}

impl<A, C: Coroutine<A> + Unpin + ?Sized> Coroutine<A> for &mut C {
    forward!(self => Pin::new(&mut **self.get_mut()), (**self));
}

#[cfg(feature = "alloc")]
impl<A, C: Coroutine<A> + Unpin + ?Sized> Coroutine<A> for Box<C> {
    forward!(self => Pin::new(&mut **self.get_mut()), (**self));
}
