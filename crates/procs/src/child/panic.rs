//! Panics of a task, caught with their message, place and backtrace.

use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::env;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

use crate::error::Panicked;

thread_local! {
    /// `None`: no task runs on this thread, and a panic is reported as usual. `Some`: what the hook saw last.
    static CAUGHT: RefCell<Option<Option<Panicked>>> = const { RefCell::new(None) };
}

/// Lets panics of tasks be recorded instead of printed. Other threads' panics are printed as before.
pub(crate) fn install_hook() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let recorded = CAUGHT.with(|caught| match &mut *caught.borrow_mut() {
            Some(report) => {
                *report = Some(report_of(info));
                true
            }
            None => false,
        });
        // With panic = "abort" nobody will get the report: the message must go to stderr now.
        if !recorded || cfg!(panic = "abort") {
            usual(info);
        }
    }));
}

/// Runs a task; a panic in it becomes a value.
pub(crate) fn catch<T>(task: impl FnOnce() -> T) -> Result<T, Panicked> {
    CAUGHT.set(Some(None));
    let result = panic::catch_unwind(AssertUnwindSafe(task));
    let caught = CAUGHT.take().flatten();
    result.map_err(|payload| {
        // A payload's destructor may panic too; what a task throws is not worth dying for.
        let message = payload_text(&*payload);
        std::mem::forget(payload);
        caught.unwrap_or_else(|| Panicked::new(message, None, None))
    })
}

fn report_of(info: &PanicHookInfo<'_>) -> Panicked {
    let location = info.location().map(ToString::to_string);
    let wanted = env::var_os("RUST_BACKTRACE").is_none_or(|value| value != "0");
    let backtrace = wanted.then(|| Backtrace::force_capture().to_string());
    Panicked::new(payload_text(info.payload()), location, backtrace)
}

fn payload_text(payload: &(dyn std::any::Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a value that is not text was thrown".to_owned()
    }
}
