//! A server's response.

use std::{fmt, net::SocketAddr, rc::Rc, time::Duration, time::Instant};

use ::http::{HeaderMap, StatusCode, Version};
use bytes::{Bytes, BytesMut};
use encoding_rs::{Encoding, UTF_8};
use serde::de::DeserializeOwned;

use super::{
    session::{Permit, Shared},
    trace::Trail,
};
use crate::{
    clock,
    combine::wait_for,
    error::{ClientError, ClientErrorKind, ClientPhase},
};

/// A response whose head has come; its body is read whole or piece by piece. Dropping it breaks the transfer off.
pub struct ClientResponse {
    inner: reqwest::Response,
    received: u64,
    most: u64,
    /// How long the server may send nothing.
    patience: Duration,
    deadline: Option<Instant>,
    trail: Rc<Trail>,
    /// Held until the body has been read.
    _permit: Permit,
}

impl ClientResponse {
    pub(super) fn new(
        inner: reqwest::Response,
        permit: Permit,
        shared: &Shared,
        trail: Rc<Trail>,
        deadline: Option<Instant>,
    ) -> Self {
        ClientResponse {
            inner,
            received: 0,
            most: shared.limits.body,
            patience: shared.limits.read,
            deadline,
            trail,
            _permit: permit,
        }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.inner.status()
    }

    /// The version of HTTP that was spoken.
    pub fn version(&self) -> Version {
        self.inner.version()
    }

    /// The headers. Of a body that was decompressed, length and coding are gone.
    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// The first value of a header, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.inner.headers().get(name)?.to_str().ok()
    }

    /// The URL that answered, after all redirects.
    pub fn url(&self) -> &str {
        self.inner.url().as_str()
    }

    /// The media type without its parameters, as it was sent.
    pub fn content_type(&self) -> Option<&str> {
        let kind = self.header("content-type")?;
        Some(kind.split(';').next().unwrap_or(kind).trim())
    }

    /// Where the answer came from: the server's address, or the proxy's. None for a Unix socket.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.inner.remote_addr()
    }

    /// The body's length in bytes, if it is known beforehand: for showing progress. It is not when the body comes in
    /// chunks or is decompressed. After a `HEAD` it is the length that a `GET` would bring.
    pub fn content_length(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }

    /// How many bytes of the body have been read.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The response itself, unless its status is 400 or more.
    ///
    /// # Errors
    ///
    /// [`ClientErrorKind::Status`].
    pub fn raise_for_status(self) -> Result<Self, ClientError> {
        let status = self.status();
        match status.is_client_error() || status.is_server_error() {
            true => Err(ClientError::new(
                ClientErrorKind::Status(status),
                self.url(),
            )),
            false => Ok(self),
        }
    }

    /// The next piece of the body, decompressed; `None` at its end. The server is slowed down to the reader.
    ///
    /// # Errors
    ///
    /// [`ClientErrorKind::BodyTooLarge`] above [`ClientLimits::body`](super::ClientLimits::body),
    /// [`ClientErrorKind::TimedOut`], [`ClientErrorKind::Broken`] when the body ends too early, and
    /// [`ClientErrorKind::Malformed`] when its chunks or its compression are.
    ///
    /// ```no_run
    /// use std::io::Write;
    /// use aio::http::ClientSession;
    ///
    /// async fn download(url: &str, mut to: impl Write) -> Result<u64, Box<dyn std::error::Error>> {
    ///     let mut response = ClientSession::new()?.get(url).send().await?.raise_for_status()?;
    ///     while let Some(piece) = response.chunk().await? {
    ///         to.write_all(&piece)?;
    ///         println!("{} of {:?} bytes", response.received(), response.content_length());
    ///     }
    ///     Ok(response.received())
    /// }
    /// ```
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ClientError> {
        let next = self.next().await;
        match &next {
            Ok(Some(piece)) => self.trail.received(piece.len()),
            Ok(None) => self.trail.ended(),
            Err(error) => self.trail.failed(error),
        }
        next
    }

    async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        let left = self.deadline.map_or(Duration::MAX, |deadline| {
            deadline.saturating_duration_since(clock::now())
        });
        let next = wait_for(self.inner.chunk(), left.min(self.patience)).await;
        let Ok(next) = next else {
            let kind = ClientErrorKind::TimedOut(ClientPhase::Body);
            return Err(ClientError::new(kind, self.url()));
        };
        let next =
            next.map_err(|error| ClientError::from_reqwest(error, self.url(), ClientPhase::Body))?;
        let Some(piece) = next else { return Ok(None) };
        self.received += piece.len() as u64;
        if self.received > self.most {
            let kind = ClientErrorKind::BodyTooLarge { limit: self.most };
            return Err(ClientError::new(kind, self.url()));
        }
        Ok(Some(piece))
    }

    /// Reads the whole body.
    ///
    /// # Errors
    ///
    /// As [`chunk`](ClientResponse::chunk).
    pub async fn bytes(mut self) -> Result<Bytes, ClientError> {
        let Some(first) = self.chunk().await? else {
            return Ok(Bytes::new());
        };
        let Some(second) = self.chunk().await? else {
            return Ok(first);
        };
        let mut whole = BytesMut::from(&first[..]);
        whole.extend_from_slice(&second);
        while let Some(piece) = self.chunk().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// Reads the whole body as text, in the encoding that `Content-Type` names; else it is UTF-8. What cannot be decoded
    /// is replaced by U+FFFD.
    ///
    /// # Errors
    ///
    /// As [`chunk`](ClientResponse::chunk).
    pub async fn text(self) -> Result<String, ClientError> {
        let charset = self.charset();
        let is_named = |name: &&str| !name.eq_ignore_ascii_case("utf-8");
        let encoding = charset.filter(is_named).and_then(encoding);
        let bytes = self.bytes().await?;
        match encoding {
            Some(encoding) if encoding != UTF_8 => Ok(encoding.decode(&bytes).0.into_owned()),
            _ => Ok(match String::from_utf8(bytes.into()) {
                Ok(text) => text,
                Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
            }),
        }
    }

    fn charset(&self) -> Option<&str> {
        let mut parameters = self.header("content-type")?.split(';').skip(1);
        let charset = parameters.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("charset").then_some(value)
        })?;
        Some(charset.trim().trim_matches('"'))
    }

    /// Reads the whole body as JSON.
    ///
    /// # Errors
    ///
    /// As [`chunk`](ClientResponse::chunk), and [`ClientErrorKind::BadJson`], which names the place.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, ClientError> {
        let url = self.url().to_owned();
        let bytes = self.bytes().await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| ClientError::new(ClientErrorKind::BadJson(error.to_string()), &url))
    }
}

/// The encoding of this name: one of the Web's, or Python's, where `latin1` is `latin-1` and `latin_1`, too.
fn encoding(name: &str) -> Option<&'static Encoding> {
    let bare = || name.replace(['-', '_'], "");
    Encoding::for_label(name.as_bytes()).or_else(|| Encoding::for_label(bare().as_bytes()))
}

impl fmt::Debug for ClientResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientResponse")
            .field("status", &self.status())
            .field("url", &self.url())
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}
