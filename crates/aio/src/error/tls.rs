//! What is wrong with certificates and keys.

use std::{error::Error, fmt, io, path::PathBuf};

/// Why a [`tls`](crate::tls) configuration could not be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// A file could not be read.
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// What was given as PEM is none.
    BadPem(String),
    /// No certificate is in what was given; also when the system has no trusted ones.
    NoCertificate,
    /// No private key is in what was given.
    NoKey,
    /// A certificate or key is of no use, or the two do not belong together.
    Refused(String),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::File { path, error } => {
                write!(f, "cannot read {}: {error}", path.display())
            }
            TlsError::BadPem(why) => write!(f, "this is no PEM: {why}"),
            TlsError::NoCertificate => f.write_str(
                "no certificate found: give PEM with a CERTIFICATE section, or install the system's (ca-certificates)",
            ),
            TlsError::NoKey => f.write_str(
                "no private key found: give PEM with a PRIVATE KEY section that is not encrypted",
            ),
            TlsError::Refused(why) => {
                write!(f, "the certificate or its key cannot be used: {why}")
            }
        }
    }
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            TlsError::File { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl From<TlsError> for io::Error {
    fn from(error: TlsError) -> Self {
        let kind = match &error {
            TlsError::File { error, .. } => error.kind(),
            _ => io::ErrorKind::InvalidInput,
        };
        io::Error::new(kind, error)
    }
}
