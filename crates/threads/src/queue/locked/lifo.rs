//! A queue that gives the newest item first.

use super::Locked;
use super::store::Store;
use crate::error::{GetError, PutError, TimedOut, TooManyTasksDone};
use crate::park::{self, Waiter};
use crate::queue::handle::{drained, handle_traits, put_methods, shared_methods};
use crate::queue::{NO_ROOM, Report, Shutdown, TaskGuard};
use crate::sync::{Source, Waitable};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A last-in first-out queue: a stack shared by any number of putting and getting threads, bounded or not.
///
/// Handles, waiting, task counting and shutdown are those of [`Queue`](crate::Queue).
///
/// # Examples
///
/// ```
/// use threads::LifoQueue;
///
/// let stack = LifoQueue::unbounded();
/// stack.put("old")?;
/// stack.put("new")?;
/// assert_eq!(stack.get(), Ok("new"));
/// assert_eq!(stack.get(), Ok("old"));
/// # Ok::<(), threads::PutError<&str>>(())
/// ```
pub struct LifoQueue<T> {
    engine: Arc<Locked<Stack<T>>>,
}

/// The items in the order of their puts.
struct Stack<T>(Vec<T>);

impl<T> Store for Stack<T> {
    type Item = T;
    type Slot = T;
    const CALLS_USER_CODE: bool = false;

    fn push(&mut self, item: &mut Option<T>) {
        if let Some(item) = item.take() {
            self.0.push(item);
        }
    }

    fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn buffer(&mut self) -> &mut Vec<T> {
        &mut self.0
    }

    fn sort(&self, _order: &mut Vec<usize>) {}

    fn arrange(mut slots: Vec<T>, _order: &[usize]) -> Vec<T> {
        slots.reverse();
        slots
    }
}

impl<T> LifoQueue<T> {
    /// Makes a queue that holds at most `capacity` items.
    ///
    /// # Panics
    /// If `capacity` is 0: an item could never be put.
    #[must_use]
    pub fn bounded(capacity: usize) -> Self {
        assert!(capacity > 0, "{NO_ROOM}");
        Self {
            engine: Arc::new(Locked::new(Stack(Vec::new()), capacity)),
        }
    }

    /// Makes a queue without bound: a put never waits.
    #[must_use]
    pub fn unbounded() -> Self {
        Self {
            engine: Arc::new(Locked::new(Stack(Vec::new()), usize::MAX)),
        }
    }

    put_methods!();
    shared_methods!(T, "the newest");
}

handle_traits!(LifoQueue<T>, T);
