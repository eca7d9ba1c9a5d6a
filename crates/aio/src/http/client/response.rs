//! A server's response.

use std::fmt;

use ::http::{HeaderMap, StatusCode, Version};
use bytes::{Bytes, BytesMut};
use serde::de::DeserializeOwned;

use super::session::Permit;
use crate::error::{ClientError, ClientErrorKind, ClientPhase};

/// A response whose head has come; its body is read whole or piece by piece. Dropping it breaks the transfer off.
pub struct ClientResponse {
    inner: reqwest::Response,
    received: u64,
    most: u64,
    /// Held until the body has been read.
    _permit: Option<Permit>,
}

impl ClientResponse {
    pub(super) fn new(inner: reqwest::Response, permit: Option<Permit>, most: u64) -> Self {
        ClientResponse {
            inner,
            received: 0,
            most,
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

    /// The body's length in bytes, if it is known beforehand: for showing progress.
    pub fn content_length(&self) -> Option<u64> {
        self.inner.content_length()
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
    /// [`ClientErrorKind::TimedOut`], and [`ClientErrorKind::Broken`] when the body ends too early or is malformed.
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
        let next = self.inner.chunk().await.map_err(|error| {
            ClientError::from_reqwest(error, self.inner.url().as_str(), ClientPhase::Body)
        })?;
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

    /// Reads the whole body as text. What is not UTF-8 is replaced by U+FFFD.
    ///
    /// # Errors
    ///
    /// As [`chunk`](ClientResponse::chunk).
    pub async fn text(self) -> Result<String, ClientError> {
        let bytes = self.bytes().await?;
        Ok(match String::from_utf8(bytes.into()) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
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

impl fmt::Debug for ClientResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientResponse")
            .field("status", &self.status())
            .field("url", &self.url())
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}
