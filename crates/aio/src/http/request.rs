//! What a client asks.

use std::{
    borrow::Cow,
    fmt,
    future::{pending, poll_fn},
    net::SocketAddr,
    pin::pin,
    rc::Rc,
    str::FromStr,
    task::Poll,
};

use ::http::{Extensions, HeaderMap, Method, Version, request::Parts};
use serde::de::DeserializeOwned;

use super::{
    hang_up::HangUp,
    intake::{Context, RequestBody, Source},
    io::Wire,
    response::{IntoResponse, Response},
    router::{Leaf, Values},
    scope::{Scope, State},
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

    pub(crate) fn set_stream(&mut self, stream: Rc<HangUp>) {
        self.0.body.context.stream = Some(stream);
    }

    /// `path` only where decoding has changed it.
    pub(crate) fn set_match<T>(&mut self, path: Option<String>, leaf: &Leaf<T>, values: Values) {
        let context = &mut self.0.body.context;
        context.path = path;
        context.pattern = Some(leaf.pattern.clone());
        context.names = leaf.names.clone();
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

    /// The pattern of the route that was found, with those of the apps around it: what requests are counted by. `None` in
    /// middleware around a 404 or 405.
    pub fn pattern(&self) -> Option<&str> {
        self.0.body.context.pattern.as_deref()
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

    /// The query as a value of another type, field by field.
    ///
    /// # Errors
    ///
    /// [`ParamError`], which answers 400, when it has not the fields of `T`.
    ///
    /// ```
    /// use aio::http::{App, ParamError, Request, TestClient};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Page { number: u32, size: Option<u32> }
    ///
    /// async fn list(request: Request) -> Result<String, ParamError> {
    ///     let page: Page = request.query_as()?;
    ///     Ok(format!("page {} of {}", page.number, page.size.unwrap_or(20)))
    /// }
    ///
    /// aio::run(async {
    ///     let client = TestClient::new(App::new().get("/", list)).await?;
    ///     assert_eq!(client.get("/?number=7").send().await.text(), "page 7 of 20");
    ///     assert_eq!(client.get("/?number=x").send().await.status(), 400);
    ///     Ok::<(), std::io::Error>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn query_as<T: DeserializeOwned>(&self) -> Result<T, ParamError> {
        serde_urlencoded::from_str(self.query_string()).map_err(|error| ParamError {
            name: "query".to_owned(),
            value: self.query_string().to_owned(),
            why: error.to_string(),
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

    /// The value of this type that this request was given with [`insert`](Request::insert), or else the app, or one that
    /// it is nested in, with [`App::state`](super::App::state) or in a startup hook.
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
        let context = &self.0.body.context;
        let own = context.own.as_ref().and_then(State::get);
        own.or_else(|| context.scope.as_ref()?.find())
    }

    /// Puts a value where the handler finds it by its type, with [`state`](Request::state): what a middleware has found
    /// out about this request.
    ///
    /// ```
    /// use aio::http::{App, Next, Request, Response, StatusCode, TestClient};
    ///
    /// struct User(String);
    ///
    /// async fn log_in(mut request: Request, next: Next) -> Response {
    ///     let Some(user) = request.header("x-user").map(str::to_owned) else {
    ///         return StatusCode::UNAUTHORIZED.into();
    ///     };
    ///     request.insert(User(user));
    ///     next.run(request).await
    /// }
    ///
    /// async fn greet(request: Request) -> Option<String> {
    ///     Some(format!("hello, {}", request.state::<User>()?.0))
    /// }
    ///
    /// aio::run(async {
    ///     let client = TestClient::new(App::new().wrap(log_in).get("/", greet)).await?;
    ///     assert_eq!(client.get("/").send().await.status(), 401);
    ///     assert_eq!(client.get("/").header("x-user", "ann").send().await.text(), "hello, ann");
    ///     Ok::<(), std::io::Error>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn insert<T: 'static>(&mut self, value: T) {
        self.0
            .body
            .context
            .own
            .get_or_insert_default()
            .insert(value);
    }

    /// What tower's layers leave for those within them.
    pub fn extensions(&self) -> &Extensions {
        &self.0.head.extensions
    }

    /// What tower's layers find that are within this.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.0.head.extensions
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

    /// A future that ends when the client has hung up or, over HTTP/2, taken back this request: for a handler that would
    /// rather stop than work for nobody. It never ends without a socket, nor while the client has sent another request
    /// behind this one. Any task may await it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use aio::http::{App, Request, TestServer};
    ///
    /// // Looks once a second, as long as somebody waits.
    /// async fn changes(request: Request) -> &'static str {
    ///     loop {
    ///         if aio::wait_for(request.disconnected(), Duration::from_secs(1)).await.is_ok() {
    ///             println!("nobody waits for this any more");
    ///             return "";
    ///         }
    ///     }
    /// }
    ///
    /// aio::run(async {
    ///     let server = TestServer::start(App::new().get("/", changes)).await?;
    ///     let (reader, writer) = aio::open_connection(server.address()).await?;
    ///     writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    ///     while server.server().requests() == 0 {
    ///         aio::yield_now().await;
    ///     }
    ///     drop((reader, writer));
    ///     while server.server().requests() > 0 {
    ///         aio::yield_now().await;
    ///     }
    ///     Ok::<(), std::io::Error>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn disconnected(&self) -> impl Future<Output = ()> + use<> {
        let context = &self.0.body.context;
        let (wire, stream) = (context.wire.clone(), context.stream.clone());
        async move {
            let of_stream = async {
                match &stream {
                    Some(stream) => stream.wait().await,
                    None => pending().await,
                }
            };
            let of_wire = async {
                match &wire {
                    Some(wire) => wire.hung_up().await,
                    None => pending().await,
                }
            };
            let (mut of_stream, mut of_wire) = (pin!(of_stream), pin!(of_wire));
            poll_fn(|cx| match of_stream.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => of_wire.as_mut().poll(cx),
            })
            .await;
        }
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
