//! A value of its own for each thread.

use crate::unwind::catch_and_forget;
use parking_lot::Mutex;
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
    /// The threads that have a value, for the end of the `Local`.
    users: Mutex<Vec<Weak<Dead>>>,
}

/// The ids of locals that are gone, but whose values are still in the thread.
type Dead = Mutex<Vec<u64>>;

/// The values of one thread.
#[derive(Default)]
struct Values {
    by_id: RefCell<HashMap<u64, Rc<dyn Any>>>,
    dead: Arc<Dead>,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static VALUES: Values = Values::default();
}

impl Values {
    fn insert(&self, id: u64, value: Rc<dyn Any>) {
        self.by_id.borrow_mut().insert(id, value);
    }

    /// Takes the values of locals that are gone. The caller drops them.
    fn take_dead(&self) -> Vec<Rc<dyn Any>> {
        let dead = std::mem::take(&mut *self.dead.lock());
        let mut by_id = self.by_id.borrow_mut();
        dead.iter().filter_map(|id| by_id.remove(id)).collect()
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        drop_each(self.by_id.take().into_values());
    }
}

/// Drops each value, although the destructors of others may panic.
fn drop_each(values: impl IntoIterator<Item = Rc<dyn Any>>) {
    for value in values {
        catch_and_forget(|| drop(value));
    }
}

impl<T> Drop for Local<T> {
    fn drop(&mut self) {
        for dead in self.users.get_mut().iter().filter_map(Weak::upgrade) {
            dead.lock().push(self.id);
        }
    }
}

impl<T: 'static> Local<T> {
    /// Makes a local whose values are made by `init`, in the thread that uses them.
    pub fn new(init: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            init: Box::new(init),
            users: Mutex::default(),
        }
    }

    /// Runs `f` on the calling thread's value.
    ///
    /// `f` and the initializer may use this and other locals. In the destructor of a thread-local value,
    /// when the thread's values are gone, each call makes a value of its own.
    pub fn with<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        let value = self.existing().unwrap_or_else(|| self.make());
        f(&value)
    }

    fn existing(&self) -> Option<Rc<T>> {
        let find = |values: &Values| values.by_id.borrow().get(&self.id).cloned();
        let value = VALUES.try_with(find).ok()??;
        value.downcast().ok()
    }

    fn make(&self) -> Rc<T> {
        let value = Rc::new((self.init)());
        if let Some(value) = self.existing() {
            // The initializer used this local, which made the value.
            return value;
        }
        let insert = |values: &Values| {
            self.add_user(&values.dead);
            values.insert(self.id, value.clone());
            values.take_dead()
        };
        // Dropped after the map is free again: destructors may use locals.
        drop_each(VALUES.try_with(insert).unwrap_or_default());
        value
    }

    fn add_user(&self, dead: &Arc<Dead>) {
        let mut users = self.users.lock();
        if users.len() == users.capacity() {
            // Threads that have ended need no message. The room doubles, so a sweep comes after as many pushes.
            users.retain(|user| user.strong_count() > 0);
            let live = users.len();
            users.reserve(live + 1);
        }
        users.push(Arc::downgrade(dead));
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
