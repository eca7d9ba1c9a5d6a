//! The body of a request: read as a whole, as text, JSON or a form, or piece by piece.

use std::{
    error::Error,
    fmt,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{Context as TaskContext, Poll},
};

use ::http::header;
use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};
use serde::de::DeserializeOwned;

use super::{
    body::BoxError,
    hang_up::HangUp,
    io::{TRAILERS_TOO_LARGE, Wire},
    pace::Paced,
    request::Request,
    response::{IntoResponse, Response},
    router::Values,
    scope::{Scope, State},
    site::Site,
};
use crate::error::BodyError;

/// Where a body comes from.
pub(crate) enum Source {
    Whole(Bytes),
    Incoming(Paced),
    #[cfg(feature = "tower")]
    Foreign(Pin<Box<dyn Body<Data = Bytes, Error = BoxError>>>),
}

/// What a request carries besides its head.
pub(crate) struct Context {
    pub(crate) path: Option<String>,
    pub(crate) pattern: Option<Rc<str>>,
    pub(crate) names: Rc<[Box<str>]>,
    pub(crate) values: Values,
    pub(crate) scope: Option<Rc<Scope>>,
    /// What this request alone was given.
    pub(crate) own: Option<State>,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) wire: Option<Rc<Wire>>,
    /// Over HTTP/2: whether the client has taken this request back.
    pub(crate) stream: Option<Rc<HangUp>>,
    /// What a tower service at the end of its layers goes on with.
    #[cfg(feature = "tower")]
    pub(crate) next: Option<Box<super::middleware::Next>>,
    pub(crate) id: Option<Rc<str>>,
    pub(crate) site: Rc<Site>,
    pub(crate) body_limit: usize,
}

impl Context {
    pub(crate) fn new(site: Rc<Site>) -> Self {
        thread_local! {
            // Most requests match no names; an empty list is shared.
            static NO_NAMES: Rc<[Box<str>]> = Rc::new([]);
        }
        Context {
            path: None,
            pattern: None,
            names: NO_NAMES.with(Rc::clone),
            values: Values::new(),
            scope: None,
            own: None,
            peer: None,
            wire: None,
            stream: None,
            #[cfg(feature = "tower")]
            next: None,
            id: None,
            body_limit: site.limits.body,
            site,
        }
    }
}

/// The body of a [`Request`], as tower's layers see it. It also carries what the router has found out, so a layer must
/// hand it on to reach the handler.
pub struct RequestBody {
    pub(crate) source: Source,
    pub(crate) context: Context,
}

impl Source {
    fn poll_frame(
        &mut self,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self {
            Source::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Source::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Source::Incoming(incoming) => Pin::new(incoming).poll_frame(cx),
            #[cfg(feature = "tower")]
            Source::Foreign(body) => body.as_mut().poll_frame(cx),
        }
    }

    /// The next piece that holds data; `None` at the end.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            match poll_fn(|cx| self.poll_frame(cx)).await {
                None => return Ok(None),
                Some(Err(error)) => return Err(broken(&*error)),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.source.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Whole(bytes) => bytes.is_empty(),
            Source::Incoming(incoming) => incoming.is_end_stream(),
            #[cfg(feature = "tower")]
            Source::Foreign(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Incoming(incoming) => incoming.size_hint(),
            #[cfg(feature = "tower")]
            Source::Foreign(body) => body.size_hint(),
        }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody")
            .field("size", &self.size_hint())
            .finish_non_exhaustive()
    }
}

impl Request {
    /// The next piece of the body, as it comes; `None` at its end. However large the body is, only a piece of it is
    /// held: the client waits until the next one is asked for.
    ///
    /// # Errors
    ///
    /// [`BodyError::Broken`] when the client hung up or sent nonsense, [`BodyError::TimedOut`] when it stopped sending.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        self.0.body.source.piece().await
    }

    /// How many bytes the body has, if the client said so.
    pub fn content_length(&self) -> Option<u64> {
        self.0.body.size_hint().exact()
    }

    /// Reads the whole body. The second time it is empty.
    ///
    /// # Errors
    ///
    /// [`BodyError::TooLarge`] above [`Limits::body`](super::Limits::body) or the route's own limit, and as
    /// [`chunk`](Request::chunk).
    pub async fn read(&mut self) -> Result<Bytes, BodyError> {
        let limit = self.0.body.context.body_limit;
        if self.0.body.size_hint().lower() > limit as u64 {
            return Err(BodyError::TooLarge { limit });
        }
        if self.0.body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let Some(first) = self.chunk().await? else {
            return Ok(Bytes::new());
        };
        if first.len() > limit {
            return Err(BodyError::TooLarge { limit });
        }
        let Some(second) = self.chunk().await? else {
            return Ok(first);
        };
        let expected = self.0.body.size_hint().lower() as usize;
        let mut whole = BytesMut::with_capacity((first.len() + second.len() + expected).min(limit));
        whole.extend_from_slice(&first);
        let mut next = Some(second);
        while let Some(piece) = next {
            if whole.len() + piece.len() > limit {
                return Err(BodyError::TooLarge { limit });
            }
            whole.extend_from_slice(&piece);
            next = self.chunk().await?;
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

    /// Reads the whole body as JSON.
    ///
    /// # Errors
    ///
    /// As [`read`](Request::read); [`BodyError::WrongType`] (415) when the client does not call it JSON, which keeps
    /// forms on foreign pages from posing as it; [`BodyError::BadJson`] (400), which names the line and the column.
    ///
    /// ```
    /// use aio::http::{App, BodyError, Request, TestClient};
    ///
    /// async fn sum(mut request: Request) -> Result<String, BodyError> {
    ///     let numbers: Vec<i64> = request.json().await?;
    ///     Ok(numbers.iter().sum::<i64>().to_string())
    /// }
    ///
    /// aio::run(async {
    ///     let client = TestClient::new(App::new().post("/sum", sum)).await?;
    ///     assert_eq!(client.post("/sum").json(&[1, 2, 3]).send().await.text(), "6");
    ///     let wrong = client.post("/sum").header("content-type", "application/json").body("[1,\n 2,]");
    ///     let answer = wrong.send().await;
    ///     assert_eq!(answer.status(), 400);
    ///     assert!(answer.text().contains("line 2, column 4"), "{}", answer.text());
    ///     Ok::<(), std::io::Error>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn json<T: DeserializeOwned>(&mut self) -> Result<T, BodyError> {
        self.expect_type("application/json", |essence| {
            essence.eq_ignore_ascii_case("application/json")
                || (essence.len() > 5 && essence[essence.len() - 5..].eq_ignore_ascii_case("+json"))
        })?;
        let bytes = self.read().await?;
        serde_json::from_slice(&bytes).map_err(|error| BodyError::BadJson {
            line: error.line(),
            column: error.column(),
            why: reason(&error),
        })
    }

    /// Reads the whole body as a form of `name=value` pairs.
    ///
    /// # Errors
    ///
    /// As [`read`](Request::read); [`BodyError::WrongType`] (415) when it is no such form;
    /// [`BodyError::BadForm`] (400) when its fields are not those of `T`.
    ///
    /// ```
    /// use aio::http::{App, BodyError, Request, TestClient};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Login { user: String, remember: Option<bool> }
    ///
    /// async fn login(mut request: Request) -> Result<String, BodyError> {
    ///     let login: Login = request.form().await?;
    ///     Ok(format!("{} {:?}", login.user, login.remember))
    /// }
    ///
    /// aio::run(async {
    ///     let client = TestClient::new(App::new().post("/login", login)).await?;
    ///     let answer = client.post("/login").form(&[("user", "a b"), ("remember", "true")]).send().await;
    ///     assert_eq!(answer.text(), "a b Some(true)");
    ///     assert_eq!(client.post("/login").form(&[("name", "x")]).send().await.status(), 400);
    ///     Ok::<(), std::io::Error>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn form<T: DeserializeOwned>(&mut self) -> Result<T, BodyError> {
        let form = "application/x-www-form-urlencoded";
        self.expect_type(form, |essence| essence.eq_ignore_ascii_case(form))?;
        let bytes = self.read().await?;
        serde_urlencoded::from_bytes(&bytes).map_err(|error| BodyError::BadForm(error.to_string()))
    }

    /// The media type that the client says the body has, without parameters, as it was sent.
    pub fn content_type(&self) -> Option<&str> {
        let value = self
            .0
            .head
            .headers
            .get(header::CONTENT_TYPE)?
            .to_str()
            .ok()?;
        Some(value.split(';').next().unwrap_or(value).trim())
    }

    fn expect_type(
        &self,
        expected: &'static str,
        fits: impl Fn(&str) -> bool,
    ) -> Result<(), BodyError> {
        match self.content_type() {
            Some(essence) if fits(essence) => Ok(()),
            other => Err(BodyError::WrongType {
                expected,
                got: other.unwrap_or("nothing").to_owned(),
            }),
        }
    }
}

/// What serde says, without the place, which is told apart from it.
fn reason(error: &serde_json::Error) -> String {
    let whole = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    whole.strip_suffix(&place).unwrap_or(&whole).to_owned()
}

/// What went wrong below: too slow, too large, or broken.
fn broken(error: &(dyn Error + 'static)) -> BodyError {
    let mut cause = Some(error);
    while let Some(error) = cause {
        match error.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::TimedOut) => return BodyError::TimedOut,
            Some(TRAILERS_TOO_LARGE) => return BodyError::TrailersTooLarge,
            _ => cause = error.source(),
        }
    }
    BodyError::Broken(error.to_string())
}

impl IntoResponse for BodyError {
    /// The [status](BodyError::status), with the error's text. A fault of ours (500) is told to the loop's exception
    /// handler instead, and not to the client.
    fn into_response(self) -> Response {
        if self.status().is_server_error() {
            return Response::failed(self);
        }
        Response::text(self.to_string()).with_status(self.status())
    }
}
