//! Ranges and conditions: a byte that chooses the file and the method, then header lines. `{etag}` and `{date}` stand for
//! the file's own.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use aio::http::{
    App, HeaderValue, Method, Request, Response, Route, StaticFiles, TestClient, TestResponse,
    Validators,
};

use super::on_loop;

/// A file's sizes: none, few, and more than is read at a time.
const SIZES: [usize; 4] = [0, 1, 1000, 65_540];
const HEADERS: [&str; 6] = [
    "range",
    "if-range",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
];

/// Whatever is asked for, what is sent lies within the file and is what `Content-Range` says; well-formed headers are
/// answered as RFC 9110, section 13.2.2, says. For a handler's own `Validators` the same holds.
pub fn check(bytes: &[u8]) {
    let Some((flags, lines)) = bytes.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(lines) else {
        return;
    };
    thread_local! {
        static FOLDER: Folder = Folder::new();
    }
    FOLDER.with(|folder| {
        on_loop(async {
            folder
                .ask(usize::from(flags & 3), flags & 4 != 0, text)
                .await;
            ask_handler(flags >> 3, text).await;
        });
    });
}

/// A served folder with a file of each size.
struct Folder {
    path: PathBuf,
    client: TestClient,
    /// What each file is, and what tells its state.
    files: Vec<(Vec<u8>, State)>,
}

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("aio-fuzz-{}", std::process::id()));
        fs::create_dir_all(&path).expect("there can be a folder");
        let mut contents = Vec::new();
        for size in SIZES {
            let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            fs::write(path.join(size.to_string()), &bytes).expect("it can be written");
            contents.push(bytes);
        }
        let served = StaticFiles::new(&path).expect("it is a folder");
        let (client, states) = on_loop(async {
            let app = App::new().files("/", served);
            let client = TestClient::new(app)
                .await
                .expect("the route is well-formed");
            let mut states = Vec::new();
            for size in SIZES {
                let answer = client.get(&format!("/{size}")).send().await;
                states.push(State::of(&answer));
            }
            (client, states)
        });
        let files = contents.into_iter().zip(states).collect();
        Folder {
            path,
            client,
            files,
        }
    }

    async fn ask(&self, file: usize, is_head: bool, text: &str) {
        let (content, state) = &self.files[file];
        let method = if is_head { Method::HEAD } else { Method::GET };
        let asked = Asked::read(text, state, method);
        let answer = asked.send(&self.client, &format!("/{}", SIZES[file])).await;
        let status = answer.status().as_u16();
        let range = answer.header("content-range");
        let sent = match status {
            200 => 0..content.len(),
            206 => part(range.expect("it has a range"), content.len()),
            416 => {
                assert_eq!(range, Some(&*format!("bytes */{}", content.len())));
                return asked.expects(status, None, state, Some(content.len()));
            }
            _ => {
                assert!(matches!(status, 304 | 412), "{status}");
                assert!(answer.body().is_empty(), "{status} has a body");
                return asked.expects(status, None, state, Some(content.len()));
            }
        };
        if is_head {
            assert!(answer.body().is_empty(), "an answer to HEAD has a body");
        } else {
            assert_eq!(answer.body(), &content[sent.clone()], "{range:?}");
        }
        asked.expects(
            status,
            (status == 206).then_some(sent),
            state,
            Some(content.len()),
        );
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that is left behind in the place for such harms no one.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// The part that a `Content-Range` names, which must lie within the file.
fn part(range: &str, size: usize) -> std::ops::Range<usize> {
    let numbers = range.strip_prefix("bytes ").expect("its unit is bytes");
    let (part, whole) = numbers.split_once('/').expect("it names the size");
    let (first, last) = part.split_once('-').expect("it names both ends");
    let number = |text: &str| text.parse::<usize>().expect("it is a number");
    let (first, last) = (number(first), number(last));
    assert!(
        first <= last && last < size && number(whole) == size,
        "{range} of {size}"
    );
    first..last + 1
}

/// A handler that has its own validators: a strong tag, a weak one, or none; a date or none.
async fn ask_handler(flags: u8, text: &str) {
    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let mut validators = match flags & 3 {
        0 => Validators::new(),
        1 => Validators::new().weak_etag("a,b"),
        _ => Validators::new().etag("a,b"),
    };
    if flags & 4 != 0 {
        validators = validators.modified(date);
    }
    let method = if flags & 8 != 0 {
        Method::PUT
    } else {
        Method::GET
    };
    let app = App::new().add_route(Route::any("/", async move |request: Request| {
        let whole = || validators.mark(Response::text("whole"));
        validators.check(&request).unwrap_or_else(whole)
    }));
    let client = TestClient::new(app)
        .await
        .expect("the route is well-formed");
    let state = State::of(&client.get("/").send().await);
    let asked = Asked::read(text, &state, method);
    let answer = asked.send(&client, "/").await;
    let status = answer.status().as_u16();
    let body = if status == 200 { "whole" } else { "" };
    assert_eq!(answer.text(), body, "{status}");
    asked.expects(status, None, &state, None);
}

/// What tells one state of a file from another.
struct State {
    etag: Option<String>,
    date: Option<SystemTime>,
}

impl State {
    fn of(answer: &TestResponse) -> Self {
        State {
            etag: answer.header("etag").map(str::to_owned),
            date: answer.header("last-modified").and_then(date),
        }
    }
}

fn date(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text).ok()
}

/// A request: its method, and the first line of each header that matters.
struct Asked {
    method: Method,
    headers: BTreeMap<&'static str, String>,
}

impl Asked {
    fn read(text: &str, state: &State, method: Method) -> Self {
        let mut headers = BTreeMap::new();
        for line in text.lines() {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let etag = state.etag.as_deref().unwrap_or("");
            let date = state.date.map(httpdate::fmt_http_date).unwrap_or_default();
            let value = value
                .trim()
                .replace("{etag}", etag)
                .replace("{date}", &date);
            let name = HEADERS
                .iter()
                .find(|known| known.eq_ignore_ascii_case(name));
            if let (Some(name), Ok(_)) = (name, HeaderValue::from_str(&value)) {
                headers.entry(*name).or_insert(value);
            }
        }
        Asked { method, headers }
    }

    async fn send(&self, client: &TestClient, target: &str) -> TestResponse {
        let mut request = client.request(self.method.clone(), target);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.send().await
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// `size` is that of a file; ranges of what handlers make are theirs.
    fn expects(
        &self,
        status: u16,
        sent: Option<std::ops::Range<usize>>,
        state: &State,
        size: Option<usize>,
    ) {
        let Some(expected) = self.outcome(state, size) else {
            return;
        };
        assert_eq!(
            (status, sent),
            expected,
            "{} {:?}",
            self.method,
            self.headers
        );
    }

    /// None where the standard leaves it open, for headers that are malformed.
    fn outcome(
        &self,
        state: &State,
        size: Option<usize>,
    ) -> Option<(u16, Option<std::ops::Range<usize>>)> {
        let reads = self.method != Method::PUT;
        let holds = match (self.header("if-match"), self.header("if-unmodified-since")) {
            (Some(list), _) => Tags::read(list)?.have(state.etag.as_deref(), true),
            (None, Some(limit)) => match (date(limit), state.date) {
                (Some(limit), Some(modified)) => modified <= limit,
                _ => true,
            },
            (None, None) => true,
        };
        if !holds {
            return Some((412, None));
        }
        let known = match (
            self.header("if-none-match"),
            self.header("if-modified-since"),
        ) {
            (Some(list), _) => Tags::read(list)?.have(state.etag.as_deref(), false),
            (None, Some(since)) if reads => match (date(since), state.date) {
                (Some(since), Some(modified)) => modified <= since,
                _ => false,
            },
            _ => false,
        };
        match (known, reads, size) {
            (true, true, _) => Some((304, None)),
            (true, false, _) => Some((412, None)),
            (false, _, Some(size)) if self.method == Method::GET && self.range_holds(state)? => {
                ranged(self.header("range"), size)
            }
            _ => Some((200, None)),
        }
    }

    fn range_holds(&self, state: &State) -> Option<bool> {
        let Some(condition) = self.header("if-range") else {
            return Some(true);
        };
        if let Some(modified) = date(condition) {
            return Some(state.date == Some(modified));
        }
        let tag = Tag::read(condition).filter(|(_, left)| left.is_empty())?.0;
        let own = state.etag.as_deref().and_then(Tag::read);
        Some(own.is_some_and(|(own, _)| own == tag && !tag.weak))
    }
}

fn ranged(range: Option<&str>, size: usize) -> Option<(u16, Option<std::ops::Range<usize>>)> {
    let Some(range) = range else {
        return Some((200, None));
    };
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| -> Option<Option<u128>> {
        let is_number = text.len() < 30 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().ok())
    };
    let whole = size as u128;
    let (first, end) = match (number(first)?, number(last)?) {
        (None, None) => return None,
        (None, Some(count)) => (whole.saturating_sub(count), whole),
        (Some(first), None) => (first, whole),
        (Some(first), Some(last)) => (first, whole.min(last + 1)),
    };
    if first >= end {
        return Some((416, None));
    }
    Some((206, Some(first as usize..end as usize)))
}

/// The tags of a list that is written as RFC 9110, section 8.8.3, says.
enum Tags<'a> {
    Any,
    These(Vec<Tag<'a>>),
}

#[derive(PartialEq)]
struct Tag<'a> {
    weak: bool,
    text: &'a str,
}

impl<'a> Tag<'a> {
    /// A tag, and what follows it.
    fn read(text: &'a str) -> Option<(Self, &'a str)> {
        let (weak, quoted) = match text.strip_prefix("W/") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (text, left) = quoted.strip_prefix('"')?.split_once('"')?;
        let plain = |byte: u8| byte == b'!' || (b'#'..=b'~').contains(&byte);
        text.bytes()
            .all(plain)
            .then_some((Tag { weak, text }, left))
    }
}

impl<'a> Tags<'a> {
    fn read(list: &'a str) -> Option<Self> {
        let blank = [' ', '\t'];
        let mut left = list.trim_matches(blank);
        if left == "*" {
            return Some(Tags::Any);
        }
        let mut tags = Vec::new();
        loop {
            let (tag, rest) = Tag::read(left)?;
            tags.push(tag);
            let rest = rest.trim_start_matches(blank);
            if rest.is_empty() {
                return Some(Tags::These(tags));
            }
            left = rest.strip_prefix(',')?.trim_start_matches(blank);
        }
    }

    fn have(&self, own: Option<&str>, strongly: bool) -> bool {
        let Tags::These(tags) = self else {
            return true;
        };
        let own = own.and_then(Tag::read);
        own.is_some_and(|(own, _)| {
            let alike = |tag: &Tag<'_>| tag.text == own.text;
            tags.iter()
                .any(|tag| alike(tag) && !(strongly && (tag.weak || own.weak)))
        })
    }
}
