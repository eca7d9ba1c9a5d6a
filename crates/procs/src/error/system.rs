//! The system refuses.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

/// A system call failed.
///
/// Names the call and what it was for; the system's own error is the [`source`](Error::source).
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

    /// Whether the machine or a limit has run out of something: descriptors, processes, memory. It may be worth trying
    /// again once something has been released.
    pub fn is_exhausted(&self) -> bool {
        matches!(
            self.source.raw_os_error(),
            Some(libc::EMFILE | libc::ENFILE | libc::EAGAIN | libc::ENOMEM)
        )
    }

    /// The system's error number, if it gave one.
    pub fn raw_os_error(&self) -> Option<i32> {
        self.source.raw_os_error()
    }
}

impl fmt::Display for SystemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}: {}", self.doing, self.source)?;
        match self.source.raw_os_error() {
            Some(libc::EMFILE) => {
                f.write_str("; raise the limit of open files (ulimit -n) or close some")
            }
            Some(libc::EAGAIN) => {
                f.write_str("; raise the limit of processes (ulimit -u) or start fewer")
            }
            _ => Ok(()),
        }
    }
}

impl Error for SystemError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// Equal when the same call failed with the same error number.
impl PartialEq for SystemError {
    fn eq(&self, other: &Self) -> bool {
        self.doing == other.doing
            && self.source.kind() == other.source.kind()
            && self.raw_os_error() == other.raw_os_error()
    }
}

impl Eq for SystemError {}
