//! Signals to processes that may have ended meanwhile.

use std::os::fd::BorrowedFd;

use crate::error::SignalError;
use crate::sys;

/// Sends a signal. A process that has ended needs none: that is no error.
pub(crate) fn send(pid: u32, pidfd: BorrowedFd<'_>, number: i32) -> Result<(), SignalError> {
    match sys::signal(pidfd, number) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        sent => sent.map_err(|error| SignalError::new(pid, error)),
    }
}
