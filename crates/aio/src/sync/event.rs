//! Something that happens once, for all who wait.

use std::{cell::Cell, fmt};

use super::waiters::Waiters;

/// A flag that tasks wait for.
///
/// ```
/// use std::rc::Rc;
///
/// use aio::sync::Event;
///
/// aio::run(async {
///     let event = Rc::new(Event::new());
///     let seen = event.clone();
///     let waiter = aio::create_task(async move { seen.wait().await });
///     aio::yield_now().await;
///     assert!(!waiter.is_done());
///     event.set();
///     waiter.await.unwrap();
/// })?;
/// # Ok::<(), aio::RunError>(())
/// ```
#[derive(Default)]
pub struct Event {
    set: Cell<bool>,
    waiters: Waiters,
}

impl Event {
    /// An event that is not set.
    pub fn new() -> Self {
        Event::default()
    }

    /// Sets it and wakes all who wait, also if it is cleared before they run.
    pub fn set(&self) {
        self.set.set(true);
        self.waiters.call_all();
    }

    /// Clears it: who comes from now on waits.
    pub fn clear(&self) {
        self.set.set(false);
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        self.set.get()
    }

    /// Waits until it is set; at once, when it is. Safe to cancel.
    pub async fn wait(&self) {
        if !self.set.get() {
            // Nobody needs the call of one who has left: all were called.
            self.waiters.wait(|| ()).await;
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("set", &self.is_set())
            .field("waiting", &self.waiters.len())
            .finish()
    }
}
