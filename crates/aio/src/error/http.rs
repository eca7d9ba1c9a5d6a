//! What is wrong with a route or with a request's body.

use std::{error::Error, fmt, io};

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
    /// It was to be text and is not UTF-8.
    NotText,
}

impl BodyError {
    /// The status to answer with.
    pub fn status(&self) -> StatusCode {
        match self {
            BodyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::Broken(_) | BodyError::NotText => StatusCode::BAD_REQUEST,
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
            BodyError::NotText => f.write_str("the body is not UTF-8 text: read it as bytes"),
        }
    }
}

impl Error for BodyError {}
