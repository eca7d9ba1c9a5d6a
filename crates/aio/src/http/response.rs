//! What a handler answers.

use std::fmt;

use ::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use bytes::Bytes;

use super::body::Payload;

/// A response: status, headers, body.
///
/// ```
/// use aio::http::{Response, StatusCode, header};
///
/// let made = Response::text("made").with_status(StatusCode::CREATED);
/// assert_eq!(made.status(), 201);
/// assert_eq!(made.headers()[header::CONTENT_TYPE], "text/plain; charset=utf-8");
/// ```
pub struct Response {
    inner: ::http::Response<Payload>,
}

impl Response {
    /// A response without a body.
    pub fn new(status: StatusCode) -> Self {
        Response::with_body(status, None, Bytes::new())
    }

    /// Plain text, status 200.
    pub fn text(text: impl Into<String>) -> Self {
        let kind = HeaderValue::from_static("text/plain; charset=utf-8");
        Response::with_body(StatusCode::OK, Some(kind), Bytes::from(text.into()))
    }

    /// HTML, status 200. What comes from users must go through [`escape`](super::escape) first.
    pub fn html(html: impl Into<String>) -> Self {
        let kind = HeaderValue::from_static("text/html; charset=utf-8");
        Response::with_body(StatusCode::OK, Some(kind), Bytes::from(html.into()))
    }

    /// JSON that is already text, status 200.
    pub fn json_text(json: impl Into<String>) -> Self {
        let kind = HeaderValue::from_static("application/json");
        Response::with_body(StatusCode::OK, Some(kind), Bytes::from(json.into()))
    }

    /// Bytes as `application/octet-stream`, status 200.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        let kind = HeaderValue::from_static("application/octet-stream");
        Response::with_body(StatusCode::OK, Some(kind), bytes.into())
    }

    fn with_body(status: StatusCode, kind: Option<HeaderValue>, body: Bytes) -> Self {
        let mut inner = ::http::Response::new(Payload::new(body));
        *inner.status_mut() = status;
        if let Some(kind) = kind {
            inner.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        Response { inner }
    }

    /// The same with another status.
    pub fn with_status(mut self, status: StatusCode) -> Self {
        *self.inner.status_mut() = status;
        self
    }

    /// The same with a header set to this value alone.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.inner.headers_mut().insert(name, value);
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.inner.status()
    }

    /// The headers, without those that are added when it is sent (length, date).
    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// The headers, to change them.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        self.inner.headers_mut()
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        self.inner.body().bytes()
    }

    pub(crate) fn into_inner(self) -> ::http::Response<Payload> {
        self.inner
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status())
            .field("headers", self.headers())
            .field("body_bytes", &self.body().len())
            .finish()
    }
}

/// What a handler may return.
pub trait IntoResponse {
    /// The response to send.
    fn into_response(self) -> Response;
}

impl IntoResponse for Response {
    fn into_response(self) -> Response {
        self
    }
}

impl IntoResponse for String {
    fn into_response(self) -> Response {
        Response::text(self)
    }
}

impl IntoResponse for &'static str {
    fn into_response(self) -> Response {
        Response::text(self)
    }
}

impl IntoResponse for StatusCode {
    /// A text that names the status.
    fn into_response(self) -> Response {
        let reason = self.canonical_reason().unwrap_or("");
        Response::text(format!("{}: {reason}", self.as_u16())).with_status(self)
    }
}

impl<R: IntoResponse> IntoResponse for (StatusCode, R) {
    fn into_response(self) -> Response {
        self.1.into_response().with_status(self.0)
    }
}

impl<R: IntoResponse, E: IntoResponse> IntoResponse for Result<R, E> {
    fn into_response(self) -> Response {
        match self {
            Ok(response) => response.into_response(),
            Err(error) => error.into_response(),
        }
    }
}
