//! The lines of a request's head, each by itself.

use ::http::StatusCode;
use memchr::memchr;

use super::text::{is_of_host, is_token};

pub(super) const BAD: StatusCode = StatusCode::BAD_REQUEST;

/// Whether it is of HTTP/1.0.
pub(super) fn request_line(line: &[u8]) -> Result<bool, StatusCode> {
    let (method, rest) = cut(line).ok_or(BAD)?;
    let (target, version) = cut(rest).ok_or(BAD)?;
    let target_fits = match target.first() {
        Some(b'/') => true,
        Some(b'*') => target.len() == 1 && method == b"OPTIONS",
        // Absolute form; the authority form is CONNECT's alone, and we are no proxy.
        Some(_) => target.starts_with(b"http://") || target.starts_with(b"https://"),
        None => false,
    };
    match version {
        b"HTTP/1.1" if target_fits => Ok(false),
        b"HTTP/1.0" if target_fits => Ok(true),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if (b'2'..=b'9').contains(major) && minor.is_ascii_digit() =>
        {
            Err(StatusCode::HTTP_VERSION_NOT_SUPPORTED)
        }
        _ => Err(BAD),
    }
}

/// Name and value, without the spaces around the value. Tabs, too, may stand there, but some servers take them for a part of
/// the value: so they stay, and what depends on the value finds it wrong.
pub(super) fn split(line: &[u8]) -> Result<(&[u8], &[u8]), StatusCode> {
    let end = line.iter().position(|byte| !is_token(*byte));
    match end {
        Some(end) if end > 0 && line[end] == b':' => Ok((&line[..end], trim(&line[end + 1..]))),
        // Folded lines, too: they begin with a blank.
        _ => Err(BAD),
    }
}

/// What is before the first blank, and what is behind it.
fn cut(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let blank = memchr(b' ', line)?;
    Some((&line[..blank], &line[blank + 1..]))
}

fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' '] = value {
        value = rest;
    }
    value
}

/// Whether a host, with its port, has no byte that it must not have.
pub(super) fn is_host(value: &[u8]) -> bool {
    value.iter().all(|byte| is_of_host(*byte))
}

/// A length that hyper can count, in digits alone.
pub(super) fn digits(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 19 || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value)
        .ok()?
        .parse()
        .ok()
        .filter(|length| *length <= u64::MAX >> 1)
}

/// A coding that is well-formed but unknown is answered with 501.
pub(super) fn coding_refused(value: &[u8]) -> StatusCode {
    let alone = !value.is_empty() && value.iter().all(|byte| is_token(*byte));
    if alone {
        StatusCode::NOT_IMPLEMENTED
    } else {
        BAD
    }
}
