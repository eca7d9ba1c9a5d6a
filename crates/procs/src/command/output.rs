//! The output and the exit status of a program.

use std::fmt;

use crate::process::status::ExitStatus;

/// The output and the exit status of a program that has ended.
#[derive(Clone, PartialEq, Eq)]
#[must_use = "a program that fails is no error: look at the status, or call check()"]
#[doc(alias = "CompletedProcess")]
pub struct Output {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

impl Output {
    /// Returns how the program ended.
    pub fn status(&self) -> ExitStatus {
        self.status
    }

    /// Returns the bytes of its standard output.
    pub fn stdout(&self) -> &[u8] {
        &self.stdout
    }

    /// Returns the bytes of its standard error.
    pub fn stderr(&self) -> &[u8] {
        &self.stderr
    }

    /// Returns its standard output as text. Bytes that are not UTF-8 become U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Returns the lines of its standard output as text, without their `\n` or `\r\n`.
    pub fn lines(&self) -> Vec<String> {
        self.text().lines().map(str::to_owned).collect()
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("status", &self.status)
            .field("stdout", &String::from_utf8_lossy(&self.stdout))
            .field("stderr", &String::from_utf8_lossy(&self.stderr))
            .finish()
    }
}
