//! Cookies: a name, a value and a `Cookie` header, each on a line of its own.

use aio::http::{App, Cookie, HeaderValue, Key, Request, Response, TestClient};

use super::on_loop;

/// A header is read as a plain reading of it says. A cookie that is set comes back as it was, whatever its name and value
/// are made of, and sets nothing else; signed and encrypted ones are not taken when they were changed or renamed.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let mut lines = text.splitn(3, '\n');
    let name = lines.next().unwrap_or("");
    let value = lines.next().unwrap_or("");
    let header = lines.next().unwrap_or("");
    on_loop(async {
        read(name, header).await;
        if !name.is_empty() {
            come_back(name, value).await;
        }
    });
}

fn key() -> Key {
    Key::from(&[7; 64])
}

/// An app that tells what it reads of a cookie: plain, signed, encrypted.
fn reader(name: &str) -> App {
    let name = name.to_owned();
    App::new().get("/", async move |request: Request| {
        let plain = request.cookie(&name);
        let signed = request.signed_cookie(&key(), &name);
        let private = request.private_cookie(&key(), &name);
        format!("{:?}", (plain, signed, private))
    })
}

type Read<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>);

async fn expect(name: &str, header: &str, read: Read<'_>) {
    let client = TestClient::new(reader(name))
        .await
        .expect("the route is well-formed");
    let got = client.get("/").header("cookie", header).send().await;
    assert_eq!(got.text(), format!("{read:?}"), "{name:?} in {header:?}");
}

async fn read(name: &str, header: &str) {
    if HeaderValue::from_str(header).is_err() {
        return;
    }
    let text = if header
        .bytes()
        .all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
    {
        header
    } else {
        ""
    };
    let found = text.split(';').find_map(|pair| {
        let (candidate, value) = pair.split_once('=')?;
        let (candidate, value) = (candidate.trim(), value.trim());
        let (decoded, value) = (decode(candidate)?, decode(value)?);
        (!candidate.is_empty() && decoded == name).then_some(value)
    });
    expect(name, header, (found.as_deref(), None, None)).await;
}

async fn come_back(name: &str, value: &str) {
    let (of_name, of_value) = (name.to_owned(), value.to_owned());
    let cookie = move || Cookie::new(of_name.clone(), of_value.clone());
    let (signed, private) = (cookie.clone(), cookie.clone());
    let app = App::new()
        .get("/plain", async move |_: Request| {
            Response::text("").with_cookie(cookie())
        })
        .get("/signed", async move |_: Request| {
            Response::text("").with_signed_cookie(&key(), signed())
        })
        .get("/private", async move |_: Request| {
            Response::text("").with_private_cookie(&key(), private())
        });
    let client = TestClient::new(app)
        .await
        .expect("the routes are well-formed");
    let set = sent(&client, "/plain").await;
    assert_eq!(pair(name, value), set);
    expect(name, &set, (Some(value), None, None)).await;
    for kind in ["/signed", "/private"] {
        let set = sent(&client, kind).await;
        let (raw_name, raw_value) = set.split_once('=').expect("it is a pair");
        let raw = decode(raw_value).expect("it is text");
        let (signed, private) = if kind == "/signed" {
            (Some(value), None)
        } else {
            assert!(
                value.len() < 8 || !raw.contains(value),
                "the value can be read"
            );
            (None, Some(value))
        };
        expect(name, &set, (Some(&raw), signed, private)).await;
        let changed = change(&raw);
        let header = pair(name, &changed);
        expect(name, &header, (Some(&changed), None, None)).await;
        let other = format!("{name}x");
        let header = format!("{raw_name}x={raw_value}");
        expect(&other, &header, (Some(&raw), None, None)).await;
    }
}

/// What the client sends back after this response.
async fn sent(client: &TestClient, path: &str) -> String {
    let answer = client.get(path).send().await;
    assert_eq!(answer.headers().get_all("set-cookie").iter().count(), 1);
    let set = answer.header("set-cookie").expect("it is text");
    let (pair, attributes) = set.split_once("; ").expect("it has attributes");
    assert_eq!(attributes, "HttpOnly; SameSite=Lax; Path=/");
    pair.to_owned()
}

fn pair(name: &str, value: &str) -> String {
    Cookie::new(name, value).encoded().stripped().to_string()
}

/// The text with one letter changed, at a place that depends on the text alone.
fn change(text: &str) -> String {
    let sum: usize = text.bytes().map(usize::from).sum();
    let place = sum % text.chars().count();
    let other = |letter: char| if letter == 'A' { 'B' } else { 'A' };
    let letters = text.chars().enumerate();
    letters
        .map(|(at, letter)| if at == place { other(letter) } else { letter })
        .collect()
}

/// Broken escapes are kept; None for what is not UTF-8 then.
fn decode(text: &str) -> Option<String> {
    let mut decoded = Vec::new();
    let mut left = text.as_bytes();
    while let [first, rest @ ..] = left {
        left = rest;
        decoded.push(match (first, rest) {
            (b'%', [high, low, ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                left = &rest[2..];
                u8::from_str_radix(std::str::from_utf8(&rest[..2]).ok()?, 16).ok()?
            }
            _ => *first,
        });
    }
    String::from_utf8(decoded).ok()
}
