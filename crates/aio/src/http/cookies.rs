//! Cookies: plain, signed, encrypted.

#[cfg(feature = "cookies")]
pub use ::cookie::Key;
pub use ::cookie::{Cookie, SameSite};
use ::http::{HeaderValue, header};

use super::{request::Request, response::Response};

/// How many bytes of a signed cookie's value are its signature: 256 bits in base64. The cookie crate signs values alone,
/// so what it signs for us is `name=value`.
#[cfg(feature = "cookies")]
const SIGNATURE: usize = 44;

impl Request {
    /// The value of a cookie that the client sent, percent-decoded. The client may have sent anything: for a value that
    /// must be ours see `signed_cookie`, with the feature `cookies`.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let lines = self.headers().get_all(header::COOKIE).iter();
        let texts = lines.filter_map(|line| line.to_str().ok());
        texts
            .flat_map(Cookie::split_parse_encoded)
            .filter_map(Result::ok)
            .find(|cookie| cookie.name() == name)
            .map(|cookie| cookie.value().to_owned())
    }

    /// The value of a cookie that [`Response::with_signed_cookie`] has set; `None` when it is missing or was tampered
    /// with.
    #[cfg(feature = "cookies")]
    pub fn signed_cookie(&self, key: &Key, name: &str) -> Option<String> {
        let sent = self.cookie(name)?;
        let (signature, value) = sent.split_at_checked(SIGNATURE)?;
        let signed = Cookie::new(name.to_owned(), format!("{signature}{name}={value}"));
        let found = ::cookie::CookieJar::new().signed(key).verify(signed)?;
        let value = found.value().strip_prefix(name)?.strip_prefix('=')?;
        Some(value.to_owned())
    }

    /// The value of a cookie that [`Response::with_private_cookie`] has set; `None` when it is missing or was tampered
    /// with.
    #[cfg(feature = "cookies")]
    pub fn private_cookie(&self, key: &Key, name: &str) -> Option<String> {
        let found = ::cookie::CookieJar::new()
            .private(key)
            .decrypt(self.raw_cookie(name)?)?;
        Some(found.value().to_owned())
    }

    #[cfg(feature = "cookies")]
    fn raw_cookie(&self, name: &str) -> Option<Cookie<'static>> {
        Some(Cookie::new(name.to_owned(), self.cookie(name)?))
    }
}

impl Response {
    /// Sets a cookie. Where it does not say otherwise, it is for the whole site (`Path=/`), out of scripts' reach
    /// (`HttpOnly`) and not sent along with foreign sites' requests (`SameSite=Lax`). Add `Secure` where TLS is spoken.
    ///
    /// ```
    /// use aio::http::{App, Cookie, Request, Response, TestClient};
    ///
    /// async fn visits(request: Request) -> Response {
    ///     let visits = request.cookie("visits").and_then(|count| count.parse().ok()).unwrap_or(0) + 1;
    ///     Response::text(format!("visit {visits}")).with_cookie(Cookie::new("visits", visits.to_string()))
    /// }
    ///
    /// aio::run(async {
    ///     let client = TestClient::new(App::new().get("/", visits)).await?;
    ///     assert_eq!(client.get("/").send().await.text(), "visit 1");
    ///     let second = client.get("/").send().await;
    ///     assert_eq!(second.text(), "visit 2");
    ///     assert_eq!(second.header("set-cookie"), Some("visits=2; HttpOnly; SameSite=Lax; Path=/"));
    ///     Ok::<(), std::io::Error>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_cookie<'a>(mut self, cookie: impl Into<Cookie<'a>>) -> Self {
        let mut cookie = cookie.into();
        if cookie.http_only().is_none() {
            cookie.set_http_only(true);
        }
        if cookie.same_site().is_none() {
            cookie.set_same_site(SameSite::Lax);
        }
        if cookie.path().is_none() {
            cookie.set_path("/");
        }
        // Percent-encoding leaves nothing that a header could not hold.
        if let Ok(value) = HeaderValue::from_str(&cookie.encoded().to_string()) {
            self.headers_mut().append(header::SET_COOKIE, value);
        }
        self
    }

    /// Has the client forget a cookie.
    pub fn without_cookie(self, name: &str) -> Self {
        let mut cookie = Cookie::new(name.to_owned(), "");
        cookie.set_path("/");
        cookie.make_removal();
        self.with_cookie(cookie)
    }

    /// Sets a cookie that the client can read but not change. Its name is signed, too: the value is worth nothing under
    /// another one.
    ///
    /// ```
    /// use aio::http::{App, Cookie, Key, Request, Response, TestClient};
    ///
    /// let key = Key::generate();
    /// let (setting, reading) = (key.clone(), key);
    /// let app = App::new()
    ///     .get("/login", async move |_: Request| {
    ///         Response::text("in").with_signed_cookie(&setting, Cookie::new("user", "ann"))
    ///     })
    ///     .get("/", async move |request: Request| {
    ///         request.signed_cookie(&reading, "user").unwrap_or("nobody".to_owned())
    ///     });
    /// aio::run(async {
    ///     let client = TestClient::new(app).await?;
    ///     let forged = client.get("/").header("cookie", "user=ann").send().await;
    ///     assert_eq!(forged.text(), "nobody");
    ///     client.get("/login").send().await;
    ///     assert_eq!(client.get("/").send().await.text(), "ann");
    ///     Ok::<(), std::io::Error>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "cookies")]
    pub fn with_signed_cookie(self, key: &Key, cookie: impl Into<Cookie<'static>>) -> Self {
        let cookie = cookie.into();
        let named = format!("{}={}", cookie.name(), cookie.value());
        let mut jar = ::cookie::CookieJar::new();
        jar.signed_mut(key)
            .add(Cookie::new(cookie.name().to_owned(), named));
        let signature = jar
            .get(cookie.name())
            .and_then(|signed| signed.value().get(..SIGNATURE));
        let value = format!("{}{}", signature.unwrap_or_default(), cookie.value());
        let mut cookie = cookie;
        cookie.set_value(value);
        self.with_cookie(cookie)
    }

    /// Sets a cookie that the client can neither read nor change.
    #[cfg(feature = "cookies")]
    pub fn with_private_cookie(self, key: &Key, cookie: impl Into<Cookie<'static>>) -> Self {
        let cookie = cookie.into();
        let name = cookie.name().to_owned();
        let mut jar = ::cookie::CookieJar::new();
        jar.private_mut(key).add(cookie);
        match jar.get(&name) {
            Some(cookie) => self.with_cookie(cookie.clone()),
            None => self,
        }
    }
}
