//! A session: connections, cookies and limits that requests share.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    fmt,
    rc::Rc,
    sync::Arc,
};

use ::http::{HeaderMap, Method};
use reqwest::Url;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    cookie_jar::CookieJar, limits::ClientLimits, middleware::Middleware, options::SessionBuilder,
    redirect, request::ClientRequest, trace::Hook,
};
use crate::error::{ClientError, ClientErrorKind};

/// Idle hosts are forgotten when more than this are known.
const KNOWN_HOSTS: usize = 1024;

/// An HTTP client: requests share connections, cookies, default headers and limits. Clones are the same session.
///
/// Every limit is on by default; see [`ClientLimits`]. Responses are decompressed (gzip, brotli, zstd). Redirects are
/// followed, but not from https to http, and credentials stay with their origin. TLS checks certificates against the
/// system's authorities.
///
/// ```
/// use aio::http::{App, ClientSession, Request, TestServer};
///
/// aio::run(async {
///     let app = App::new().get("/hello/{name}", async |request: Request| {
///         format!("hello, {}!", request.match_info("name").unwrap_or("?"))
///     });
///     let server = TestServer::start(app).await?;
///     let session = ClientSession::builder().base_url(&server.url("/")).build()?;
///     let response = session.get("hello/world").send().await?.raise_for_status()?;
///     assert_eq!(response.text().await?, "hello, world!");
///     Ok::<(), Box<dyn std::error::Error>>(())
/// })??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ClientSession {
    pub(super) shared: Rc<Shared>,
}

pub(super) struct Shared {
    pub(super) client: reqwest::Client,
    #[cfg(feature = "ws")]
    pub(super) upgrading: reqwest::Client,
    pub(super) base: Option<Url>,
    pub(super) headers: HeaderMap,
    pub(super) jar: Option<CookieJar>,
    pub(super) raises: bool,
    pub(super) hooks: Rc<[Hook]>,
    pub(super) chain: Vec<Middleware>,
    pub(super) limits: ClientLimits,
    pub(super) places: Places,
    pub(super) last_id: Cell<u64>,
}

/// How many requests may be under way.
pub(super) struct Places {
    all: Arc<Semaphore>,
    per_host: usize,
    hosts: RefCell<HashMap<String, Arc<Semaphore>>>,
}

/// The right to have a request under way.
pub(super) struct Permit {
    _of_all: Option<OwnedSemaphorePermit>,
    _of_host: Option<OwnedSemaphorePermit>,
}

impl ClientSession {
    /// A session with every default.
    ///
    /// # Errors
    ///
    /// When the system's proxy settings or certificates cannot be read.
    pub fn new() -> Result<Self, ClientError> {
        ClientSession::builder().build()
    }

    /// A session with a base URL, default headers, other limits.
    pub fn builder() -> SessionBuilder {
        SessionBuilder::new()
    }

    /// A `GET` request. The URL may be relative to the session's base.
    pub fn get(&self, url: &str) -> ClientRequest {
        self.request(Method::GET, url)
    }

    /// A `HEAD` request.
    pub fn head(&self, url: &str) -> ClientRequest {
        self.request(Method::HEAD, url)
    }

    /// A `POST` request.
    pub fn post(&self, url: &str) -> ClientRequest {
        self.request(Method::POST, url)
    }

    /// A `PUT` request.
    pub fn put(&self, url: &str) -> ClientRequest {
        self.request(Method::PUT, url)
    }

    /// A `PATCH` request.
    pub fn patch(&self, url: &str) -> ClientRequest {
        self.request(Method::PATCH, url)
    }

    /// A `DELETE` request.
    pub fn delete(&self, url: &str) -> ClientRequest {
        self.request(Method::DELETE, url)
    }

    /// An `OPTIONS` request.
    pub fn options(&self, url: &str) -> ClientRequest {
        self.request(Method::OPTIONS, url)
    }

    /// The session's cookies; `None` when it keeps none.
    pub fn cookies(&self) -> Option<&CookieJar> {
        self.shared.jar.as_ref()
    }

    /// A request with any method. A malformed URL is an error when it is [sent](ClientRequest::send).
    pub fn request(&self, method: Method, url: &str) -> ClientRequest {
        ClientRequest::new(self.clone(), method, self.shared.resolve(url))
    }
}

impl Shared {
    pub(super) fn resolve(&self, url: &str) -> Result<Url, ClientError> {
        let parsed = match &self.base {
            Some(base) => base.join(url),
            None => Url::parse(url),
        };
        parsed.map_err(|error| {
            let why = format!(
                "the URL is malformed: {error}; write it whole, or give the session a base URL"
            );
            ClientError::new(ClientErrorKind::BadRequest(why), url)
        })
    }

    /// A number for the next request that is watched.
    pub(super) fn next_id(&self) -> u64 {
        self.last_id.set(self.last_id.get() + 1);
        self.last_id.get()
    }

    /// Adds the session's headers and cookies to what a request sets itself. Credentials are for the base URL's origin,
    /// if there is a base URL, and never for where a redirect leads.
    pub(super) fn complete(&self, url: &Url, has_strayed: bool, headers: &mut HeaderMap) {
        let is_home = self
            .base
            .as_ref()
            .is_none_or(|base| redirect::same_origin(base, url));
        for (name, value) in &self.headers {
            let is_allowed = !redirect::is_private(name) || (is_home && !has_strayed);
            if is_allowed && !headers.contains_key(name) {
                headers.insert(name, value.clone());
            }
        }
        if let Some(jar) = &self.jar {
            jar.add_to(url, headers);
        }
    }

    pub(super) fn keep_cookies(&self, url: &Url, headers: &HeaderMap) {
        if let Some(jar) = &self.jar {
            jar.take(url, headers);
        }
    }

    /// The right to send a request, if there is no need to wait for it.
    pub(super) fn permit_now(&self, url: &Url) -> Option<Permit> {
        let of_host = self.places.host(url).try_acquire_owned().ok()?;
        let of_all = self.places.all.clone().try_acquire_owned().ok()?;
        Some(Permit {
            _of_all: Some(of_all),
            _of_host: Some(of_host),
        })
    }

    /// Waits until one more request may be under way. The host's place is waited for first, so that a slow host holds
    /// up no other.
    pub(super) async fn permit(&self, url: &Url) -> Permit {
        let of_host = self.places.host(url).acquire_owned().await;
        let of_all = self.places.all.clone().acquire_owned().await;
        Permit {
            _of_all: of_all.ok(),
            _of_host: of_host.ok(),
        }
    }
}

impl Places {
    pub(super) fn new(limits: &ClientLimits) -> Self {
        Places {
            all: Arc::new(Semaphore::new(possible(limits.connections))),
            per_host: possible(limits.per_host),
            hosts: RefCell::default(),
        }
    }

    fn host(&self, url: &Url) -> Arc<Semaphore> {
        let host = url.authority();
        let mut hosts = self.hosts.borrow_mut();
        if let Some(known) = hosts.get(host) {
            return known.clone();
        }
        let most = self.per_host;
        if hosts.len() > KNOWN_HOSTS {
            hosts.retain(|_, host| Arc::strong_count(host) > 1 || host.available_permits() < most);
        }
        let new = Arc::new(Semaphore::new(most));
        hosts.insert(host.to_owned(), new.clone());
        new
    }
}

fn possible(most: usize) -> usize {
    most.clamp(1, Semaphore::MAX_PERMITS)
}

impl fmt::Debug for ClientSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSession")
            .field("base", &self.shared.base.as_ref().map(Url::as_str))
            .field("limits", &self.shared.limits)
            .finish_non_exhaustive()
    }
}
