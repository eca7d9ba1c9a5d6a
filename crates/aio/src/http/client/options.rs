//! How a session is made.

use std::{
    cell::Cell,
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    rc::Rc,
};

use ::http::{HeaderMap, HeaderName, HeaderValue, header};
use reqwest::{Certificate, ClientBuilder, Identity, Proxy, Url, redirect::Policy};

use super::{
    connector::TellTrail,
    cookie_jar::CookieJar,
    limits::ClientLimits,
    middleware::{ClientNext, Middleware, middleware},
    request::{ClientRequest, basic, take_credentials},
    response::ClientResponse,
    session::{ClientSession, Places, Shared},
    trace::{Hook, TraceEvent, TracedRequest},
};
use crate::error::{ClientError, ClientErrorKind};

/// Makes a [`ClientSession`]; begun with [`ClientSession::builder`].
#[must_use = "a session is made by build"]
pub struct SessionBuilder {
    base: Option<String>,
    headers: HeaderMap,
    limits: ClientLimits,
    jar: Option<CookieJar>,
    hooks: Vec<Hook>,
    chain: Vec<Middleware>,
    raises: bool,
    decompresses: bool,
    proxy: ProxyChoice,
    unix_socket: Option<PathBuf>,
    addresses: Vec<(String, SocketAddr)>,
    roots: Vec<Vec<u8>>,
    identity: Option<Vec<u8>>,
    trusts_anyone: bool,
    http2_only: bool,
    failure: Option<ClientError>,
}

enum ProxyChoice {
    /// `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`.
    Environment,
    None,
    Url(String),
}

impl SessionBuilder {
    pub(super) fn new() -> Self {
        SessionBuilder {
            base: None,
            headers: HeaderMap::from_iter([(header::USER_AGENT, AGENT)]),
            limits: ClientLimits::default(),
            jar: Some(CookieJar::new()),
            hooks: Vec::new(),
            chain: Vec::new(),
            raises: false,
            decompresses: true,
            proxy: ProxyChoice::Environment,
            unix_socket: None,
            addresses: Vec::new(),
            roots: Vec::new(),
            identity: None,
            trusts_anyone: false,
            http2_only: false,
            failure: None,
        }
    }

    /// What paths are joined to: with `"http://localhost:8000/api/"`, a request of `"users"` goes to
    /// `http://localhost:8000/api/users`.
    pub fn base_url(mut self, url: &str) -> Self {
        self.base = Some(url.to_owned());
        self
    }

    /// A header that every request carries, unless it sets its own. With a base URL, `Authorization` and `Cookie` go to
    /// that URL's origin only.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            (Ok(name), Ok(value)) => {
                self.headers.insert(name, value);
            }
            _ => {
                let kind = ClientErrorKind::BadRequest(format!("{name:?} cannot be a header"));
                self.failure.get_or_insert(ClientError::new(kind, ""));
            }
        }
        self
    }

    /// `Authorization: Basic …` for every request; see [`header`](SessionBuilder::header) for where it goes.
    pub fn basic_auth(mut self, user: &str, password: &str) -> Self {
        self.headers
            .insert(header::AUTHORIZATION, basic(user, password));
        self
    }

    /// Other limits.
    pub fn limits(mut self, limits: ClientLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether cookies are kept and sent back. They are, by default.
    pub fn cookies(mut self, keep: bool) -> Self {
        self.jar = keep.then(CookieJar::new);
        self
    }

    /// Keeps cookies in this jar, which other sessions may use, too.
    pub fn cookie_jar(mut self, jar: &CookieJar) -> Self {
        self.jar = Some(jar.clone());
        self
    }

    /// Whether a status of 400 or more is an error of [`send`](super::ClientRequest::send). It is not, by default.
    pub fn raise_for_status(mut self, raise: bool) -> Self {
        self.raises = raise;
        self
    }

    /// Whether bodies are asked for compressed, and decompressed. They are, by default.
    pub fn decompress(mut self, decompress: bool) -> Self {
        self.decompresses = decompress;
        self
    }

    /// Tells `hook` what happens to each request, as it happens. It is called on the loop's thread and should be quick.
    /// Several hooks are called in their order. WebSockets' handshakes are told of, too.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// use aio::http::{App, ClientSession, Request, TestServer, TraceEvent};
    ///
    /// aio::run(async {
    ///     let server = TestServer::start(App::new().get("/", async |_: Request| "hi")).await?;
    ///     let connections = Rc::new(Cell::new(0));
    ///     let count = connections.clone();
    ///     let session = ClientSession::builder().trace(move |request, event| match event {
    ///         TraceEvent::Connected => count.set(count.get() + 1),
    ///         TraceEvent::Ended { received } => {
    ///             println!("{} {}: {received} bytes, {:?}", request.method(), request.url(), request.elapsed());
    ///         }
    ///         TraceEvent::Failed { error } => println!("{error}"),
    ///         _ => {}
    ///     });
    ///     let session = session.build()?;
    ///     for _ in 0..3 {
    ///         session.get(&server.url("/")).send().await?.text().await?;
    ///     }
    ///     assert_eq!(connections.get(), 1, "two requests went over the first one's connection");
    ///     Ok::<(), Box<dyn std::error::Error>>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn trace(mut self, hook: impl Fn(&TracedRequest, &mut TraceEvent<'_>) + 'static) -> Self {
        self.hooks.push(Rc::new(hook));
        self
    }

    /// Sends everything through this proxy. By default the environment decides: `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`.
    pub fn proxy(mut self, url: &str) -> Self {
        self.proxy = ProxyChoice::Url(url.to_owned());
        self
    }

    /// Uses no proxy, whatever the environment says.
    pub fn no_proxy(mut self) -> Self {
        self.proxy = ProxyChoice::None;
        self
    }

    /// Runs `middleware` around every request: it may change what is sent, send again, or look at what came. The first
    /// that was added is the outermost. Redirects and repeats happen within it; WebSockets pass it by. One that holds a
    /// clone of the session keeps it for ever. An example is at [`ClientNext`].
    pub fn wrap<M>(mut self, middleware: M) -> Self
    where
        M: AsyncFn(ClientRequest, ClientNext) -> Result<ClientResponse, ClientError> + 'static,
    {
        self.chain.push(self::middleware(middleware));
        self
    }

    /// Connects to this Unix socket, whatever host a URL names. No proxy is used.
    pub fn unix_socket(mut self, path: impl AsRef<Path>) -> Self {
        self.unix_socket = Some(path.as_ref().to_owned());
        self
    }

    /// Connects to this address for a host, in place of asking the system where it is. A port of 0 is the URL's.
    pub fn resolve(mut self, host: &str, address: SocketAddr) -> Self {
        self.addresses.push((host.to_owned(), address));
        self
    }

    /// Shows servers this certificate, in PEM, followed by its key.
    pub fn client_certificate(mut self, pem: &[u8]) -> Self {
        self.identity = Some(pem.to_owned());
        self
    }

    /// Whether anybody may pose as any server: for tests alone. Off by default.
    pub fn danger_accept_invalid_certs(mut self, accept: bool) -> Self {
        self.trusts_anyone = accept;
        self
    }

    /// Trusts this certificate authority, too, in PEM.
    pub fn root_certificate(mut self, pem: &[u8]) -> Self {
        self.roots.push(pem.to_owned());
        self
    }

    /// Speaks HTTP/2 without asking the server first.
    pub fn http2_only(mut self) -> Self {
        self.http2_only = true;
        self
    }

    /// The session.
    ///
    /// # Errors
    ///
    /// [`ClientErrorKind::BadRequest`] when the base URL, a header, the proxy or a certificate is malformed.
    pub fn build(self) -> Result<ClientSession, ClientError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let base = self.base.as_deref().map(Url::parse).transpose();
        let mut base = base.map_err(|error| bad(&format!("the base URL is malformed: {error}")))?;
        let mut headers = self.headers.clone();
        if let Some(credentials) = base.as_mut().and_then(take_credentials) {
            headers.insert(header::AUTHORIZATION, credentials);
        }
        let shared = Shared {
            client: self.client(false)?,
            #[cfg(feature = "ws")]
            upgrading: self.client(true)?,
            base,
            headers,
            jar: self.jar,
            raises: self.raises,
            hooks: self.hooks.into(),
            chain: self.chain,
            places: Places::new(&self.limits),
            limits: self.limits,
            last_id: Cell::new(0),
        };
        Ok(ClientSession {
            shared: Rc::new(shared),
        })
    }

    /// Time, redirects, cookies and headers are this crate's own.
    fn client(&self, for_websockets: bool) -> Result<reqwest::Client, ClientError> {
        // TLS with ring, unless the program has chosen otherwise before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let limits = &self.limits;
        let mut builder = reqwest::Client::builder()
            .connect_timeout(limits.connect)
            .connector_layer(TellTrail)
            .pool_idle_timeout(limits.idle)
            .pool_max_idle_per_host(limits.per_host)
            .http1_max_headers(limits.headers)
            .http2_max_header_list_size(HEADER_LIST)
            .referer(false)
            .redirect(Policy::none());
        if for_websockets {
            builder = builder.http1_only();
        } else if self.http2_only {
            builder = builder.http2_prior_knowledge();
        }
        if !self.decompresses {
            builder = builder.no_gzip().no_brotli().no_zstd();
        }
        builder = self.tls(self.route(builder)?)?;
        builder.build().map_err(|error| bad(&error.to_string()))
    }

    /// Where connections go.
    fn route(&self, mut builder: ClientBuilder) -> Result<ClientBuilder, ClientError> {
        builder = match &self.proxy {
            ProxyChoice::Environment => builder,
            ProxyChoice::None => builder.no_proxy(),
            ProxyChoice::Url(url) => {
                let proxy = Proxy::all(url)
                    .map_err(|error| bad(&format!("the proxy is malformed: {error}")))?;
                builder.proxy(proxy)
            }
        };
        if let Some(path) = &self.unix_socket {
            builder = builder.no_proxy().unix_socket(path.clone());
        }
        for (host, address) in &self.addresses {
            builder = builder.resolve(host, *address);
        }
        Ok(builder)
    }

    /// Whom is trusted, and who we are.
    fn tls(&self, mut builder: ClientBuilder) -> Result<ClientBuilder, ClientError> {
        for root in &self.roots {
            let root = Certificate::from_pem(root)
                .map_err(|error| bad(&format!("the certificate is malformed: {error}")))?;
            builder = builder.tls_certs_merge([root]);
        }
        if let Some(pem) = &self.identity {
            let identity = Identity::from_pem(pem)
                .map_err(|error| bad(&format!("the client's certificate is malformed: {error}")))?;
            builder = builder.identity(identity);
        }
        Ok(builder.tls_danger_accept_invalid_certs(self.trusts_anyone))
    }
}

/// What servers are told that we are.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("aio/", env!("CARGO_PKG_VERSION")));

/// The most bytes of a response's headers in HTTP/2.
const HEADER_LIST: u32 = 64 * 1024;

fn bad(why: &str) -> ClientError {
    ClientError::new(ClientErrorKind::BadRequest(why.to_owned()), "")
}

impl fmt::Debug for SessionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionBuilder")
            .field("base", &self.base)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
