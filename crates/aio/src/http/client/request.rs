//! A request of ours.

use std::{fmt, io, path::Path, time::Duration};

use ::cookie::Cookie;
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use bytes::Bytes;
use futures_core::Stream;
use reqwest::Url;
use serde::Serialize;

use super::{
    exchange::Exchange,
    form_data::FormData,
    middleware::ClientNext,
    response::ClientResponse,
    session::ClientSession,
    trace::Trail,
    upload::{self, Upload},
};
use crate::{
    clock,
    error::{ClientError, ClientErrorKind},
    http::{base64::base64, body::BoxError, text::percent_decode},
};

/// A request on its way; made by [`ClientSession`].
#[must_use = "nothing is asked until it is sent"]
pub struct ClientRequest {
    pub(super) session: ClientSession,
    pub(super) method: Method,
    pub(super) url: Result<Url, ClientError>,
    pub(super) headers: HeaderMap,
    upload: Upload,
    pub(super) timeout: Option<Duration>,
    redirects: Option<usize>,
}

impl ClientRequest {
    pub(super) fn new(
        session: ClientSession,
        method: Method,
        mut url: Result<Url, ClientError>,
    ) -> Self {
        let mut headers = HeaderMap::new();
        if let Some(credentials) = url.as_mut().ok().and_then(take_credentials) {
            headers.insert(header::AUTHORIZATION, credentials);
        }
        ClientRequest {
            session,
            method,
            url,
            headers,
            upload: Upload::None,
            timeout: None,
            redirects: None,
        }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The URL, without user and password.
    pub fn url(&self) -> &str {
        self.url
            .as_ref()
            .map_or_else(ClientError::url, |url| url.as_str())
    }

    /// The headers that are set on this request, in contrast to the session's.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// A copy; `None` when the body is a stream or a file, which can be sent once.
    pub fn try_clone(&self) -> Option<Self> {
        Some(ClientRequest {
            session: self.session.clone(),
            method: self.method.clone(),
            url: self.url.clone(),
            headers: self.headers.clone(),
            upload: self.upload.try_clone()?,
            timeout: self.timeout,
            redirects: self.redirects,
        })
    }

    /// Sets a header, in place of one that was set before; what cannot be one is an error when the request is sent.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Some((name, value)) = self.checked(name, value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Adds a header, beside one of the same name that was set before.
    pub fn append_header(mut self, name: &str, value: &str) -> Self {
        if let Some((name, value)) = self.checked(name, value) {
            self.headers.append(name, value);
        }
        self
    }

    fn checked(&mut self, name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
        match (name.parse(), HeaderValue::from_str(value)) {
            (Ok(name), Ok(value)) => Some((name, value)),
            _ => {
                self.fail(&format!("{name:?} cannot be a header"));
                None
            }
        }
    }

    /// Sends a cookie with this request, beside those of the session; where a redirect leads elsewhere, it is not sent.
    pub fn cookie(self, name: &str, value: &str) -> Self {
        let pair = Cookie::new(name, value).encoded().stripped().to_string();
        let own = self.headers.get(header::COOKIE).map(HeaderValue::to_str);
        let line = match own {
            Some(Ok(own)) => format!("{own}; {pair}"),
            _ => pair,
        };
        self.header("cookie", &line)
    }

    /// Sends `Authorization: Bearer TOKEN`.
    pub fn bearer_auth(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Sends `Authorization: Basic …` with a user and a password. A URL such as `http://user:password@host/` does so, too.
    pub fn basic_auth(mut self, user: &str, password: &str) -> Self {
        self.headers
            .insert(header::AUTHORIZATION, basic(user, password));
        self
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
        self.upload = Upload::Whole(body.into());
        self
    }

    /// Sets the body to `value` as JSON.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(json) => self.kind("application/json").body(json),
            Err(error) => {
                self.fail(&format!("the body is not expressible as JSON: {error}"));
                self
            }
        }
    }

    /// Sets the body to a form of `name=value` pairs.
    pub fn form<T: Serialize + ?Sized>(mut self, fields: &T) -> Self {
        match serde_urlencoded::to_string(fields) {
            Ok(form) => self.kind("application/x-www-form-urlencoded").body(form),
            Err(error) => {
                self.fail(&format!("the form cannot be written: {error}"));
                self
            }
        }
    }

    /// Sets the body to a form that may have files.
    pub fn multipart(mut self, form: FormData) -> Self {
        let (kind, upload) = form.encode();
        self.headers.remove(header::CONTENT_TYPE);
        self.upload = upload;
        self.kind(&kind)
    }

    /// Sets the body's media type, unless it was set.
    fn kind(mut self, kind: &str) -> Self {
        if let Ok(kind) = HeaderValue::from_str(kind) {
            let entry = self.headers.entry(header::CONTENT_TYPE);
            entry.or_insert(kind);
        }
        self
    }

    /// Sends what a stream gives as the body, as fast as the server takes it. Such a request is never repeated. It goes
    /// out in chunks; a server that wants to know the length must be told it by a header `content-length`. With the feature
    /// `stream`, an [`AsyncGenerator`](crate::AsyncGenerator) is a stream.
    ///
    /// # Panics
    ///
    /// Outside of a loop: a task of the loop reads the stream.
    pub fn stream<S, E>(mut self, stream: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + 'static,
        E: Into<BoxError> + 'static,
    {
        self.upload = Upload::stream(stream, None);
        self
    }

    /// Sends a file as the body, with its length. It is opened now, and read by other threads while it is sent; such a
    /// request is never repeated.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened.
    pub async fn file(mut self, path: impl AsRef<Path>) -> io::Result<Self> {
        let (pieces, length) = upload::open(path.as_ref()).await?;
        self.upload = Upload::Once(Some((pieces, Some(length))));
        Ok(self)
    }

    /// How many redirects are followed, in place of the session's number; with 0, a redirect is itself the response.
    pub fn redirects(mut self, most: usize) -> Self {
        self.redirects = Some(most);
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
    /// [`ClientError`], which tells the URL and how far the request had come. A status of 400 or more is no error, unless
    /// the session [raises](super::SessionBuilder::raise_for_status) it; see [`ClientResponse::raise_for_status`].
    pub async fn send(self) -> Result<ClientResponse, ClientError> {
        let session = self.session.clone();
        let response = match session.shared.chain.is_empty() {
            true => self.exchange().await?,
            false => ClientNext::new(session.clone()).run(self).await?,
        };
        match session.shared.raises {
            true => response.raise_for_status(),
            false => Ok(response),
        }
    }

    /// Sends it, within all middleware.
    pub(super) async fn exchange(mut self) -> Result<ClientResponse, ClientError> {
        let url = self.url?;
        let shared = self.session.shared;
        let trail = Trail::begin(&shared, &self.method, url.as_str(), &mut self.headers);
        let total = self.timeout.unwrap_or(shared.limits.total);
        let exchange = Exchange {
            trail: trail.clone(),
            method: self.method,
            url,
            headers: self.headers,
            upload: self.upload,
            deadline: clock::now().checked_add(total),
            redirects: self.redirects.unwrap_or(shared.limits.redirects),
            has_strayed: false,
            shared,
        };
        #[cfg(feature = "tracing")]
        let answer = tracing::Instrument::instrument(exchange.run(), trail.span()).await;
        #[cfg(not(feature = "tracing"))]
        let answer = exchange.run().await;
        answer.inspect_err(|error| trail.failed(error))
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

/// The value of `Authorization` for a user and a password.
pub(super) fn basic(user: &str, password: &str) -> HeaderValue {
    let text = format!("Basic {}", base64(format!("{user}:{password}").as_bytes()));
    let mut value = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// Takes user and password out of a URL, as the value of `Authorization`.
pub(super) fn take_credentials(url: &mut Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let user = percent_decode(url.username())?.into_owned();
    let password = percent_decode(url.password().unwrap_or(""))?.into_owned();
    // It has a host, and so may have none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Some(basic(&user, &password))
}
