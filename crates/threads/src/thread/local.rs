//! A value of its own for each thread.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// A value of which each thread has one of its own, made on its first use there.
///
/// Unlike `thread_local!`, a `Local` is a value: made at run time, kept in a field, shared by `Arc` or
/// borrowed. A thread's value is dropped when the thread ends, or, once the `Local` is gone, when the
/// thread next makes one.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use threads::Local;
///
/// let calls = Local::new(|| Cell::new(0));
/// calls.with(|n| n.set(n.get() + 1));
/// let elsewhere = threads::scope(|s| {
///     let mut thread = s.spawn(|| calls.with(Cell::get))?;
///     Ok::<_, Box<dyn std::error::Error>>(thread.join()?)
/// })?;
/// assert_eq!(calls.with(Cell::get), 1);
/// assert_eq!(elsewhere, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Local<T> {
    id: u64,
    init: Box<dyn Fn() -> T + Send + Sync>,
    /// Dies with the `Local`, which tells the threads that their values are of no more use.
    alive: Arc<()>,
}

struct Entry {
    value: Rc<dyn Any>,
    alive: Weak<()>,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static VALUES: RefCell<HashMap<u64, Entry>> = RefCell::new(HashMap::new());
}

impl<T: 'static> Local<T> {
    /// Makes a local whose values are made by `init`, in the thread that uses them.
    pub fn new(init: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            init: Box::new(init),
            alive: Arc::new(()),
        }
    }

    /// Runs `f` on the calling thread's value.
    ///
    /// `f` and the initialiser may use this and other locals. In the destructor of a thread-local value,
    /// when the thread's values are gone, each call makes a value of its own.
    pub fn with<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        let value = self.existing().unwrap_or_else(|| self.make());
        f(&value)
    }

    fn existing(&self) -> Option<Rc<T>> {
        let find = |values: &RefCell<HashMap<u64, Entry>>| {
            values
                .borrow()
                .get(&self.id)
                .map(|entry| entry.value.clone())
        };
        let value = VALUES.try_with(find).ok()??;
        value.downcast().ok()
    }

    fn make(&self) -> Rc<T> {
        let value = Rc::new((self.init)());
        if let Some(value) = self.existing() {
            // The initialiser used this local, which made the value.
            return value;
        }
        let entry = Entry {
            value: value.clone(),
            alive: Arc::downgrade(&self.alive),
        };
        let insert = |values: &RefCell<HashMap<u64, Entry>>| {
            let mut values = values.borrow_mut();
            let dead: Vec<_> = values
                .extract_if(|_, entry| entry.alive.strong_count() == 0)
                .collect();
            values.insert(self.id, entry);
            dead
        };
        // Dropped after the map is free again: destructors may use locals.
        let dead = VALUES.try_with(insert);
        drop(dead);
        value
    }
}

impl<T: Clone + 'static> Local<T> {
    /// The calling thread's value.
    #[must_use]
    pub fn get(&self) -> T {
        self.with(T::clone)
    }
}

impl<T> fmt::Debug for Local<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}
