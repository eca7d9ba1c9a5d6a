//! What a client asks.

use std::{borrow::Cow, fmt, net::SocketAddr, rc::Rc};

use ::http::{HeaderMap, Method, request::Parts};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use super::{
    response::{IntoResponse, Response},
    text::query_decode,
};
use crate::error::BodyError;

/// A request: method, path, headers, body, and what the route's pattern matched.
pub struct Request {
    head: Parts,
    body: Incoming,
    path: Option<String>,
    names: Rc<[Box<str>]>,
    values: Vec<String>,
    peer: SocketAddr,
    body_limit: usize,
}

impl Request {
    pub(crate) fn new(
        request: ::http::Request<Incoming>,
        peer: SocketAddr,
        body_limit: usize,
    ) -> Self {
        let (head, body) = request.into_parts();
        Request {
            head,
            body,
            path: None,
            names: Rc::new([]),
            values: Vec::new(),
            peer,
            body_limit,
        }
    }

    pub(crate) fn set_match(&mut self, path: String, names: Rc<[Box<str>]>, values: Vec<String>) {
        if path != self.head.uri.path() {
            self.path = Some(path);
        }
        self.names = names;
        self.values = values;
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.head.method
    }

    /// The path, percent-decoded, without the query.
    pub fn path(&self) -> &str {
        self.path.as_deref().unwrap_or(self.head.uri.path())
    }

    /// The path as the client sent it, without the query.
    pub fn raw_path(&self) -> &str {
        self.head.uri.path()
    }

    /// What the pattern's `{name}` stands for, percent-decoded; `None` when the pattern has no such name.
    pub fn match_info(&self, name: &str) -> Option<&str> {
        let place = self
            .names
            .iter()
            .position(|candidate| **candidate == *name)?;
        self.values.get(place).map(String::as_str)
    }

    /// All names and values that the pattern matched, in its order.
    pub fn matches(&self) -> impl Iterator<Item = (&str, &str)> {
        self.names
            .iter()
            .map(|name| &**name)
            .zip(self.values.iter().map(String::as_str))
    }

    /// What follows the `?`, as the client sent it; empty without one.
    pub fn query_string(&self) -> &str {
        self.head.uri.query().unwrap_or("")
    }

    /// The first value of a name in the query, decoded.
    pub fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        self.query_pairs()
            .find(|(candidate, _)| candidate == name)
            .map(|(_, value)| value)
    }

    /// All names and values of the query, decoded, in its order.
    pub fn query_pairs(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        self.query_string()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (query_decode(name), query_decode(value))
            })
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The first value of a header, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// The address of the client, or of the proxy before it.
    pub fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    /// Reads the whole body. The second time it is empty.
    ///
    /// # Errors
    ///
    /// [`BodyError::TooLarge`] above [`Limits::body`](super::Limits::body), [`BodyError::Broken`] when the client hung
    /// up or sent nonsense.
    pub async fn read(&mut self) -> Result<Bytes, BodyError> {
        let limit = self.body_limit;
        if self.body.size_hint().lower() > limit as u64 {
            return Err(BodyError::TooLarge { limit });
        }
        let mut whole = BytesMut::new();
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| BodyError::Broken(error.to_string()))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if whole.len() + data.len() > limit {
                return Err(BodyError::TooLarge { limit });
            }
            whole.extend_from_slice(&data);
        }
        Ok(whole.freeze())
    }

    /// Reads the whole body as text.
    ///
    /// # Errors
    ///
    /// As [`read`](Request::read), and [`BodyError::NotText`] when it is not UTF-8.
    pub async fn text(&mut self) -> Result<String, BodyError> {
        let bytes = self.read().await?;
        String::from_utf8(bytes.into()).map_err(|_| BodyError::NotText)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", self.method())
            .field("uri", &self.head.uri)
            .field("headers", self.headers())
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

impl IntoResponse for BodyError {
    /// 413 for a body that is too large, 400 for one that is broken.
    fn into_response(self) -> Response {
        Response::text(self.to_string()).with_status(self.status())
    }
}
