//! Conditional requests: what the client has already, and whether it is still true.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::http::{HeaderValue, Method, StatusCode, header};

use super::{request::Request, response::Response};

/// What tells one state of a resource from another: an entity tag, the time of the last change, or both.
///
/// ```
/// use aio::http::{App, Request, Response, TestClient, Validators};
///
/// async fn report(request: Request) -> Response {
///     let state = Validators::new().etag("v7");
///     if let Some(short) = state.check(&request) {
///         return short;
///     }
///     state.mark(Response::text("a long report"))
/// }
///
/// aio::run(async {
///     let client = TestClient::new(App::new().get("/", report)).await?;
///     let first = client.get("/").send().await;
///     assert_eq!(first.header("etag"), Some("\"v7\""));
///     let again = client.get("/").header("if-none-match", "\"v7\"").send().await;
///     assert_eq!(again.status(), 304);
///     Ok::<(), std::io::Error>(())
/// })??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// With its quotes, and `W/` if it is weak.
    etag: Option<String>,
    modified: Option<SystemTime>,
}

impl Validators {
    /// Nothing is known.
    pub fn new() -> Self {
        Validators::default()
    }

    /// The entity tag, without quotes; what a header cannot hold is left out of it.
    pub fn etag(mut self, tag: &str) -> Self {
        self.etag = Some(quoted(tag));
        self
    }

    /// An entity tag that promises the same meaning, not the same bytes.
    pub fn weak_etag(mut self, tag: &str) -> Self {
        self.etag = Some(format!("W/{}", quoted(tag)));
        self
    }

    /// When the resource was last changed; HTTP counts whole seconds.
    pub fn modified(mut self, time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.modified = Some(UNIX_EPOCH + Duration::from_secs(since.as_secs()));
        self
    }

    /// The answer, if the request's conditions make the resource itself superfluous: 304 when the client has it already,
    /// 412 when it is no longer what the client wants to change. `None` when the handler is to go on.
    pub fn check(&self, request: &Request) -> Option<Response> {
        if self.has_failed(request) {
            return Some(Response::new(StatusCode::PRECONDITION_FAILED));
        }
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        match (self.is_known_to(request), reads) {
            (true, true) => Some(self.mark(Response::new(StatusCode::NOT_MODIFIED))),
            (true, false) if request.headers().contains_key(header::IF_NONE_MATCH) => {
                Some(Response::new(StatusCode::PRECONDITION_FAILED))
            }
            _ => None,
        }
    }

    /// The response with `ETag` and `Last-Modified`.
    pub fn mark(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        if let Some(etag) = self
            .etag
            .as_deref()
            .and_then(|tag| HeaderValue::from_str(tag).ok())
        {
            headers.insert(header::ETAG, etag);
        }
        if let Some(modified) = self.modified
            && let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(modified))
        {
            headers.insert(header::LAST_MODIFIED, date);
        }
        response
    }

    /// `If-Match`, else `If-Unmodified-Since`.
    fn has_failed(&self, request: &Request) -> bool {
        if request.headers().contains_key(header::IF_MATCH) {
            // A weak tag promises too little to change anything by it.
            return !self.is_listed(request, header::IF_MATCH, |listed, own| {
                listed == own && !own.starts_with("W/")
            });
        }
        match (date(request, "if-unmodified-since"), self.modified) {
            (Some(limit), Some(modified)) => modified > limit,
            _ => false,
        }
    }

    /// `If-None-Match`, else `If-Modified-Since`.
    fn is_known_to(&self, request: &Request) -> bool {
        if request.headers().contains_key(header::IF_NONE_MATCH) {
            fn bare(tag: &str) -> &str {
                tag.strip_prefix("W/").unwrap_or(tag)
            }
            return self.is_listed(request, header::IF_NONE_MATCH, |listed, own| {
                bare(listed) == bare(own)
            });
        }
        match (date(request, "if-modified-since"), self.modified) {
            (Some(since), Some(modified)) => modified <= since,
            _ => false,
        }
    }

    /// Whether a header lists our tag, or is a `*`, which stands for whatever state there is.
    fn is_listed(
        &self,
        request: &Request,
        name: header::HeaderName,
        alike: impl Fn(&str, &str) -> bool,
    ) -> bool {
        let lines = request.headers().get_all(name).iter();
        let mut lists = lines.filter_map(|line| line.to_str().ok());
        lists.any(|list| {
            let own = self.etag.as_deref();
            list.trim() == "*" || own.is_some_and(|own| tags(list).any(|tag| alike(tag, own)))
        })
    }

    /// Whether a part that the client asks for belongs to what it has: `If-Range`.
    pub(crate) fn allow_range(&self, request: &Request) -> bool {
        let Some(condition) = request.header("if-range") else {
            return true;
        };
        if condition.ends_with('"') {
            return !condition.starts_with("W/") && self.etag.as_deref() == Some(condition);
        }
        let date = httpdate::parse_http_date(condition).ok();
        date.is_some() && date == self.modified
    }
}

fn quoted(tag: &str) -> String {
    let safe = tag
        .chars()
        .filter(|character| matches!(character, '!' | '#'..='~'));
    format!("\"{}\"", safe.collect::<String>())
}

/// The tags of a list, with their quotes. A comma may be a part of a tag. What is no tag ends the list.
fn tags(list: &str) -> impl Iterator<Item = &str> {
    let mut left = list;
    std::iter::from_fn(move || {
        left = left.trim_start_matches([' ', '\t', ',']);
        let quote = if left.starts_with("W/") { 2 } else { 0 };
        let text = left.get(quote..)?.strip_prefix('"')?;
        let (tag, rest) = left.split_at(quote + 1 + text.find('"')? + 1);
        left = rest;
        Some(tag)
    })
}

fn date(request: &Request, name: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(request.header(name)?).ok()
}
