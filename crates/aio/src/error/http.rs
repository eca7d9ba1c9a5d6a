//! What is wrong with a route or with a request's body.

use std::{error::Error, fmt, io, path::PathBuf};

use http::StatusCode;

/// Why a route could not be added to an [`App`](crate::http::App).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteError {
    /// The pattern is malformed.
    BadPattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        why: String,
    },
    /// The method has a handler at this pattern already.
    Duplicate {
        /// The method.
        method: String,
        /// The pattern.
        pattern: String,
    },
    /// Another pattern matches the same paths under other names.
    Conflict {
        /// The pattern.
        pattern: String,
        /// The one that was there before.
        other: String,
    },
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RouteError::BadPattern { pattern, why } => {
                write!(f, "the route {pattern:?} is malformed: {why}")
            }
            RouteError::Duplicate { method, pattern } => {
                write!(
                    f,
                    "{method} {pattern} has a handler already: remove one of the two"
                )
            }
            RouteError::Conflict { pattern, other } => {
                write!(
                    f,
                    "{pattern} matches the same paths as {other}: give their parts the same names"
                )
            }
        }
    }
}

impl Error for RouteError {}

impl From<RouteError> for io::Error {
    fn from(error: RouteError) -> Self {
        io::Error::new(io::ErrorKind::InvalidInput, error)
    }
}

/// Why a request's body could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// It is larger than [`Limits::body`](crate::http::Limits::body) allows.
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The client hung up, or sent what is no body.
    Broken(String),
    /// What comes after its last chunk is longer than the limits of a request's head allow.
    TrailersTooLarge,
    /// The client stopped sending it, or sends it too slowly.
    TimedOut,
    /// It was to be text and is not UTF-8.
    NotText,
    /// The client says that it is something else than what is expected.
    WrongType {
        /// The media type that was expected.
        expected: &'static str,
        /// What the client said.
        got: String,
    },
    /// It is not the JSON that was expected.
    BadJson {
        /// The line of the fault, from 1.
        line: usize,
        /// The column of the fault, from 1; 0 for an end that comes too early.
        column: usize,
        /// What is wrong there.
        why: String,
    },
    /// It is not the form that was expected.
    BadForm(String),
    /// It has more parts than [`Limits::parts`](crate::http::Limits::parts) allows.
    TooManyParts,
    /// A file of it could not be written.
    NotStored {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
}

impl BodyError {
    /// The status to answer with.
    pub fn status(&self) -> StatusCode {
        match self {
            BodyError::TooLarge { .. } | BodyError::TooManyParts => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::TrailersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            BodyError::TimedOut => StatusCode::REQUEST_TIMEOUT,
            BodyError::WrongType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            BodyError::NotStored { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            BodyError::Broken(_)
            | BodyError::NotText
            | BodyError::BadJson { .. }
            | BodyError::BadForm(_) => StatusCode::BAD_REQUEST,
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BodyError::TooLarge { limit } => {
                write!(
                    f,
                    "the body is larger than {limit} bytes: send less, or raise Limits::body"
                )
            }
            BodyError::Broken(why) => write!(f, "the body is incomplete: {why}"),
            BodyError::TrailersTooLarge => {
                f.write_str("the body's trailers are too large: send fewer, or shorter ones")
            }
            BodyError::TimedOut => f.write_str("the body did not come in time: send it faster"),
            BodyError::WrongType { expected, got } => {
                write!(
                    f,
                    "the body is called {got}: send {expected}, and say so in content-type"
                )
            }
            BodyError::BadJson { line, column, why } => {
                write!(
                    f,
                    "the JSON is wrong at line {line}, column {column}: {why}"
                )
            }
            BodyError::BadForm(why) => write!(f, "the form is wrong: {why}"),
            BodyError::TooManyParts => f.write_str("the form has too many parts: send fewer"),
            BodyError::NotStored { path, why } => {
                write!(f, "cannot write {}: {why}", path.display())
            }
            BodyError::NotText => f.write_str("the body is not UTF-8 text: read it as bytes"),
        }
    }
}

impl Error for BodyError {}

/// A part of a path that is not of the type that a handler wants; see
/// [`Request::param`](crate::http::Request::param).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamError {
    /// The name in the pattern.
    pub name: String,
    /// What it stood for.
    pub value: String,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for ParamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ParamError { name, value, why } = self;
        write!(f, "{value:?} is no {name}: {why}")
    }
}

impl Error for ParamError {}

/// What is no proxy, nor a network of proxies; see [`TrustedProxies`](crate::http::TrustedProxies).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyError {
    /// What was written.
    pub text: String,
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.text;
        write!(
            f,
            "{text:?} is no proxy: write an address, a network such as 10.0.0.0/8, or unix"
        )
    }
}

impl Error for ProxyError {}

/// A response has ended, so nothing more can be written to it: the client hung up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the response has ended: stop writing to it")
    }
}

impl Error for Gone {}
