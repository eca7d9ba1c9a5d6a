//! What becomes of a result that nobody waits for.

use std::fmt;

/// What a handler may return: nothing, or a result whose error is told to the loop's exception handler.
pub trait Outcome {
    /// The failure to report, if there is one.
    fn failure(self) -> Option<String>;
}

impl Outcome for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<E: fmt::Display> Outcome for Result<(), E> {
    fn failure(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}
