//! A queue that gives the newest item first.

use super::Report;
use super::blocking::{Blocking, Store};
use super::methods::{drained, handle_traits, put_methods, shared_methods};
use super::{Shutdown, TaskGuard};
use crate::error::{GetError, PutError, TimedOut, TooManyTasksDone};
use crate::park::{self, Waiter};
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
    engine: Arc<Blocking<Vec<T>>>,
}

impl<T> Store for Vec<T> {
    type Item = T;
    const RUNS_FOREIGN_CODE: bool = false;

    fn push(&mut self, item: T) {
        self.push(item);
    }

    fn pop(&mut self) -> Option<T> {
        self.pop()
    }

    fn len(&self) -> usize {
        self.len()
    }

    fn take_all(&mut self) -> Vec<T> {
        let mut items = std::mem::take(self);
        items.reverse();
        items
    }
}

impl<T> LifoQueue<T> {
    /// Makes a queue that holds at most `capacity` items.
    ///
    /// # Panics
    /// If `capacity` is 0: an item could never be put.
    #[must_use]
    pub fn bounded(capacity: usize) -> Self {
        assert!(capacity > 0, "{}", super::NO_ROOM);
        Self {
            engine: Arc::new(Blocking::new(Vec::new(), capacity)),
        }
    }

    /// Makes a queue without bound: a put never waits.
    #[must_use]
    pub fn unbounded() -> Self {
        Self {
            engine: Arc::new(Blocking::new(Vec::new(), usize::MAX)),
        }
    }

    put_methods!();
    shared_methods!(T, "the newest");
}

handle_traits!(LifoQueue<T>, T);
