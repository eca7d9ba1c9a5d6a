//! What a client asks.

use std::{borrow::Cow, fmt, future::poll_fn, net::SocketAddr, rc::Rc, str::FromStr};

use ::http::{HeaderMap, Method, Version, request::Parts};

use super::{
    intake::{Context, RequestBody, Source},
    io::Wire,
    response::{IntoResponse, Response},
    router::Values,
    scope::Scope,
    site::Site,
    text::query_decode,
};
use crate::error::ParamError;

/// A request: method, path, headers, body, and what the route's pattern matched.
///
/// It is a pointer: on its way through middleware to the handler it is moved many times.
pub struct Request(pub(super) Box<Message>);

/// A request's parts.
pub(super) struct Message {
    pub(super) head: Parts,
    pub(super) body: RequestBody,
}

impl Request {
    pub(crate) fn new(head: Parts, source: Source, site: Rc<Site>) -> Self {
        let context = Context::new(site);
        let body = RequestBody { source, context };
        Request(Box::new(Message { head, body }))
    }

    pub(crate) fn set_wire(&mut self, wire: Rc<Wire>, peer: Option<SocketAddr>) {
        self.0.body.context.wire = Some(wire);
        self.0.body.context.peer = peer;
    }

    /// `path` only where decoding has changed it.
    pub(crate) fn set_match(
        &mut self,
        path: Option<String>,
        names: Rc<[Box<str>]>,
        values: Values,
    ) {
        let context = &mut self.0.body.context;
        context.path = path;
        context.names = names;
        context.values = values;
    }

    pub(crate) fn set_scope(&mut self, scope: Rc<Scope>, body_limit: Option<usize>) {
        self.0.body.context.scope = Some(scope);
        if let Some(limit) = body_limit {
            self.0.body.context.body_limit = limit;
        }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.0.head.method
    }

    /// The path, percent-decoded, without the query.
    pub fn path(&self) -> &str {
        let decoded = self.0.body.context.path.as_deref();
        decoded.unwrap_or(self.0.head.uri.path())
    }

    /// The path as the client sent it, without the query.
    pub fn raw_path(&self) -> &str {
        self.0.head.uri.path()
    }

    /// The version of HTTP that is spoken.
    pub fn version(&self) -> Version {
        self.0.head.version
    }

    /// The host that the client asked, with its port if it named one: from the request's target, else from `Host`.
    pub fn host(&self) -> Option<&str> {
        let authority = self.0.head.uri.authority();
        authority.map_or_else(|| self.header("host"), |authority| Some(authority.as_str()))
    }

    /// What the pattern's `{name}` stands for, percent-decoded; `None` when the pattern has no such name.
    pub fn match_info(&self, name: &str) -> Option<&str> {
        let context = &self.0.body.context;
        let place = context
            .names
            .iter()
            .position(|candidate| **candidate == *name)?;
        let value = context.values.get(place)?;
        Some(value.text(self.raw_path()))
    }

    /// What the pattern's `{name}` stands for, as a value of another type.
    ///
    /// # Errors
    ///
    /// [`ParamError`], which answers 400, when it is no such value, or when the pattern has no such name.
    ///
    /// ```
    /// use aio::http::{App, ParamError, Request, TestClient};
    ///
    /// async fn double(request: Request) -> Result<String, ParamError> {
    ///     let number: u32 = request.param("number")?;
    ///     Ok((2 * number).to_string())
    /// }
    ///
    /// aio::run(async {
    ///     let client = TestClient::new(App::new().get("/double/{number}", double)).await?;
    ///     assert_eq!(client.get("/double/21").send().await.text(), "42");
    ///     assert_eq!(client.get("/double/x").send().await.status(), 400);
    ///     Ok::<(), std::io::Error>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn param<T>(&self, name: &str) -> Result<T, ParamError>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        let value = self.match_info(name);
        let wrong = |why: String| ParamError {
            name: name.to_owned(),
            value: value.unwrap_or_default().to_owned(),
            why,
        };
        value
            .ok_or_else(|| wrong("the pattern has no such name".to_owned()))?
            .parse()
            .map_err(|error: T::Err| wrong(error.to_string()))
    }

    /// All names and values that the pattern matched, in its order.
    pub fn matches(&self) -> impl Iterator<Item = (&str, &str)> {
        let context = &self.0.body.context;
        let names = context.names.iter().map(|name| &**name);
        let values = context.values.iter();
        names.zip(values.map(|value| value.text(self.raw_path())))
    }

    /// What follows the `?`, as the client sent it; empty without one.
    pub fn query_string(&self) -> &str {
        self.0.head.uri.query().unwrap_or("")
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
        &self.0.head.headers
    }

    /// The first value of a header, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.head.headers.get(name)?.to_str().ok()
    }

    /// The address of the client, or of the proxy before it. None over a Unix socket, and in tests without a socket.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.0.body.context.peer
    }

    /// The value of this type that the app, or one that it is nested in, was given with
    /// [`App::state`](super::App::state) or in a startup hook.
    ///
    /// ```
    /// use std::cell::Cell;
    /// use aio::http::{App, Request, TestClient};
    ///
    /// async fn count(request: Request) -> String {
    ///     let hits = request.state::<Cell<u32>>().expect("the app has it");
    ///     hits.set(hits.get() + 1);
    ///     hits.get().to_string()
    /// }
    ///
    /// aio::run(async {
    ///     let client = TestClient::new(App::new().state(Cell::new(0u32)).get("/", count)).await?;
    ///     client.get("/").send().await;
    ///     assert_eq!(client.get("/").send().await.text(), "2");
    ///     Ok::<(), std::io::Error>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn state<T: 'static>(&self) -> Option<Rc<T>> {
        self.0.body.context.scope.as_ref()?.find()
    }

    /// This request's id; empty unless the app has [`request_ids`](super::App::request_ids).
    pub fn id(&self) -> &str {
        self.0.body.context.id.as_deref().unwrap_or("")
    }

    pub(crate) fn set_id(&mut self, id: Rc<str>) {
        self.0.body.context.id = Some(id);
    }

    /// The id of the last event that a client of server-sent events has seen, when it connects again.
    pub fn last_event_id(&self) -> Option<&str> {
        self.header("last-event-id")
    }

    /// A future that ends when the client has hung up, for a handler that would rather stop than work for nobody. It
    /// never ends over HTTP/2, over TLS, or without a socket.
    ///
    /// ```no_run
    /// use aio::http::Request;
    ///
    /// async fn search(request: Request) -> String {
    ///     let gone = request.disconnected();
    ///     aio::create_task(async move {
    ///         gone.await;
    ///         println!("nobody waits for this any more");
    ///     });
    ///     "found".to_owned()
    /// }
    /// ```
    pub fn disconnected(&self) -> impl Future<Output = ()> + use<> {
        let wire = self.0.body.context.wire.clone();
        poll_fn(move |cx| match &wire {
            Some(wire) => wire.poll_hung_up(cx),
            None => std::task::Poll::Pending,
        })
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", self.method())
            .field("uri", &self.0.head.uri)
            .field("headers", self.headers())
            .field("peer", &self.peer_addr())
            .finish_non_exhaustive()
    }
}

impl IntoResponse for ParamError {
    fn into_response(self) -> Response {
        Response::text(self.to_string()).with_status(::http::StatusCode::BAD_REQUEST)
    }
}
