//! Panics of user code: caught, with their message and place.

use std::any::Any;
use std::cell::Cell;
use std::mem;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;
use std::thread;

/// The payload that unwinds a thread which ends itself.
pub(crate) struct Exit;

/// Runs user code whose panic concerns no caller; the panic hook has reported it.
pub(crate) fn catch_and_forget(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        // The payload's destructor is user code too, and may panic again: leaking it ends the chain.
        mem::forget(payload);
    }
}

/// The message and the place of a panic.
struct Record {
    message: String,
    location: String,
}

thread_local! {
    /// The newest panic of the calling thread.
    static NEWEST: Cell<Option<Record>> = const { Cell::new(None) };
}

/// Makes panics leave their place, once for the process. The hook that stands is called as before.
pub(crate) fn record_locations() {
    static INSTALLED: Once = Once::new();
    // A thread that panics must not change the hook; the next start of a thread does it.
    if !INSTALLED.is_completed() && !thread::panicking() {
        INSTALLED.call_once(|| {
            let standing = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                record(info);
                standing(info);
            }));
        });
    }
}

fn record(info: &PanicHookInfo<'_>) {
    if let Some(location) = info.location() {
        let newest = Record {
            message: message(info.payload()),
            location: location.to_string(),
        };
        // A thread whose thread-local values are gone leaves no place.
        let _ = NEWEST.try_with(|cell| cell.set(Some(newest)));
    }
}

/// The place of the calling thread's newest panic, if that had this message: a payload that was resumed has no place.
pub(crate) fn take_location(message: &str) -> Option<String> {
    let newest = NEWEST.try_with(Cell::take).ok().flatten()?;
    (newest.message == message).then_some(newest.location)
}

/// The text of a payload, or a remark that it is not text.
pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else if payload.is::<Exit>() {
        "exit_thread was called where no thread's body could be left".to_owned()
    } else {
        "a payload that is not text".to_owned()
    }
}
