//! Panics of a task, caught with their message, location and backtrace.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::env;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

use crate::error::Panicked;

/// Receives a report inside the panic hook, before the process can abort.
type EarlyReport = Box<dyn Fn(&Panicked)>;

thread_local! {
    /// `None`: no task runs on this thread, and a panic is reported as usual. `Some`: the newest report of the hook.
    static CAUGHT: RefCell<Option<Option<Panicked>>> = const { RefCell::new(None) };
    /// Receives each report at once.
    static EARLY: RefCell<Option<EarlyReport>> = const { RefCell::new(None) };
}

/// Records panics of tasks instead of printing them. Panics of other threads are printed as before.
pub(crate) fn install_hook() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let recorded = CAUGHT.with(|caught| match &mut *caught.borrow_mut() {
            Some(report) => {
                let panicked = report_of(info);
                EARLY.with_borrow(|early| early.iter().for_each(|early| early(&panicked)));
                *report = Some(panicked);
                true
            }
            None => false,
        });
        // A process that aborts prints the message as well, as Rust programs do.
        if !recorded || cfg!(panic = "abort") {
            usual(info);
        }
    }));
}

/// Passes each report of this thread's tasks to `early`, inside the panic hook: after a panic that cannot unwind, or with
/// `panic = "abort"`, nothing else of this process runs.
pub(crate) fn report_early(early: impl Fn(&Panicked) + 'static) {
    EARLY.set(Some(Box::new(early)));
}

/// Runs a task. Returns its panic as an error.
pub(crate) fn catch<T>(task: impl FnOnce() -> T) -> Result<T, Panicked> {
    CAUGHT.set(Some(None));
    let result = panic::catch_unwind(AssertUnwindSafe(task));
    let caught = CAUGHT.take().flatten();
    result.map_err(|payload| {
        // The destructor of a payload may panic too; the payload is leaked instead.
        let message = payload_text(&*payload);
        std::mem::forget(payload);
        caught.unwrap_or_else(|| Panicked::new(message, None, None))
    })
}

fn report_of(info: &PanicHookInfo<'_>) -> Panicked {
    let location = info.location().map(ToString::to_string);
    let backtrace = wants_backtrace().then(|| Backtrace::force_capture().to_string());
    Panicked::new(payload_text(info.payload()), location, backtrace)
}

/// Whether backtraces are wanted, by Rust's convention: `RUST_BACKTRACE` is set, and not to 0.
fn wants_backtrace() -> bool {
    env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0")
}

fn payload_text(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "the panic's payload is not text".to_owned()
    }
}
