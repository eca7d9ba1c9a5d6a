//! How a session is made.

use std::{fmt, time::Duration};

use ::http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Proxy, Url, redirect::Policy};

use super::session::ClientSession;
use crate::error::{ClientError, ClientErrorKind};

/// What a request of ours may use up. All are on by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientLimits {
    /// A whole request, from the wait for a free connection to the last byte of the body: 300 s.
    pub total: Duration,
    /// Finding the address, connecting, and TLS: 10 s.
    pub connect: Duration,
    /// How long a server may send nothing: 60 s.
    pub read: Duration,
    /// Requests at once: 100. More wait.
    pub connections: usize,
    /// Requests at once to one host and port: 32. More wait.
    pub per_host: usize,
    /// How long an idle connection is kept for the next request: 15 s, less than servers keep theirs.
    pub idle: Duration,
    /// Redirects that are followed: 10.
    pub redirects: usize,
    /// Header lines of a response: 100.
    pub headers: usize,
    /// The bytes of a response's body, decompressed: 100 MiB.
    pub body: u64,
    /// How often a request that may be repeated (GET, HEAD, PUT, DELETE, OPTIONS) is repeated when the connection breaks
    /// before any answer: once.
    pub retries: u32,
}

impl Default for ClientLimits {
    fn default() -> Self {
        ClientLimits {
            total: Duration::from_secs(300),
            connect: Duration::from_secs(10),
            read: Duration::from_secs(60),
            connections: 100,
            per_host: 32,
            idle: Duration::from_secs(15),
            redirects: 10,
            headers: 100,
            body: 100 * 1024 * 1024,
            retries: 1,
        }
    }
}

/// Makes a [`ClientSession`]; begun with [`ClientSession::builder`].
#[must_use = "a session is made by build"]
pub struct SessionBuilder {
    pub(super) base: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) limits: ClientLimits,
    cookies: bool,
    proxy: ProxyChoice,
    roots: Vec<Vec<u8>>,
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
            headers: HeaderMap::new(),
            limits: ClientLimits::default(),
            cookies: true,
            proxy: ProxyChoice::Environment,
            roots: Vec::new(),
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

    /// A header that every request carries, unless it sets its own.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            (Ok(name), Ok(value)) => {
                self.headers.append(name, value);
            }
            _ => {
                let kind = ClientErrorKind::BadRequest(format!("{name:?} cannot be a header"));
                self.failure.get_or_insert(ClientError::new(kind, ""));
            }
        }
        self
    }

    /// Other limits.
    pub fn limits(mut self, limits: ClientLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether cookies are kept and sent back. They are, by default.
    pub fn cookies(mut self, keep: bool) -> Self {
        self.cookies = keep;
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
        let base = base.map_err(|error| bad(&format!("the base URL is malformed: {error}")))?;
        let client = self.client(false)?;
        #[cfg(feature = "ws")]
        let upgrading = self.client(true)?;
        Ok(ClientSession::with(
            client,
            #[cfg(feature = "ws")]
            upgrading,
            base,
            self.limits,
        ))
    }

    fn client(&self, for_websockets: bool) -> Result<reqwest::Client, ClientError> {
        // TLS with ring, unless the program has chosen otherwise before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let limits = &self.limits;
        let mut builder = reqwest::Client::builder()
            .default_headers(self.headers.clone())
            .connect_timeout(limits.connect)
            .pool_idle_timeout(limits.idle)
            .pool_max_idle_per_host(limits.per_host)
            .http1_max_headers(limits.headers)
            .http2_max_header_list_size(HEADER_LIST)
            .cookie_store(self.cookies)
            .referer(false)
            .redirect(policy(if for_websockets { 0 } else { limits.redirects }));
        builder = match for_websockets {
            true => builder.http1_only(),
            false => builder.timeout(limits.total).read_timeout(limits.read),
        };
        if self.http2_only && !for_websockets {
            builder = builder.http2_prior_knowledge();
        }
        builder = match &self.proxy {
            ProxyChoice::Environment => builder,
            ProxyChoice::None => builder.no_proxy(),
            ProxyChoice::Url(url) => {
                let proxy = Proxy::all(url)
                    .map_err(|error| bad(&format!("the proxy is malformed: {error}")))?;
                builder.proxy(proxy)
            }
        };
        for root in &self.roots {
            let root = Certificate::from_pem(root)
                .map_err(|error| bad(&format!("the certificate is malformed: {error}")))?;
            builder = builder.tls_certs_merge([root]);
        }
        builder.build().map_err(|error| bad(&error.to_string()))
    }
}

/// The most bytes of a response's headers in HTTP/2.
const HEADER_LIST: u32 = 64 * 1024;

fn bad(why: &str) -> ClientError {
    ClientError::new(ClientErrorKind::BadRequest(why.to_owned()), "")
}

/// Why a redirect is not followed.
#[derive(Debug)]
pub(super) enum Refused {
    TooMany,
    Downgrade,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::TooMany => "too many redirects",
            Refused::Downgrade => "a redirect from https to http",
        })
    }
}

impl std::error::Error for Refused {}

/// Follows at most `most` redirects, and none from https to http; one to another scheme is given as the response that it
/// is. reqwest takes credentials off when the host changes.
fn policy(most: usize) -> Policy {
    if most == 0 {
        return Policy::none();
    }
    Policy::custom(move |attempt| {
        let was_safe = attempt
            .previous()
            .last()
            .is_some_and(|url| url.scheme() == "https");
        if attempt.previous().len() > most {
            attempt.error(Refused::TooMany)
        } else if was_safe && attempt.url().scheme() != "https" {
            attempt.error(Refused::Downgrade)
        } else {
            attempt.follow()
        }
    })
}

impl fmt::Debug for SessionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionBuilder")
            .field("base", &self.base)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
