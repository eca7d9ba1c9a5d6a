//! A request of ours.

use std::{fmt, time::Duration};

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use bytes::Bytes;
use futures_core::Stream;
use reqwest::Url;
use serde::Serialize;

use super::{response::ClientResponse, session::ClientSession};
use crate::{
    combine::wait_for,
    error::{ClientError, ClientErrorKind, ClientPhase},
    sleep::sleep,
};

/// The pause before a request is repeated; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// A request on its way; made by [`ClientSession`].
#[must_use = "nothing is asked until it is sent"]
pub struct ClientRequest {
    session: ClientSession,
    method: Method,
    url: Result<Url, ClientError>,
    headers: HeaderMap,
    body: Body,
    timeout: Option<Duration>,
}

enum Body {
    None,
    Whole(Bytes),
    /// It can be sent once.
    Stream(reqwest::Body),
}

impl ClientRequest {
    pub(super) fn new(
        session: ClientSession,
        method: Method,
        url: Result<Url, ClientError>,
    ) -> Self {
        ClientRequest {
            session,
            method,
            url,
            headers: HeaderMap::new(),
            body: Body::None,
            timeout: None,
        }
    }

    /// Sets a header; what cannot be one is an error when the request is sent.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            (Ok(name), Ok(value)) => {
                self.headers.append(name, value);
            }
            _ => self.fail(&format!("{name:?} cannot be a header")),
        }
        self
    }

    /// Sends `Authorization: Bearer TOKEN`.
    pub fn bearer_auth(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Adds `name=value` pairs to the URL's query.
    pub fn query<T: Serialize + ?Sized>(mut self, pairs: &T) -> Self {
        match (serde_urlencoded::to_string(pairs), &mut self.url) {
            (Ok(more), Ok(url)) => {
                let query = match url.query() {
                    Some(query) if !query.is_empty() => format!("{query}&{more}"),
                    _ => more,
                };
                url.set_query(Some(&query));
            }
            (Err(error), _) => self.fail(&format!("the query cannot be written: {error}")),
            (Ok(_), Err(_)) => {}
        }
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Body::Whole(body.into());
        self
    }

    /// Sets the body to `value` as JSON.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(json) => {
                self.headers.insert(
                    header::CONTENT_TYPE,
                    HeaderValue::from_static("application/json"),
                );
                self.body(json)
            }
            Err(error) => {
                self.fail(&format!("the body is not expressible as JSON: {error}"));
                self
            }
        }
    }

    /// Sets the body to a form of `name=value` pairs.
    pub fn form<T: Serialize + ?Sized>(mut self, fields: &T) -> Self {
        match serde_urlencoded::to_string(fields) {
            Ok(form) => {
                let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
                self.headers.insert(header::CONTENT_TYPE, kind);
                self.body(form)
            }
            Err(error) => {
                self.fail(&format!("the form cannot be written: {error}"));
                self
            }
        }
    }

    /// Sends what a stream gives as the body, as fast as the server takes it. Such a request is never repeated.
    pub fn stream<S, E>(mut self, stream: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        self.body = Body::Stream(reqwest::Body::wrap_stream(Pieces(Box::pin(stream))));
        self
    }

    /// The time for the whole request, in place of the session's.
    pub fn timeout(mut self, total: Duration) -> Self {
        self.timeout = Some(total);
        self
    }

    fn fail(&mut self, why: &str) {
        if let Ok(url) = &self.url {
            let kind = ClientErrorKind::BadRequest(why.to_owned());
            self.url = Err(ClientError::new(kind, url.as_str()));
        }
    }

    /// Sends the request, follows redirects, and gives the response as soon as its head has come. Dropped before its
    /// end, the request is broken off.
    ///
    /// # Errors
    ///
    /// [`ClientError`], which tells the URL and how far the request had come. A status of 400 or more is no error; see
    /// [`ClientResponse::raise_for_status`].
    pub async fn send(mut self) -> Result<ClientResponse, ClientError> {
        let url = self.url.clone()?;
        let shared = self.session.shared.clone();
        let total = self.timeout.unwrap_or(shared.limits.total);
        let deadline = crate::clock::now().checked_add(total);
        let failed = |kind| ClientError::new(kind, url.as_str());
        let permit = wait_for(shared.permit(&url), total).await;
        let permit = permit.map_err(|_| failed(ClientErrorKind::TimedOut(ClientPhase::Pool)))?;
        let mut repeats = match self.method.is_idempotent() && !matches!(self.body, Body::Stream(_))
        {
            true => shared.limits.retries,
            false => 0,
        };
        let mut pause = FIRST_PAUSE;
        loop {
            let left = deadline.map_or(total, |deadline| {
                deadline.saturating_duration_since(crate::clock::now())
            });
            let sent = self.build(&url, left).send().await;
            let error = match sent {
                Ok(response) => {
                    return Ok(ClientResponse::new(response, permit, shared.limits.body));
                }
                Err(error) => ClientError::from_reqwest(error, url.as_str(), ClientPhase::Head),
            };
            if repeats == 0 || !error.is_before_answer() {
                return Err(error);
            }
            repeats -= 1;
            sleep(pause).await;
            pause *= 2;
        }
    }

    fn build(&mut self, url: &Url, timeout: Duration) -> reqwest::RequestBuilder {
        let client = &self.session.shared.client;
        let request = client
            .request(self.method.clone(), url.clone())
            .headers(self.headers.clone())
            .timeout(timeout);
        match &mut self.body {
            Body::None => request,
            Body::Whole(bytes) => request.body(bytes.clone()),
            Body::Stream(_) => match std::mem::replace(&mut self.body, Body::None) {
                Body::Stream(body) => request.body(body),
                _ => request,
            },
        }
    }
}

impl fmt::Debug for ClientRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRequest")
            .field("method", &self.method)
            .field("url", &self.url.as_ref().map(Url::as_str))
            .finish_non_exhaustive()
    }
}

/// A stream that reqwest can take apart.
struct Pieces<S>(std::pin::Pin<Box<S>>);

impl<S, E> Stream for Pieces<S>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Item = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx).map_err(Into::into)
    }
}
