//! Stopping the unwinding of user code.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The payload that unwinds a thread which ends itself.
pub(crate) struct Exit;

/// Runs user code whose panic concerns no caller; the panic hook has reported it.
pub(crate) fn catch_and_forget(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        // The payload's destructor is user code too, and may panic again: leaking it ends the chain.
        mem::forget(payload);
    }
}
