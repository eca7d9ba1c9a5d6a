//! Where a redirect leads, and what may go along.

use ::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use reqwest::Url;

/// What is for one origin only.
const PRIVATE: [HeaderName; 4] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::PROXY_AUTHORIZATION,
    header::HOST,
];

/// What describes a body.
const OF_BODY: [HeaderName; 5] = [
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::TRANSFER_ENCODING,
    header::EXPECT,
];

/// Where a response sends us. None when it is no redirect, has no place to go to, or names one that is not HTTP: then it
/// is itself the answer.
pub(super) fn target(from: &Url, status: StatusCode, headers: &HeaderMap) -> Option<Url> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let place = headers.get(header::LOCATION)?;
    let mut to = from
        .join(std::str::from_utf8(place.as_bytes()).ok()?)
        .ok()?;
    if to.fragment().is_none() {
        to.set_fragment(from.fragment());
    }
    matches!(to.scheme(), "http" | "https").then_some(to)
}

/// The method for the next request, as browsers choose it: a form that was posted is not posted again.
pub(super) fn method(status: StatusCode, method: &Method) -> Method {
    match status.as_u16() {
        303 if *method != Method::HEAD => Method::GET,
        301 | 302 if *method == Method::POST => Method::GET,
        _ => method.clone(),
    }
}

pub(super) fn is_downgrade(from: &Url, to: &Url) -> bool {
    from.scheme() == "https" && to.scheme() != "https"
}

/// Whether both are of one scheme, host and port.
pub(super) fn same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
}

pub(super) fn is_private(name: &HeaderName) -> bool {
    PRIVATE.contains(name)
}

/// Takes off what another origin must not see.
pub(super) fn strip_private(headers: &mut HeaderMap) {
    for name in PRIVATE {
        headers.remove(name);
    }
}

/// Takes off what describes a body that is not sent any more.
pub(super) fn strip_body(headers: &mut HeaderMap) {
    for name in OF_BODY {
        headers.remove(name);
    }
}
