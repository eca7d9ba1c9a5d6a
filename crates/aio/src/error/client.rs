//! What may go wrong with a request of ours.

use std::{error::Error, fmt, io, sync::Arc};

use http::StatusCode;

/// How far a request had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientPhase {
    /// It waited for others to end, as there are limits to how many are under way at once.
    Pool,
    /// It was connecting.
    Connect,
    /// It waited for the response's head.
    Head,
    /// It was reading the response's body.
    Body,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientErrorKind {
    /// The request cannot be: a malformed URL, header or body.
    BadRequest(String),
    /// No connection could be made: no such host, nobody listens, TLS failed.
    Connect,
    /// A limit of time was reached.
    TimedOut(ClientPhase),
    /// More redirects than [`ClientLimits::redirects`](crate::http::ClientLimits::redirects).
    TooManyRedirects,
    /// A redirect that must not be followed, such as one from https to http.
    RefusedRedirect,
    /// The body is larger than [`ClientLimits::body`](crate::http::ClientLimits::body), decompressed.
    BodyTooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The status is 400 or more; only where that was asked for.
    Status(StatusCode),
    /// The body is not the JSON that was expected.
    BadJson(String),
    /// The server does not agree to a WebSocket.
    Handshake(String),
    /// The system gives no random bytes, which a WebSocket needs.
    NoRandomness(String),
    /// The head of the response is larger than 400 KiB, or has more lines than
    /// [`ClientLimits::headers`](crate::http::ClientLimits::headers).
    HeadTooLarge,
    /// What the server sent cannot be read: it is no HTTP, or not compressed as it says.
    Malformed(ClientPhase),
    /// The connection broke.
    Broken(ClientPhase),
}

/// A URL without user, password, query and fragment, as it may be logged.
pub(crate) fn bare_url(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or("");
    let Some((scheme, rest)) = bare.split_once("://") else {
        return bare.to_owned();
    };
    let (host, path) = rest
        .find('/')
        .map_or((rest, ""), |slash| rest.split_at(slash));
    let host = host.rsplit('@').next().unwrap_or(host);
    format!("{scheme}://{host}{path}")
}

/// A request that failed: what went wrong, with which URL, and why.
#[derive(Debug, Clone)]
pub struct ClientError {
    kind: ClientErrorKind,
    url: String,
    source: Option<Arc<reqwest::Error>>,
}

impl ClientError {
    /// `url` loses its user, password and query: errors end up in logs.
    pub(crate) fn new(kind: ClientErrorKind, url: &str) -> Self {
        ClientError {
            kind,
            url: bare_url(url),
            source: None,
        }
    }

    pub(crate) fn from_reqwest(error: reqwest::Error, url: &str, phase: ClientPhase) -> Self {
        let kind = match () {
            () if error.is_timeout() && error.is_connect() => {
                ClientErrorKind::TimedOut(ClientPhase::Connect)
            }
            () if error.is_timeout() || has_timed_out(&error) => ClientErrorKind::TimedOut(phase),
            () if error.is_connect() => ClientErrorKind::Connect,
            () if error.is_builder() => ClientErrorKind::BadRequest(error.to_string()),
            () if of_hyper(&error, hyper::Error::is_parse_too_large) => {
                ClientErrorKind::HeadTooLarge
            }
            () if is_malformed(&error) => ClientErrorKind::Malformed(phase),
            () => ClientErrorKind::Broken(phase),
        };
        let mut made = ClientError::new(kind, url);
        made.source = Some(Arc::new(error.without_url()));
        made
    }

    /// What went wrong.
    pub fn kind(&self) -> &ClientErrorKind {
        &self.kind
    }

    /// The URL that was asked, without user, password and query.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether a limit of time was reached.
    pub fn is_timeout(&self) -> bool {
        matches!(self.kind, ClientErrorKind::TimedOut(_))
    }

    /// Whether no connection could be made.
    pub fn is_connect(&self) -> bool {
        matches!(
            self.kind,
            ClientErrorKind::Connect | ClientErrorKind::TimedOut(ClientPhase::Connect)
        )
    }

    /// The status, when that is what went wrong.
    pub fn status(&self) -> Option<StatusCode> {
        match self.kind {
            ClientErrorKind::Status(status) => Some(status),
            _ => None,
        }
    }

    /// Nothing has been answered, so that a request may be repeated that may be at all.
    pub(crate) fn is_before_answer(&self) -> bool {
        matches!(
            self.kind,
            ClientErrorKind::Connect | ClientErrorKind::Broken(ClientPhase::Head)
        )
    }
}

fn chain(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    fn cause<'a>(error: &&'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
        (*error).source()
    }
    std::iter::successors(error.source(), cause)
}

fn has_timed_out(error: &reqwest::Error) -> bool {
    chain(error)
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::TimedOut)
}

fn of_hyper(error: &reqwest::Error, is_so: fn(&hyper::Error) -> bool) -> bool {
    chain(error)
        .filter_map(|error| error.downcast_ref::<hyper::Error>())
        .any(is_so)
}

/// Whether what came cannot be read, in contrast to what did not come: compression that stops short is broken off.
fn is_malformed(error: &reqwest::Error) -> bool {
    let is_of_http = of_hyper(error, |_| true);
    let mut kinds = chain(error)
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .map(io::Error::kind);
    let is_wrong = kinds.any(|kind| match kind {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => true,
        // What the decoders of brotli and zstd say.
        io::ErrorKind::Other => error.is_decode() && !is_of_http,
        _ => false,
    });
    is_wrong || of_hyper(error, hyper::Error::is_parse)
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = &self.url;
        match &self.kind {
            ClientErrorKind::BadRequest(why) => write!(f, "cannot ask {url:?}: {why}")?,
            ClientErrorKind::Connect => {
                write!(f, "cannot connect to {url}; is a server listening there?")?
            }
            ClientErrorKind::TimedOut(ClientPhase::Pool) => write!(
                f,
                "{url} was not asked in time: too many requests are under way"
            )?,
            ClientErrorKind::TimedOut(ClientPhase::Connect) => {
                write!(f, "cannot connect to {url} in time")?
            }
            ClientErrorKind::TimedOut(ClientPhase::Head) => {
                write!(f, "{url} did not answer in time")?
            }
            ClientErrorKind::TimedOut(ClientPhase::Body) => {
                write!(f, "{url} did not send its body in time")?
            }
            ClientErrorKind::TooManyRedirects => write!(f, "{url} leads to too many redirects")?,
            ClientErrorKind::RefusedRedirect => write!(f, "{url} redirects to where it must not")?,
            ClientErrorKind::BodyTooLarge { limit } => write!(
                f,
                "{url} sends more than {limit} bytes: raise ClientLimits::body if that is right"
            )?,
            ClientErrorKind::Status(status) => write!(f, "{url} answered {status}")?,
            ClientErrorKind::BadJson(why) => {
                write!(f, "{url} did not answer with the JSON expected: {why}")?
            }
            ClientErrorKind::Handshake(why) => write!(f, "{url} made no WebSocket: {why}")?,
            ClientErrorKind::NoRandomness(why) => write!(
                f,
                "no WebSocket to {url} without the system's random bytes: {why}"
            )?,
            ClientErrorKind::HeadTooLarge => write!(f, "{url} sends too many headers")?,
            ClientErrorKind::Malformed(ClientPhase::Body) => {
                write!(f, "{url} sends a body that cannot be read")?
            }
            ClientErrorKind::Malformed(_) => write!(f, "{url} does not answer as HTTP has it")?,
            ClientErrorKind::Broken(phase) => {
                let where_ = if *phase == ClientPhase::Body {
                    "within its body"
                } else {
                    "before its answer"
                };
                write!(f, "the connection to {url} broke {where_}: try again")?
            }
        }
        match &self.source {
            Some(source) => {
                let root = chain(source).last().map(ToString::to_string);
                write!(f, " ({})", root.unwrap_or_else(|| source.to_string()))
            }
            None => Ok(()),
        }
    }
}

impl Error for ClientError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|error| error as _)
    }
}
