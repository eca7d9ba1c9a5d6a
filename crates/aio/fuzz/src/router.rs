//! The router: patterns, an empty line, paths.

use aio::http::{App, Request, Response, TestClient};
use regex_lite::Regex;

use super::on_loop;

/// Patterns are accepted if and only if they are well-formed and differ, and a path leads where a plain reading of all
/// patterns says: at each place a literal before a shape, a shape before a name, a name before the rest.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (patterns, paths) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut known: Vec<Pattern> = Vec::new();
    for text in patterns.lines().take(12) {
        let pattern = Pattern::read(text);
        let accepted = App::new().get(text, answer(0)).check().is_ok();
        assert_eq!(accepted, pattern.is_some(), "the pattern {text:?}");
        let Some(pattern) = pattern else { continue };
        match known
            .iter()
            .find(|other| other.segments == pattern.segments)
        {
            Some(other) => {
                let both = App::new().get(other.text, answer(0)).get(text, answer(1));
                assert!(both.check().is_err(), "{text:?} beside {:?}", other.text);
            }
            None => known.push(pattern),
        }
    }
    on_loop(visit(&known, paths));
}

async fn visit(known: &[Pattern<'_>], paths: &str) {
    let mut app = App::new();
    for (place, pattern) in known.iter().enumerate() {
        app = app.get(pattern.text, answer(place));
    }
    let client = TestClient::new(app).await.expect("the patterns differ");
    for target in paths.lines().take(12) {
        let Some(path) = path_of(target) else {
            continue;
        };
        let (status, expected) = expected(known, &path);
        let got = client.get(target).send().await;
        assert_eq!(
            (got.status().as_u16(), got.text()),
            (status, &*expected),
            "{target:?}"
        );
        let got = client.post(target).send().await;
        let status = if status == 200 { 405 } else { status };
        assert_eq!(got.status(), status, "POST {target:?}");
        let allow = (status == 405).then_some("GET, HEAD, OPTIONS");
        assert_eq!(got.header("allow"), allow, "POST {target:?}");
    }
}

/// The path of a target that a client may send.
fn path_of(target: &str) -> Option<String> {
    let uri: http::Uri = target.parse().ok()?;
    (target.starts_with('/') && uri.authority().is_none()).then(|| uri.path().to_owned())
}

/// A handler that tells which it is, and what its pattern has matched.
fn answer(place: usize) -> impl AsyncFn(Request) -> Response + 'static {
    async move |request: Request| {
        let matched: Vec<(&str, &str)> = request.matches().collect();
        Response::text(format!("{place} {matched:?}"))
    }
}

fn expected(known: &[Pattern<'_>], path: &str) -> (u16, String) {
    if decode(path).is_none() {
        return (400, "400: Bad Request".to_owned());
    }
    let segments: Vec<&str> = path[1..].split('/').collect();
    let rivals: Vec<&Pattern<'_>> = known.iter().collect();
    let Some(chosen) = choose(&rivals, 0, &segments) else {
        return (404, "404: Not Found".to_owned());
    };
    let place = known.iter().position(|pattern| pattern.text == chosen.text);
    let mut names = chosen.names.iter();
    let mut matched: Vec<(&str, String)> = Vec::new();
    for (at, segment) in chosen.segments.iter().enumerate() {
        let value = match segment {
            Segment::Literal(_) => continue,
            Segment::Rest => segments[at..].join("/"),
            _ => segments[at].to_owned(),
        };
        let name = names.next().expect("each has a name");
        matched.push((name, decode(&value).expect("the whole path is decodable")));
    }
    (200, format!("{} {matched:?}", place.expect("it is known")))
}

/// The best of the patterns that agree up to segment `at`.
fn choose<'a, 'b>(rivals: &[&'a Pattern<'b>], at: usize, path: &[&str]) -> Option<&'a Pattern<'b>> {
    let Some(segment) = path.get(at) else {
        return rivals
            .iter()
            .find(|rival| rival.segments.len() == at)
            .copied();
    };
    let decoded = decode(segment)?;
    // Each once: rivals that share their first segments would double the work with each of them.
    let mut kinds: Vec<&Segment<'_>> = Vec::new();
    for kind in rivals.iter().filter_map(|rival| rival.segments.get(at)) {
        if kind.fits(&decoded) && !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds.sort_by_key(|kind| kind.rank());
    kinds.into_iter().find_map(|kind| {
        let like = |rival: &&&Pattern<'_>| rival.segments.get(at) == Some(kind);
        let alike: Vec<&Pattern<'_>> = rivals.iter().filter(like).copied().collect();
        match kind {
            Segment::Rest => alike.first().copied(),
            _ => choose(&alike, at + 1, path),
        }
    })
}

struct Pattern<'a> {
    text: &'a str,
    segments: Vec<Segment<'a>>,
    names: Vec<&'a str>,
}

#[derive(PartialEq)]
enum Segment<'a> {
    Literal(&'a str),
    Shaped(&'a str),
    Any,
    Rest,
}

impl Segment<'_> {
    fn rank(&self) -> u8 {
        match self {
            Segment::Literal(_) => 0,
            Segment::Shaped(_) => 1,
            Segment::Any => 2,
            Segment::Rest => 3,
        }
    }

    fn fits(&self, decoded: &str) -> bool {
        match self {
            Segment::Literal(text) => *text == decoded,
            Segment::Shaped(shape) => whole(shape).is_some_and(|shape| shape.is_match(decoded)),
            Segment::Any => !decoded.is_empty(),
            Segment::Rest => true,
        }
    }
}

/// The expression that matches what `shape` matches, from end to end.
fn whole(shape: &str) -> Option<Regex> {
    Regex::new(shape).ok()?;
    Regex::new(&format!("^(?:{shape})$")).ok()
}

impl<'a> Pattern<'a> {
    /// None when it is malformed.
    fn read(text: &'a str) -> Option<Self> {
        let (mut segments, mut names) = (Vec::new(), Vec::new());
        for part in text.strip_prefix('/')?.split('/') {
            if segments.last() == Some(&Segment::Rest) {
                return None;
            }
            let inner = part
                .strip_prefix('{')
                .and_then(|part| part.strip_suffix('}'));
            let Some(inner) = inner else {
                segments.push((!part.contains(['{', '}'])).then_some(Segment::Literal(part))?);
                continue;
            };
            let (name, shape) = inner
                .split_once(':')
                .map_or((inner, None), |(name, shape)| (name, Some(shape)));
            let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
            if name.is_empty() || !name.chars().all(is_name) || names.contains(&name) {
                return None;
            }
            names.push(name);
            segments.push(match shape {
                None => Segment::Any,
                Some("*") => Segment::Rest,
                Some(shape) => whole(shape).map(|_| Segment::Shaped(shape))?,
            });
        }
        Some(Pattern {
            text,
            segments,
            names,
        })
    }
}

/// None for broken escapes, a NUL, or what is not UTF-8 then.
fn decode(text: &str) -> Option<String> {
    let mut decoded = Vec::new();
    let mut left = text.as_bytes();
    while let [first, rest @ ..] = left {
        let byte = match (first, rest) {
            (b'%', [high, low, ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                left = &rest[2..];
                u8::from_str_radix(std::str::from_utf8(&rest[..2]).ok()?, 16).ok()?
            }
            (b'%', _) => return None,
            (byte, _) => {
                left = rest;
                *byte
            }
        };
        if byte == 0 && *first == b'%' {
            return None;
        }
        decoded.push(byte);
    }
    String::from_utf8(decoded).ok()
}
