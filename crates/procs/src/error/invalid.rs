//! Options that the system cannot represent.

use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// An option of a program or a process has a value that the system cannot represent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidOption {
    /// The name of an environment variable is empty, or contains `=` or a NUL byte.
    EnvironmentName(OsString),
    /// The value of the environment variable with this name contains a NUL byte.
    EnvironmentValue(OsString),
    /// The program's name contains a NUL byte.
    Program(OsString),
    /// An argument contains a NUL byte.
    Argument(OsString),
    /// The path of the working directory contains a NUL byte.
    WorkingDirectory(PathBuf),
}

impl fmt::Display for InvalidOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EnvironmentName(name) => write!(
                f,
                "invalid name of an environment variable: {name:?} is empty, or contains '=' or a NUL byte"
            ),
            Self::EnvironmentValue(name) => write!(
                f,
                "invalid value of the environment variable {name:?}: it contains a NUL byte"
            ),
            Self::Program(name) => {
                write!(f, "invalid program name: {name:?} contains a NUL byte")
            }
            Self::Argument(argument) => {
                write!(f, "invalid argument: {argument:?} contains a NUL byte")
            }
            Self::WorkingDirectory(path) => {
                write!(f, "invalid working directory: {path:?} contains a NUL byte")
            }
        }
    }
}

impl Error for InvalidOption {}

/// Checks the name and the value of an environment variable.
pub(crate) fn check_variable(
    name: &std::ffi::OsStr,
    value: Option<&std::ffi::OsStr>,
) -> Result<(), InvalidOption> {
    let bytes = name.as_encoded_bytes();
    if bytes.is_empty() || bytes.contains(&b'=') || bytes.contains(&0) {
        return Err(InvalidOption::EnvironmentName(name.to_owned()));
    }
    match value {
        Some(value) if value.as_encoded_bytes().contains(&0) => {
            Err(InvalidOption::EnvironmentValue(name.to_owned()))
        }
        _ => Ok(()),
    }
}
