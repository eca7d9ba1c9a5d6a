//! What a handler answers.

use std::{fmt, time::Duration};

use ::http::{HeaderMap, HeaderValue, StatusCode, header, header::IntoHeaderName};
use bytes::Bytes;
use futures_core::Stream;
use serde::Serialize;

use super::body::{BodyWriter, BoxError, ResponseBody};
use crate::current;

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
    inner: ::http::Response<ResponseBody>,
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

    /// `value` as JSON, status 200. A value that JSON cannot express (a map whose keys are no strings) answers 500, and
    /// the loop's exception handler hears of it.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(json) => {
                let kind = HeaderValue::from_static("application/json");
                Response::with_body(StatusCode::OK, Some(kind), Bytes::from(json))
            }
            Err(error) => {
                Response::failed(format_args!("a value is not expressible as JSON: {error}"))
            }
        }
    }

    /// The answer to a fault of ours: status 500, and the loop's exception handler hears of the error, of which the
    /// client is told nothing.
    ///
    /// ```
    /// use aio::http::{App, Request, Response, TestClient};
    ///
    /// async fn motd(_: Request) -> Result<String, Response> {
    ///     std::fs::read_to_string("/no/such/file").map_err(Response::failed)
    /// }
    ///
    /// aio::run(async {
    ///     let client = TestClient::new(App::new().get("/", motd)).await?;
    ///     assert_eq!(client.get("/").send().await.text(), "500: Internal Server Error");
    ///     Ok::<(), std::io::Error>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn failed(error: impl fmt::Display) -> Self {
        if let Ok(engine) = current::engine() {
            engine.reporter.report("a request failed", None, &error);
        }
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }

    /// Sends the client to `location`, with status 302. What a header must not hold is percent-encoded; a location that
    /// comes from a user may lead anywhere, so check it first.
    pub fn redirect(location: &str) -> Self {
        Response::redirect_with(StatusCode::FOUND, location)
    }

    /// Sends the client to `location` with another status: 303 after a form, 307 and 308 to repeat the request there,
    /// 301 and 308 for good.
    pub fn redirect_with(status: StatusCode, location: &str) -> Self {
        match self::location(location) {
            Some(location) => Response::new(status).with_header(header::LOCATION, location),
            None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }

    /// What a stream gives, as `application/octet-stream`, status 200. The stream is polled as fast as the client reads,
    /// and dropped when it hangs up. An error ends the connection in the middle of the body, so that the client does
    /// not take it for whole, and is told to the loop's exception handler.
    pub fn stream<S, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        let body = ResponseBody::pieces(stream, None);
        Response::streamed("application/octet-stream", body)
    }

    /// A body that a coroutine writes while it is sent, as `application/octet-stream`, status 200. The coroutine runs as
    /// fast as the client reads, and is dropped when it hangs up. Its error is treated as in
    /// [`stream`](Response::stream).
    ///
    /// ```
    /// use aio::http::{App, Gone, Request, Response, TestClient};
    ///
    /// async fn count(_: Request) -> Response {
    ///     Response::write_with(async |body| {
    ///         for number in 1..=3 {
    ///             body.write(format!("{number}\n")).await?;
    ///         }
    ///         Ok::<(), Gone>(())
    ///     })
    /// }
    ///
    /// aio::run(async {
    ///     let client = TestClient::new(App::new().get("/", count)).await?;
    ///     assert_eq!(client.get("/").send().await.text(), "1\n2\n3\n");
    ///     Ok::<(), std::io::Error>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_with<W, E>(write: W) -> Self
    where
        W: AsyncFnOnce(BodyWriter) -> Result<(), E> + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        let body = Response::writing(write, None);
        Response::streamed("application/octet-stream", body)
    }

    pub(crate) fn writing<W, E>(write: W, keep_alive: Option<Duration>) -> ResponseBody
    where
        W: AsyncFnOnce(BodyWriter) -> Result<(), E> + 'static,
        E: Into<BoxError> + 'static,
    {
        let slot = std::rc::Rc::default();
        let writer = BodyWriter {
            slot: std::rc::Rc::clone(&slot),
        };
        ResponseBody::written(slot, async move { write(writer).await }, keep_alive)
    }

    pub(crate) fn streamed(kind: &'static str, body: ResponseBody) -> Self {
        let mut inner = ::http::Response::new(body);
        let kind = HeaderValue::from_static(kind);
        inner.headers_mut().insert(header::CONTENT_TYPE, kind);
        Response { inner }
    }

    fn with_body(status: StatusCode, kind: Option<HeaderValue>, body: Bytes) -> Self {
        let mut inner = ::http::Response::new(ResponseBody::whole(body));
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

    /// The same with a header set to this value alone: a name from [`header`], or in small letters. A value that no
    /// header can hold (a line end in it) answers 500, and the loop's exception handler hears of it.
    ///
    /// ```
    /// use aio::http::{Response, header};
    ///
    /// let response = Response::text("busy").with_header("x-queue", 7).with_header(header::RETRY_AFTER, "30");
    /// assert_eq!(response.headers()["x-queue"], "7");
    /// assert_eq!(Response::text("").with_header("x-name", "a\r\nb").status(), 500);
    /// ```
    ///
    /// # Panics
    ///
    /// When a name that is text can be no header's, or has capital letters.
    pub fn with_header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: IntoHeaderName,
        V: TryInto<HeaderValue>,
        V::Error: fmt::Display,
    {
        match value.try_into() {
            Ok(value) => {
                self.inner.headers_mut().insert(name, value);
                self
            }
            Err(error) => Response::failed(error),
        }
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

    /// The same with this content type in place of its own; text that no header can hold leaves it as it was.
    pub fn with_type(self, kind: &str) -> Self {
        match HeaderValue::from_str(kind) {
            Ok(kind) => self.with_header(header::CONTENT_TYPE, kind),
            Err(_) => self,
        }
    }

    /// The body, when it is at hand as a whole; `None` for one that is streamed.
    pub fn body(&self) -> Option<&[u8]> {
        self.inner.body().bytes().map(|bytes| &**bytes)
    }

    /// Leaves word of what follows on the connection.
    #[cfg(feature = "ws")]
    pub(crate) fn switch_to(mut self, switch: super::upgrade::Switch) -> Self {
        self.inner.body_mut().switch = Some(switch);
        self
    }

    #[cfg(feature = "compress")]
    pub(crate) fn body_size(&self) -> Option<u64> {
        use hyper::body::Body;
        self.inner.body().size_hint().exact()
    }

    /// As `tower`'s and hyper's services have it.
    pub fn into_http(self) -> ::http::Response<ResponseBody> {
        self.inner
    }

    #[cfg(any(feature = "compress", feature = "tower"))]
    pub(crate) fn from_http(inner: ::http::Response<ResponseBody>) -> Self {
        Response { inner }
    }
}

/// A target as `Location` can hold it. A backslash, too, is encoded: browsers take it for a slash, and two of these lead
/// to another site.
pub(crate) fn location(target: &str) -> Option<HeaderValue> {
    let mut safe = String::with_capacity(target.len());
    for byte in target.bytes() {
        match byte {
            b'!'..=b'~' if byte != b'\\' => safe.push(byte as char),
            other => safe.push_str(&format!("%{other:02X}")),
        }
    }
    HeaderValue::from_str(&safe).ok()
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status())
            .field("headers", self.headers())
            .field("body", self.inner.body())
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

/// `None` answers 404.
impl<R: IntoResponse> IntoResponse for Option<R> {
    fn into_response(self) -> Response {
        self.map_or_else(|| StatusCode::NOT_FOUND.into_response(), R::into_response)
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

macro_rules! becomes_a_response {
    ($($error:ty),*) => {$(
        /// So that `?` ends a handler that returns `Result<Response, Response>`.
        impl From<$error> for Response {
            fn from(error: $error) -> Self {
                error.into_response()
            }
        }
    )*};
}

becomes_a_response!(
    crate::error::BodyError,
    crate::error::ParamError,
    StatusCode
);
