//! Ending a thread from within.

use crate::unwind::Exit;
use std::panic::resume_unwind;

/// Ends the calling thread, from however deep in its calls.
///
/// The stack is unwound, so that everything on it is dropped, but nothing is printed and no hook is called.
/// A join gives [`JoinError::Exited`](crate::JoinError::Exited); a [`scope`](crate::scope()) does not take it
/// for a panic.
///
/// It is for the bodies of threads that this crate starts. Elsewhere it is a panic without a message on standard
/// error: a [`Job`](crate::Job) that calls it ends as `Panicked`, a [`Timer`](crate::Timer)'s function ends
/// early, and the main thread ends the process with a status that tells of failure. `catch_unwind` stops it,
/// and where panics abort, so does this.
///
/// # Examples
///
/// ```
/// use threads::JoinError;
///
/// fn deep_inside() -> u32 {
///     threads::exit_thread()
/// }
/// let mut thread = threads::spawn(deep_inside)?;
/// assert!(matches!(thread.join(), Err(JoinError::Exited)));
/// # Ok::<(), threads::SpawnError>(())
/// ```
pub fn exit_thread() -> ! {
    // Unlike a panic, this does not call std's panic hook.
    resume_unwind(Box::new(Exit))
}
