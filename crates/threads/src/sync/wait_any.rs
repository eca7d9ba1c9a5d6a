//! Waiting for the first of several things.

use crate::error::TimedOut;
use crate::park::{Waiter, deadline};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How `wait_any` looks at a thing; sealed, since it shows the crate's inside.
pub trait Source {
    fn is_ready(&self) -> bool;

    /// Wakes `waiter` once the thing becomes ready. The caller looks again afterwards.
    fn listen(&self, waiter: &Arc<Waiter>);

    /// Forgets `waiter`. A wake-up that it took from someone else is passed on.
    fn unlisten(&self, waiter: &Arc<Waiter>);

    /// Does what makes the thing ready, if that is for the calling thread to do.
    fn help(&self) {}
}

/// A thing for which [`wait_any`] waits: a queue, an event, a latch, a job or a thread.
pub trait Waitable: Source {}

/// Waits until one of `things` is ready and returns its index, the smallest if there are several.
///
/// Nothing is taken: a queue is ready when it has an item or is shut down, and another thread may be faster
/// to take the item, so follow up with a `try_get`. A worker that waits for queued jobs of its own pool runs
/// one of them. Without things there is nothing to wait for: the call waits for ever.
///
/// # Examples
///
/// ```
/// use threads::{Event, Queue, wait_any};
///
/// let (orders, stop) = (Queue::unbounded(), Event::new());
/// orders.put("tea")?;
/// assert_eq!(wait_any(&[&stop, &orders]), 1);
/// stop.set();
/// assert_eq!(wait_any(&[&stop, &orders]), 0);
/// # Ok::<(), threads::PutError<&str>>(())
/// ```
pub fn wait_any(things: &[&dyn Waitable]) -> usize {
    loop {
        // Without a deadline the wait ends with something ready.
        if let Some(index) = wait(things, None) {
            return index;
        }
    }
}

/// Waits as [`wait_any`], for at most `timeout`.
///
/// # Errors
/// [`TimedOut`], if none was ready in time.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use threads::{Event, TimedOut, wait_any_for};
///
/// let event = Event::new();
/// assert_eq!(wait_any_for(&[&event], Duration::from_millis(1)), Err(TimedOut));
/// ```
pub fn wait_any_for(things: &[&dyn Waitable], timeout: Duration) -> Result<usize, TimedOut> {
    wait(things, deadline(timeout)).ok_or(TimedOut)
}

fn ready(things: &[&dyn Waitable]) -> Option<usize> {
    things.iter().position(|thing| thing.is_ready())
}

fn wait(things: &[&dyn Waitable], deadline: Option<Instant>) -> Option<usize> {
    for thing in things {
        if ready(things).is_none() {
            thing.help();
        }
    }
    loop {
        if let Some(index) = ready(things) {
            return Some(index);
        }
        let waiter = Waiter::new();
        things.iter().for_each(|thing| thing.listen(&waiter));
        let woken = ready(things).is_some() || waiter.wait(deadline);
        things.iter().for_each(|thing| thing.unlisten(&waiter));
        if !woken {
            return ready(things);
        }
    }
}
