//! Who is told.

use super::cycle::Cycle;
use crate::unwind::catch_and_forget;
use parking_lot::RwLock;
use std::sync::Arc;

type Hook = Arc<dyn Fn(&Cycle) + Send + Sync>;

static HOOK: RwLock<Option<Hook>> = RwLock::new(None);

/// Sets the function that is told of each cycle, in place of standard error or of the former function.
///
/// It runs in the thread whose wait closes the cycle, before that wait, with the thread's locks held: it had
/// better not wait for them. The orders in which it takes locks itself are not watched. If it panics, the
/// panic's message goes to standard error and the thread goes on.
pub fn set_hook(hook: impl Fn(&Cycle) + Send + Sync + 'static) {
    let former = HOOK.write().replace(Arc::new(hook));
    // What it captured is foreign code to drop: not under the lock.
    drop(former);
}

/// Removes the function set by [`set_hook`]: cycles go to standard error again.
pub fn reset_hook() {
    let former = HOOK.write().take();
    drop(former);
}

pub(super) fn report(cycle: &Cycle) {
    let hook = HOOK.read().clone();
    match hook {
        Some(hook) => catch_and_forget(|| hook(cycle)),
        None => eprintln!("{cycle}"),
    }
}
