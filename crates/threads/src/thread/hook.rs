//! What happens with a panic that nobody joins.

use crate::error::Panic;
use crate::thread::ThreadInfo;
use crate::unwind::catch_and_forget;
use parking_lot::RwLock;
use std::sync::Arc;

type Hook = Arc<dyn Fn(&ThreadInfo, &Panic) + Send + Sync>;

static HOOK: RwLock<Option<Hook>> = RwLock::new(None);

/// Sets the function that is told of each panic of a thread whose handle was dropped without a join.
///
/// It replaces the former one and runs in whichever thread lets go of the outcome last: the one that
/// panicked, or the one that drops the handle. A panic of a joined thread is the joiner's; one in a
/// [`scope`](crate::scope) continues in the scope's owner. The message and the place of every panic go to
/// standard error before, by std's panic hook. A hook that panics itself is reported in the same way and
/// changes nothing else.
///
/// # Examples
///
/// ```
/// use threads::{Queue, Thread};
///
/// let reports = Queue::unbounded();
/// let sink = reports.clone();
/// threads::set_excepthook(move |thread, panic| {
///     let _ = sink.put(format!("{}: {}", thread.name(), panic.message()));
/// });
/// drop(Thread::builder().name("lost").spawn(|| panic!("unseen"))?);
/// assert_eq!(reports.get()?, "lost: unseen");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn set_excepthook(hook: impl Fn(&ThreadInfo, &Panic) + Send + Sync + 'static) {
    let former = HOOK.write().replace(Arc::new(hook));
    // What it captured is foreign code to drop: not under the lock.
    drop(former);
}

/// Removes the function set by [`set_excepthook`].
pub fn reset_excepthook() {
    let former = HOOK.write().take();
    drop(former);
}

pub(crate) fn report(thread: &ThreadInfo, panic: &Panic) {
    let hook = HOOK.read().clone();
    if let Some(hook) = hook {
        catch_and_forget(|| hook(thread, panic));
    }
}
