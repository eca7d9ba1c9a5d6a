//! A taken item that reports itself done.

use super::Report;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// An item taken from a queue by `get_task`; when the guard is dropped, also by a panic, the item is dropped
/// and then reported done.
///
/// # Examples
///
/// ```
/// let queue = threads::Queue::unbounded();
/// queue.put("job")?;
/// {
///     let job = queue.get_task()?;
///     assert_eq!((*job, queue.unfinished()), ("job", 1));
/// }
/// assert_eq!(queue.unfinished(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a guard that is dropped at once reports its item done"]
pub struct TaskGuard<'a, T, Q: Report> {
    item: T,
    /// Reports when it is dropped: after the item, as the order of the fields says.
    _report: ReportOnDrop<'a, Q>,
}

struct ReportOnDrop<'a, Q: Report>(&'a Q);

impl<Q: Report> Drop for ReportOnDrop<'_, Q> {
    fn drop(&mut self) {
        // Too many reports: `task_done` was called by hand for this item as well. Nothing is left to do.
        let _ = self.0.report();
    }
}

impl<'a, T, Q: Report> TaskGuard<'a, T, Q> {
    pub(super) fn new(item: T, queue: &'a Q) -> Self {
        Self {
            item,
            _report: ReportOnDrop(queue),
        }
    }

    /// The item itself; it is reported done now.
    pub fn into_inner(self) -> T {
        self.item
    }
}

impl<T, Q: Report> Deref for TaskGuard<'_, T, Q> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.item
    }
}

impl<T, Q: Report> DerefMut for TaskGuard<'_, T, Q> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.item
    }
}

impl<T: fmt::Debug, Q: Report> fmt::Debug for TaskGuard<'_, T, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TaskGuard").field(&self.item).finish()
    }
}
