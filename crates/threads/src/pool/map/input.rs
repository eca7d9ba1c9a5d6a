//! The input of a map.

use crate::park::deadline;
use crate::pool::Pool;
use crate::pool::job::Job;
use std::iter::Fuse;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The items that were not submitted yet, and the function that is applied to them.
pub(super) struct Input<I: Iterator, F> {
    pub(super) pool: Pool,
    pub(super) function: Arc<F>,
    pub(super) items: Fuse<I>,
    /// An item that was read and found no room in the pool's queue.
    item: Option<I::Item>,
}

/// What came of the attempt to submit an item.
pub(super) enum Submitted<R> {
    Job(Job<R>),
    /// The pool's queue was full until the deadline. Nothing is lost.
    NoRoom,
    /// The input has ended.
    End,
}

/// A deadline that has passed: try, but do not wait.
pub(super) fn at_once() -> Option<Instant> {
    deadline(Duration::ZERO)
}

impl<I: Iterator, F> Input<I, F> {
    pub(super) fn new(pool: Pool, function: F, items: I) -> Self {
        Self {
            pool,
            function: Arc::new(function),
            items: items.fuse(),
            item: None,
        }
    }

    /// Submits the next item. The item is read first, since the input may use the pool itself.
    pub(super) fn submit<R>(&mut self, deadline: impl FnOnce() -> Option<Instant>) -> Submitted<R>
    where
        I::Item: Send + 'static,
        F: Fn(I::Item) -> R + Send + Sync + 'static,
        R: Send + 'static,
    {
        let Some(item) = self.item.take().or_else(|| self.items.next()) else {
            return Submitted::End;
        };
        let Ok(room) = self.pool.reserve(deadline) else {
            self.item = Some(item);
            return Submitted::NoRoom;
        };
        let function = Arc::clone(&self.function);
        Submitted::Job(self.pool.push(move || function(item), room))
    }
}
