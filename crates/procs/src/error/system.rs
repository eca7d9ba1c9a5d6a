//! Errors of system calls.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

/// A system call failed.
///
/// `Display` prints what the call was for and the system's error, which [`io_error`](Self::io_error) returns as well.
#[derive(Clone, Debug)]
pub struct SystemError {
    doing: Cow<'static, str>,
    source: Arc<io::Error>,
}

impl SystemError {
    pub(crate) fn new(doing: impl Into<Cow<'static, str>>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self {
            doing,
            source: Arc::new(source),
        }
    }

    /// Returns whether a resource is exhausted: descriptors (`ulimit -n`), processes (`ulimit -u`) or memory. The call may
    /// succeed once some are released or the limit is raised. A time limit that has passed is no such error.
    pub fn is_exhausted(&self) -> bool {
        matches!(
            self.source.raw_os_error(),
            Some(libc::EMFILE | libc::ENFILE | libc::EAGAIN | libc::ENOMEM)
        )
    }

    /// Returns the system's error.
    pub fn io_error(&self) -> &io::Error {
        &self.source
    }

    /// Returns the number of the system's error (`errno`), if it has one.
    pub fn raw_os_error(&self) -> Option<i32> {
        self.source.raw_os_error()
    }
}

impl fmt::Display for SystemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}: {}", self.doing, self.source)
    }
}

impl Error for SystemError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The error itself is printed.
        self.source.source()
    }
}

/// Equal if the same call failed with the same error number.
impl PartialEq for SystemError {
    fn eq(&self, other: &Self) -> bool {
        self.doing == other.doing
            && self.source.kind() == other.source.kind()
            && self.raw_os_error() == other.raw_os_error()
    }
}

impl Eq for SystemError {}
