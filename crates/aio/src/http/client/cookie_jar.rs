//! The cookies of a session.

use std::{cell::RefCell, fmt, rc::Rc};

use ::cookie::Cookie;
use ::http::{HeaderMap, HeaderValue, header};
use cookie_store::CookieStore;
use reqwest::Url;

/// The longest cookie that is kept, in bytes: as in browsers.
const LONGEST: usize = 4096;
/// The most cookies of one domain: as in browsers.
const PER_DOMAIN: usize = 180;

/// The cookies of a session, kept in memory; clones are the same jar, which several sessions may share.
///
/// A server sets cookies for itself or for a domain above it, but for none of a single label such as `com`. There is no
/// list of public suffixes: `co.uk` counts as a domain. A cookie of more than 4 KiB, and one more than 180 of a domain,
/// are not kept.
///
/// ```
/// use aio::http::{App, ClientSession, Cookie, CookieJar, Request, TestServer};
///
/// aio::run(async {
///     let app = App::new().get("/", async |request: Request| request.cookie("user").unwrap_or_default());
///     let server = TestServer::start(app).await?;
///     let jar = CookieJar::new();
///     jar.set(&server.url("/"), Cookie::new("user", "ann"));
///     let session = ClientSession::builder().cookie_jar(&jar).build()?;
///     assert_eq!(session.get(&server.url("/")).send().await?.text().await?, "ann");
///     assert_eq!(jar.get(&server.url("/"), "user").as_deref(), Some("ann"));
///     Ok::<(), Box<dyn std::error::Error>>(())
/// })??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct CookieJar {
    store: Rc<RefCell<CookieStore>>,
}

impl CookieJar {
    /// An empty jar.
    pub fn new() -> Self {
        CookieJar::default()
    }

    /// Puts a cookie in, as if this URL had set it. False when it was not kept: the URL may not set it, or it is too large.
    pub fn set<'a>(&self, url: &str, cookie: impl Into<Cookie<'a>>) -> bool {
        let Ok(url) = Url::parse(url) else {
            return false;
        };
        self.keep(&cookie.into().into_owned(), &url)
    }

    /// The value of the cookie that would be sent to this URL.
    pub fn get(&self, url: &str, name: &str) -> Option<String> {
        let url = Url::parse(url).ok()?;
        let store = self.store.borrow();
        let mut matching = store.get_request_values(&url);
        let found = matching.find(|(known, _)| *known == name);
        found.map(|(_, value)| value.to_owned())
    }

    /// How many cookies there are.
    pub fn len(&self) -> usize {
        self.store.borrow().iter_unexpired().count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all cookies.
    pub fn clear(&self) {
        self.store.borrow_mut().clear();
    }

    /// Takes the cookies of a response.
    pub(super) fn take(&self, url: &Url, headers: &HeaderMap) {
        for line in headers.get_all(header::SET_COOKIE) {
            let text = std::str::from_utf8(line.as_bytes());
            let parsed = text.ok().and_then(|text| Cookie::parse(text).ok());
            if let Some(cookie) = parsed {
                self.keep(&cookie, url);
            }
        }
    }

    fn keep(&self, cookie: &Cookie<'_>, url: &Url) -> bool {
        let mut store = self.store.borrow_mut();
        let is_small = cookie.name().len() + cookie.value().len() <= LONGEST;
        is_small
            && !is_too_wide(cookie, url)
            && make_room(&mut store, cookie, url)
            && store.insert_raw(cookie, url).is_ok()
    }

    /// Adds the cookies for a URL to those that the request sets itself, which win.
    pub(super) fn add_to(&self, url: &Url, headers: &mut HeaderMap) {
        if self.store.borrow().iter_any().next().is_none() {
            return;
        }
        let own = headers.get(header::COOKIE).map(HeaderValue::to_str);
        let mut line = own.and_then(Result::ok).unwrap_or("").to_owned();
        let names: Vec<String> = Cookie::split_parse(line.clone())
            .filter_map(|cookie| Some(cookie.ok()?.name().to_owned()))
            .collect();
        for (name, value) in self.store.borrow().get_request_values(url) {
            if !names.iter().any(|own| own == name) {
                let separator = if line.is_empty() { "" } else { "; " };
                line.push_str(&format!("{separator}{name}={value}"));
            }
        }
        if let (false, Ok(line)) = (line.is_empty(), HeaderValue::from_str(&line)) {
            headers.insert(header::COOKIE, line);
        }
    }
}

/// Whether the cookie would go to a whole top-level domain.
fn is_too_wide(cookie: &Cookie<'_>, url: &Url) -> bool {
    let domain = cookie
        .domain()
        .map_or("", |domain| domain.trim_matches('.'));
    !domain.is_empty() && !domain.contains('.') && url.host_str() != Some(domain)
}

/// Whether the cookie's domain may have one more, once those that have expired are gone.
fn make_room(store: &mut CookieStore, cookie: &Cookie<'_>, url: &Url) -> bool {
    let host = cookie.domain().or(url.host_str()).unwrap_or("");
    let host = host.trim_start_matches('.').to_ascii_lowercase();
    let is_of_host =
        |kept: &&cookie_store::Cookie<'_>| kept.domain.as_cow().as_deref() == Some(&*host);
    if store.iter_any().filter(is_of_host).count() < PER_DOMAIN {
        return true;
    }
    let expired = store
        .iter_any()
        .filter(is_of_host)
        .filter(|kept| kept.is_expired());
    let expired: Vec<_> = expired
        .map(|kept| (String::from(&kept.path), kept.name().to_owned()))
        .collect();
    for (path, name) in expired {
        store.remove(&host, &path, &name);
    }
    let mut left = store.iter_any().filter(is_of_host);
    let is_known = left.any(|kept| kept.name() == cookie.name());
    is_known || store.iter_any().filter(is_of_host).count() < PER_DOMAIN
}

impl fmt::Debug for CookieJar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieJar")
            .field("len", &self.len())
            .finish()
    }
}
