//! Waiting for the first of several things.

use crate::error::TimedOut;
use crate::park::{Waiter, deadline};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What `wait_any` needs of a thing; sealed, since it shows the crate's inside.
pub trait Source {
    /// Returns whether the thing is ready.
    fn is_ready(&self) -> bool;

    /// Has `waiter` woken once the thing becomes ready. The caller looks again afterwards.
    fn listen(&self, waiter: &Arc<Waiter>);

    /// Undoes `listen`. Returns whether the thing became ready in between, though it may not be any more.
    ///
    /// A wake-up that was meant for one thread is passed on, and does not count.
    fn unlisten(&self, waiter: &Arc<Waiter>) -> bool;

    /// Does what makes the thing ready, if that is for the calling thread to do.
    fn help(&self) {}
}

/// A thing for which [`wait_any`] waits: a queue, an event, a latch, a job or a thread.
pub trait Waitable: Source {}

/// Waits until one of `things` is ready and returns its index, the smallest if there are several.
///
/// Nothing is taken: a queue is ready when it has an item or is shut down. Another thread may be faster to take
/// the item, so follow up with a `try_get`. An event that is set and cleared during the wait was ready. A worker
/// that waits for queued jobs of its own pool runs one of them. Without things the call waits for ever.
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
#[doc(alias = "select")]
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
/// A job that the calling worker runs itself is not cut short.
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

/// Waits as [`wait_any`], at most until `deadline`.
///
/// # Errors
/// As [`wait_any_for`].
pub fn wait_any_until(things: &[&dyn Waitable], deadline: Instant) -> Result<usize, TimedOut> {
    wait(things, Some(deadline)).ok_or(TimedOut)
}

fn ready(things: &[&dyn Waitable]) -> Option<usize> {
    things.iter().position(|thing| thing.is_ready())
}

/// Looks at each thing once, and helps those in front of the first that is ready.
fn ready_with_help(things: &[&dyn Waitable]) -> Option<usize> {
    if let Some(index) = ready(things) {
        return Some(index);
    }
    things.iter().position(|thing| {
        thing.help();
        thing.is_ready()
    })
}

fn wait(things: &[&dyn Waitable], deadline: Option<Instant>) -> Option<usize> {
    if let Some(index) = ready_with_help(things) {
        return Some(index);
    }
    loop {
        let waiter = Waiter::new();
        things.iter().for_each(|thing| thing.listen(&waiter));
        let woken = ready(things).is_some() || waiter.wait(deadline);
        // Each is asked, so that none keeps the waiter.
        let became_ready =
            |(index, thing): (usize, &&dyn Waitable)| thing.unlisten(&waiter).then_some(index);
        let passing = things.iter().enumerate().filter_map(became_ready).min();
        let index = ready(things).into_iter().chain(passing).min();
        if index.is_some() || !woken {
            return index;
        }
    }
}
