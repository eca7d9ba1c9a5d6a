//! The surface that the queues share, so that it is written and documented once.

use std::vec::Drain;

/// The methods of a queue whose engine is `self.engine` and whose items are `$item`; `$next` names the item
/// that a get takes.
macro_rules! shared_methods {
    ($item:ty, $next:literal) => {
        #[doc = concat!("Takes ", $next, " item, waiting for one as long as it takes.")]
        ///
        /// # Errors
        /// [`GetError::Closed`], once the queue is shut down and empty.
        #[inline]
        pub fn get(&self) -> Result<$item, GetError> {
            self.engine.get(|| None)
        }

        #[doc = concat!("Takes ", $next, " item if there is one at this moment.")]
        ///
        /// # Errors
        /// [`GetError::Empty`], or [`GetError::Closed`] if the queue is empty and shut down.
        #[inline]
        pub fn try_get(&self) -> Result<$item, GetError> {
            self.engine.try_get()
        }

        #[doc = concat!("Takes ", $next, " item, waiting for one for at most `timeout`.")]
        ///
        /// # Errors
        /// [`GetError::TimedOut`], or [`GetError::Closed`] once the queue is shut down and empty.
        pub fn get_for(&self, timeout: Duration) -> Result<$item, GetError> {
            self.engine.get(|| park::deadline(timeout))
        }

        #[doc = concat!("Takes ", $next, " item, waiting for one until `deadline`.")]
        ///
        /// # Errors
        /// [`GetError::TimedOut`], or [`GetError::Closed`] once the queue is shut down and empty.
        pub fn get_until(&self, deadline: Instant) -> Result<$item, GetError> {
            self.engine.get(|| Some(deadline))
        }

        /// Waits for an item, then takes all that are there, at most `max`, and appends them to `items` in
        /// the order in which single gets would take them. Returns how many.
        ///
        /// One call costs little more than a single get, so it is the way to a high rate.
        ///
        /// # Errors
        /// [`GetError::Closed`], once the queue is shut down and empty.
        pub fn get_many(&self, items: &mut Vec<$item>, max: usize) -> Result<usize, GetError> {
            self.engine.get_many(items, max, || None)
        }

        /// Takes the items that are there, at most `max`, as [`get_many`](Self::get_many) does.
        ///
        /// # Errors
        /// [`GetError::Empty`], or [`GetError::Closed`] if the queue is empty and shut down.
        pub fn try_get_many(&self, items: &mut Vec<$item>, max: usize) -> Result<usize, GetError> {
            self.engine.try_get_many(items, max)
        }

        /// Waits for an item for at most `timeout`, then does as [`get_many`](Self::get_many).
        ///
        /// # Errors
        /// [`GetError::TimedOut`], or [`GetError::Closed`] once the queue is shut down and empty.
        pub fn get_many_for(
            &self,
            items: &mut Vec<$item>,
            max: usize,
            timeout: Duration,
        ) -> Result<usize, GetError> {
            self.engine.get_many(items, max, || park::deadline(timeout))
        }

        /// How many items are in the queue. Other threads may change that at any moment.
        #[must_use]
        pub fn len(&self) -> usize {
            self.engine.len()
        }

        /// Whether the queue is empty at this moment.
        #[must_use]
        pub fn is_empty(&self) -> bool {
            self.len() == 0
        }

        /// The bound, if there is one.
        #[must_use]
        pub fn capacity(&self) -> Option<usize> {
            Some(self.engine.capacity()).filter(|&bound| bound != usize::MAX)
        }

        /// Whether the queue was shut down. Items may still be in it.
        #[must_use]
        pub fn is_closed(&self) -> bool {
            self.engine.is_closed()
        }

        /// Reports that the work on one taken item is finished.
        ///
        /// # Errors
        /// [`TooManyTasksDone`], if every taken item was already reported.
        #[inline]
        pub fn task_done(&self) -> Result<(), TooManyTasksDone> {
            let engine = &*self.engine;
            engine
                .tasks()
                .finish(|| engine.taken_count(), || engine.put_count())
        }

        /// How many of the items ever put are not reported done.
        #[must_use]
        pub fn unfinished(&self) -> usize {
            self.engine.tasks().unfinished(|| self.engine.put_count())
        }

        /// Waits until every item ever put was taken and reported by [`task_done`](Self::task_done).
        ///
        /// Items that an immediate shutdown took out count as done.
        pub fn join(&self) {
            // Without a deadline the wait cannot time out.
            let _ = self.engine.tasks().join(None, || self.engine.put_count());
        }

        /// Waits for at most `timeout` until every item was reported done.
        ///
        /// # Errors
        /// [`TimedOut`], if some were not.
        pub fn join_for(&self, timeout: Duration) -> Result<(), TimedOut> {
            let tasks = self.engine.tasks();
            tasks.join(park::deadline(timeout), || self.engine.put_count())
        }

        /// Closes the queue and wakes everyone who waits at it: puts fail from now on.
        ///
        /// Returns the items that are dropped with the shutdown, the next first: with
        /// [`Shutdown::Immediate`] what was in the queue, with [`Shutdown::Drain`] none. Shutting down
        /// twice is allowed, also first draining and then at once.
        pub fn shutdown(&self, how: Shutdown) -> Vec<$item> {
            self.engine.shutdown(how)
        }
    };
}

/// The methods that put an item which is all there is to say.
macro_rules! put_methods {
    () => {
        /// Puts an item, waiting for room as long as it takes.
        ///
        /// # Errors
        /// [`PutError::Closed`] with the item, if the queue is or becomes shut down.
        #[inline]
        pub fn put(&self, item: T) -> Result<(), PutError<T>> {
            self.engine.put(item, || None)
        }

        /// Puts an item if there is room at this moment.
        ///
        /// # Errors
        /// [`PutError::Full`] or [`PutError::Closed`], with the item.
        #[inline]
        pub fn try_put(&self, item: T) -> Result<(), PutError<T>> {
            self.engine.try_put(item)
        }

        /// Puts an item, waiting for room for at most `timeout`.
        ///
        /// # Errors
        /// [`PutError::TimedOut`] or [`PutError::Closed`], with the item.
        pub fn put_for(&self, item: T, timeout: Duration) -> Result<(), PutError<T>> {
            self.engine.put(item, || park::deadline(timeout))
        }

        /// Puts an item, waiting for room until `deadline`.
        ///
        /// # Errors
        /// [`PutError::TimedOut`] or [`PutError::Closed`], with the item.
        pub fn put_until(&self, item: T, deadline: Instant) -> Result<(), PutError<T>> {
            self.engine.put(item, || Some(deadline))
        }

        /// Puts all items in their order, waiting for room as long as it takes, and leaves `items` empty but
        /// for its capacity. Other threads' items may come between them.
        ///
        /// One call costs little more than a single put, so with [`get_many`](Self::get_many) it is the way to
        /// a high rate.
        ///
        /// # Errors
        /// [`PutError::Closed`], if the queue is or becomes shut down; `items` keeps those not put.
        pub fn put_many(&self, items: &mut Vec<T>) -> Result<(), PutError<()>> {
            drained(items, |items| self.engine.put_many(items, || None))
        }

        /// Puts as many of the items as there is room for at this moment; `items` keeps the others.
        ///
        /// # Errors
        /// [`PutError::Full`], if some are left, or [`PutError::Closed`].
        pub fn try_put_many(&self, items: &mut Vec<T>) -> Result<(), PutError<()>> {
            drained(items, |items| self.engine.try_put_many(items))
        }

        /// Puts all items, waiting for room for at most `timeout`; `items` keeps those not put.
        ///
        /// # Errors
        /// [`PutError::TimedOut`] or [`PutError::Closed`].
        pub fn put_many_for(
            &self,
            items: &mut Vec<T>,
            timeout: Duration,
        ) -> Result<(), PutError<()>> {
            drained(items, |items| {
                self.engine.put_many(items, || park::deadline(timeout))
            })
        }
    };
}

/// The traits of a handle on an engine.
macro_rules! handle_traits {
    ($name:ident<$($param:ident),+> $(where $order:ident: $bound:path)?, $item:ty) => {
        impl<$($param),+> Clone for $name<$($param),+> {
            /// Makes another handle on the same queue.
            fn clone(&self) -> Self {
                Self {
                    engine: self.engine.clone(),
                }
            }
        }

        impl<$($param),+> Default for $name<$($param),+> $(where $order: $bound)? {
            /// An unbounded queue.
            fn default() -> Self {
                Self::unbounded()
            }
        }

        impl<$($param),+> fmt::Debug for $name<$($param),+> $(where $order: $bound)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("len", &self.len())
                    .field("capacity", &self.capacity())
                    .field("closed", &self.is_closed())
                    .finish()
            }
        }

        impl<$($param),+> Source for $name<$($param),+> $(where $order: $bound)? {
            fn is_ready(&self) -> bool {
                !self.is_empty() || self.is_closed()
            }

            fn listen(&self, waiter: &Arc<Waiter>) {
                self.engine.listen(waiter.clone());
            }

            fn unlisten(&self, waiter: &Arc<Waiter>) -> bool {
                self.engine.unlisten(waiter);
                false
            }
        }

        impl<$($param),+> Report for $name<$($param),+> $(where $order: $bound)? {
            fn report(&self) -> Result<(), TooManyTasksDone> {
                self.task_done()
            }
        }

        /// Ready when an item can be taken or the queue is shut down.
        impl<$($param),+> Waitable for $name<$($param),+> $(where $order: $bound)? {}

        impl<$($param),+> $name<$($param),+> $(where $order: $bound)? {
            /// Takes an item as [`get`](Self::get) does, in a guard that reports it done when dropped.
            ///
            /// # Errors
            /// As [`get`](Self::get).
            pub fn get_task(&self) -> Result<TaskGuard<'_, $item, Self>, GetError> {
                let item = self.get()?;
                Ok(TaskGuard::new(item, self))
            }

            /// Takes an item as [`get_for`](Self::get_for) does, in a guard that reports it done when
            /// dropped.
            ///
            /// # Errors
            /// As [`get_for`](Self::get_for).
            pub fn get_task_for(
                &self,
                timeout: Duration,
            ) -> Result<TaskGuard<'_, $item, Self>, GetError> {
                let item = self.get_for(timeout)?;
                Ok(TaskGuard::new(item, self))
            }
        }
    };
}

/// Lets `put` take items from the front of `items`, which keeps the rest.
pub(super) fn drained<T, R>(items: &mut Vec<T>, put: impl FnOnce(&mut Drain<'_, T>) -> R) -> R {
    let mut rest = items.drain(..);
    let outcome = put(&mut rest);
    if rest.len() > 0 {
        *items = rest.collect();
    }
    outcome
}

pub(super) use {handle_traits, put_methods, shared_methods};
