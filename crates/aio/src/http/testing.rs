//! Testing an app: without a socket, and with one on a free port.

use std::{
    cell::RefCell, collections::BTreeMap, fmt, future::poll_fn, io, net::SocketAddr, pin::Pin,
    rc::Rc, time::Duration,
};

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header, request::Parts};
use bytes::{Bytes, BytesMut};
use hyper::body::Body;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    app::App,
    intake::Source,
    request::Request,
    server::Server,
    site::{Handled, Site},
};

/// Calls an app without a socket, for tests: what a handler panics with, the test panics with.
///
/// Cookies that the app sets are sent back with the requests that follow. Middleware, startup hooks and limits on bodies
/// are in force; what concerns connections (timeouts, WebSockets) needs a [`TestServer`].
///
/// ```
/// use aio::http::{App, Request, TestClient};
///
/// aio::run(async {
///     let app = App::new().post("/shout", async |mut request: Request| {
///         request.text().await.map(|text| text.to_uppercase())
///     });
///     let client = TestClient::new(app).await?;
///     let answer = client.post("/shout").body("hello").send().await;
///     assert_eq!((answer.status().as_u16(), answer.text()), (200, "HELLO"));
///     Ok::<(), std::io::Error>(())
/// })??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TestClient {
    site: Rc<Site>,
    cookies: RefCell<BTreeMap<String, String>>,
}

impl TestClient {
    /// Makes the app ready: checks its routes and runs its startup hooks.
    ///
    /// # Errors
    ///
    /// As [`Server::start`].
    pub async fn new(app: App) -> io::Result<Self> {
        let site = Site::new(&app)?;
        site.start().await.map_err(io::Error::other)?;
        Ok(TestClient {
            site,
            cookies: RefCell::default(),
        })
    }

    /// A request with any method. The target is a path, with a query if need be.
    ///
    /// # Panics
    ///
    /// [`send`](TestRequest::send) panics when the target is malformed.
    pub fn request(&self, method: Method, target: &str) -> TestRequest<'_> {
        TestRequest {
            client: self,
            method,
            target: target.to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// A `GET` request.
    pub fn get(&self, target: &str) -> TestRequest<'_> {
        self.request(Method::GET, target)
    }

    /// A `POST` request.
    pub fn post(&self, target: &str) -> TestRequest<'_> {
        self.request(Method::POST, target)
    }

    /// A `PUT` request.
    pub fn put(&self, target: &str) -> TestRequest<'_> {
        self.request(Method::PUT, target)
    }

    /// A `PATCH` request.
    pub fn patch(&self, target: &str) -> TestRequest<'_> {
        self.request(Method::PATCH, target)
    }

    /// A `DELETE` request.
    pub fn delete(&self, target: &str) -> TestRequest<'_> {
        self.request(Method::DELETE, target)
    }

    /// Forgets the cookies that the app has set: as another client.
    pub fn forget_cookies(&self) {
        self.cookies.take();
    }

    /// Runs the app's clean-ups.
    pub async fn close(self) {
        self.site.cleanups.run().await;
    }

    fn keep_cookies(&self, headers: &HeaderMap) {
        let mut jar = self.cookies.borrow_mut();
        for value in headers.get_all(header::SET_COOKIE) {
            let Some(cookie) = value
                .to_str()
                .ok()
                .and_then(|text| cookie::Cookie::parse(text).ok())
            else {
                continue;
            };
            if cookie.max_age().is_some_and(|age| age.is_zero()) {
                jar.remove(cookie.name());
            } else {
                jar.insert(cookie.name().to_owned(), cookie.value().to_owned());
            }
        }
    }

    fn cookie_header(&self) -> Option<HeaderValue> {
        let jar = self.cookies.borrow();
        let pairs: Vec<String> = jar
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        (!pairs.is_empty()).then(|| HeaderValue::from_str(&pairs.join("; ")).ok())?
    }
}

impl fmt::Debug for TestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestClient")
            .field("cookies", &self.cookies)
            .finish_non_exhaustive()
    }
}

/// A request on its way to an app under test; made by [`TestClient`].
#[must_use = "nothing is asked until it is sent"]
#[derive(Debug)]
pub struct TestRequest<'a> {
    client: &'a TestClient,
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Bytes,
}

impl TestRequest<'_> {
    /// Adds a header.
    ///
    /// # Panics
    ///
    /// When name or value cannot be a header's.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a header's name");
        let value = HeaderValue::from_str(value).expect("a header's value");
        self.headers.append(name, value);
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the body to `value` as JSON.
    ///
    /// # Panics
    ///
    /// When JSON cannot express it.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Self {
        let json = serde_json::to_vec(value).expect("the value is expressible as JSON");
        self.header("content-type", "application/json").body(json)
    }

    /// Sets the body to a form of `name=value` pairs.
    ///
    /// # Panics
    ///
    /// When `fields` are no such pairs.
    pub fn form<T: Serialize + ?Sized>(self, fields: &T) -> Self {
        let form = serde_urlencoded::to_string(fields).expect("the fields are pairs");
        self.header("content-type", "application/x-www-form-urlencoded")
            .body(form)
    }

    /// Calls the app, and gives its response, read to the end.
    ///
    /// # Panics
    ///
    /// When the target is malformed, when the handler panics, and when the response's body fails.
    pub async fn send(mut self) -> TestResponse {
        if let Some(cookies) = self.client.cookie_header() {
            self.headers.append(header::COOKIE, cookies);
        }
        let is_head = self.method == Method::HEAD;
        let request = Request::new(
            self.head(),
            Source::Whole(self.body),
            self.client.site.clone(),
        );
        let response = match self.client.site.handle(request) {
            Handled::Later(handling, _) => handling.await,
            Handled::Now(response) => *response,
        };
        self.client.keep_cookies(response.headers());
        let (head, body) = response.into_http().into_parts();
        let body = if is_head {
            Bytes::new()
        } else {
            collect(body).await
        };
        TestResponse {
            status: head.status,
            headers: head.headers,
            body,
        }
    }

    fn head(&mut self) -> Parts {
        let target: Uri = self
            .target
            .parse()
            .expect("a path, with a query if need be");
        let mut head = ::http::Request::new(()).into_parts().0;
        head.method = self.method.clone();
        head.uri = target;
        head.headers = std::mem::take(&mut self.headers);
        head
    }
}

async fn collect(body: super::body::ResponseBody) -> Bytes {
    let mut body = std::pin::pin!(body);
    let mut whole = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.unwrap_or_else(|error| panic!("the response's body failed: {error}"));
        if let Ok(data) = frame.into_data() {
            whole.extend_from_slice(&data);
        }
    }
    whole.freeze()
}

/// What an app under test has answered.
#[derive(Debug)]
pub struct TestResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl TestResponse {
    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The first value of a header, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body as text.
    ///
    /// # Panics
    ///
    /// When it is not UTF-8.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// When it is not JSON, or not that of a `T`.
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }
}

/// An app served on a free port of 127.0.0.1, for tests with a real client.
///
/// ```
/// use aio::http::{App, Request, TestServer};
///
/// aio::run(async {
///     let server = TestServer::start(App::new().get("/", async |_: Request| "hello")).await?;
///     let (mut reader, writer) = aio::open_connection(server.address()).await?;
///     writer.write(b"GET / HTTP/1.0\r\n\r\n");
///     assert!(reader.read_to_end().await?.ends_with(b"hello"));
///     server.close().await;
///     Ok::<(), std::io::Error>(())
/// })??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TestServer {
    server: Server,
}

impl TestServer {
    /// Serves `app`.
    ///
    /// # Errors
    ///
    /// As [`Server::bind`].
    pub async fn start(app: App) -> io::Result<Self> {
        let server = Server::bind(app, "127.0.0.1:0").await?;
        Ok(TestServer { server })
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// The URL of a path on it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// The server itself.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Closes it; handlers at work have 5 s to finish.
    pub async fn close(self) {
        self.server.close(Duration::from_secs(5)).await;
    }
}
