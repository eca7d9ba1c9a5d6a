//! What a stream could not give.

use std::{error::Error, fmt, io};

/// Why a [`StreamReader`](crate::StreamReader) could not give what was asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The stream ended first. The bytes that had come are here; the reader no longer holds them.
    Incomplete {
        /// What came before the end.
        partial: Vec<u8>,
        /// How many bytes were asked for; `None` when a separator was.
        expected: Option<usize>,
    },
    /// No separator within the reader's limit. The bytes stay in the reader: read them, or raise the limit.
    LimitOverrun {
        /// How many bytes are held without a separator among them.
        held: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The connection failed.
    Io(io::Error),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Incomplete {
                partial,
                expected: Some(expected),
            } => {
                write!(
                    f,
                    "the stream ended after {} of {expected} bytes: the peer closed early",
                    partial.len()
                )
            }
            ReadError::Incomplete {
                partial,
                expected: None,
            } => {
                write!(
                    f,
                    "the stream ended after {} bytes without the separator: the peer closed early",
                    partial.len()
                )
            }
            ReadError::LimitOverrun { held, limit } => write!(
                f,
                "no separator in {held} bytes, the limit is {limit}: read them with read(n), or raise it with set_limit"
            ),
            ReadError::Io(error) => write!(f, "the connection failed: {error}"),
        }
    }
}

impl Error for ReadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ReadError::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        ReadError::Io(error)
    }
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => error,
            ReadError::Incomplete { .. } => io::Error::new(io::ErrorKind::UnexpectedEof, error),
            ReadError::LimitOverrun { .. } => io::Error::new(io::ErrorKind::InvalidData, error),
        }
    }
}
