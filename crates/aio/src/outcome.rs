//! What becomes of a result that nobody waits for.

use std::{any::Any, error::Error, fmt, io};

use crate::error::{ReadError, RunError, TaskError, TimedOut};

/// What a handler or a task may result in when nobody looks at the result: nothing, a plain value to forget, or a
/// `Result` whose error is told to the loop's exception handler.
///
/// It cannot be implemented for other types: let the body end in `()` when its value is of no use, or in a `Result`.
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
///
/// let told = Rc::new(RefCell::new(String::new()));
/// let noted = told.clone();
/// aio::run(async move {
///     let event_loop = aio::get_running_loop().unwrap();
///     event_loop.set_exception_handler(move |context| *noted.borrow_mut() = context.to_string());
///     let failing = aio::create_task(async { Err::<(), _>("no such host") });
///     failing.set_name("lookup");
///     failing.detach();
///     aio::yield_now().await;
/// })?;
/// assert_eq!(*told.borrow(), "a task that nobody awaits failed (lookup): no such host");
/// # Ok::<(), aio::RunError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` may hold a failure that nobody would hear of",
    note = "let the body end in `()`, or in a `Result` whose error can be displayed"
)]
pub trait Outcome: Sized {
    /// The failure to report, if there is one. `None` unless it is written otherwise.
    fn failure(self) -> Option<String> {
        None
    }
}

impl<T, E: fmt::Display> Outcome for Result<T, E> {
    fn failure(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

macro_rules! cannot_fail {
    ($($value:ty),*) => { $(impl Outcome for $value {})* };
}

cannot_fail!(
    (),
    bool,
    char,
    u8,
    u16,
    u32,
    u64,
    u128,
    usize,
    i8,
    i16,
    i32,
    i64,
    i128,
    isize,
    f32,
    f64,
    String,
    &'static str
);

/// Names the type of what never returns, which has no name of its own yet.
trait Returns {
    type Value;
}

impl<T> Returns for fn() -> T {
    type Value = T;
}

/// A body that runs for ever, or panics. For the compiler this may overlap with an impl in any other crate.
impl Outcome for <fn() -> ! as Returns>::Value {}

/// An answer that nobody waits for any more, whatever it says.
#[cfg(feature = "http")]
impl Outcome for crate::http::Response {}

impl<T> Outcome for Option<T> {}
impl<T> Outcome for Vec<T> {}

/// The failure in an output of type `T` that has lost its type.
pub(crate) fn failure_of<T: Outcome + 'static>(output: Box<dyn Any>) -> Option<String> {
    output.downcast::<T>().ok()?.failure()
}

/// The failure in an output of any type, if it is among the most common ones.
pub(crate) fn common_failure(output: Box<dyn Any>) -> Option<String> {
    macro_rules! first_of {
        ($($error:ty),*) => {
            $(if output.is::<Result<(), $error>>() {
                return failure_of::<Result<(), $error>>(output);
            })*
        };
    }
    first_of!(
        io::Error,
        Box<dyn Error>,
        Box<dyn Error + Send + Sync>,
        String,
        &'static str,
        TaskError,
        ReadError,
        RunError,
        TimedOut
    );
    None
}
