//! Multipart forms: the body, whose first line may choose the boundary.

use std::{cell::RefCell, fmt::Write, rc::Rc};

use aio::http::{App, BodyError, Limits, Request, TestClient, TestServer};

use super::{on_loop, pieces};

/// In whatever pieces a form comes, the same parts come of it, and the same parts are there when they are skipped unread.
/// What a browser writes is read as it was meant.
pub fn check(bytes: &[u8]) {
    let boundary = boundary(bytes).unwrap_or("x");
    on_loop(async {
        let whole = read(bytes, boundary, Way::Whole).await;
        assert!(whole.0.len() <= PARTS, "too many parts");
        let skipped = read(bytes, boundary, Way::Skipped).await;
        let unread = whole.0.iter().map(|part| Read {
            bytes: Vec::new(),
            ..part.clone()
        });
        assert_eq!(
            skipped,
            (unread.collect(), whole.1),
            "when they are skipped"
        );
        assert_eq!(read_pieces(bytes, boundary).await, whole, "in pieces");
        come_back(bytes).await;
    });
}

/// The most parts of a form here.
const PARTS: usize = 8;

/// A part; without bytes when it has not come as a whole.
#[derive(Debug, Clone, PartialEq)]
struct Read {
    name: String,
    file_name: Option<String>,
    kind: Option<String>,
    bytes: Vec<u8>,
}

/// The parts, and how it ended.
type Outcome = (Vec<Read>, Result<(), u16>);

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Whole,
    Skipped,
}

/// The first line's boundary, as most clients write it.
fn boundary(bytes: &[u8]) -> Option<&str> {
    let line = bytes
        .strip_prefix(b"--")?
        .split(|byte| *byte == b'\r')
        .next()?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    let fits = (1..=70).contains(&line.len()) && line.iter().all(plain);
    fits.then(|| std::str::from_utf8(line).ok())?
}

/// An app that keeps what it reads.
fn app(way: Way) -> (App, Rc<RefCell<Option<Outcome>>>) {
    let kept = Rc::new(RefCell::new(None));
    let keeping = kept.clone();
    let limits = Limits {
        parts: PARTS,
        ..Limits::default()
    };
    let app = App::new()
        .limits(limits)
        .post("/", async move |mut request: Request| {
            let mut parts = Vec::new();
            let end = take(&mut request, way, &mut parts).await;
            *keeping.borrow_mut() = Some((parts, end.map_err(|error| error.status().as_u16())));
            "read"
        });
    (app, kept)
}

async fn take(request: &mut Request, way: Way, parts: &mut Vec<Read>) -> Result<(), BodyError> {
    let mut form = request.multipart()?;
    while let Some(mut part) = form.next_part().await? {
        parts.push(Read {
            name: part.name().to_owned(),
            file_name: part.file_name().map(str::to_owned),
            kind: part.content_type().map(str::to_owned),
            bytes: Vec::new(),
        });
        if way == Way::Skipped {
            continue;
        }
        let mut bytes = Vec::new();
        while let Some(piece) = part.chunk().await? {
            bytes.extend_from_slice(&piece);
        }
        if let Some(read) = parts.last_mut() {
            read.bytes = bytes;
        }
    }
    Ok(())
}

async fn read(bytes: &[u8], boundary: &str, way: Way) -> Outcome {
    let (app, kept) = app(way);
    let client = TestClient::new(app)
        .await
        .expect("the route is well-formed");
    let kind = format!("multipart/form-data; boundary={boundary}");
    let request = client.post("/").header("content-type", &kind);
    request.body(bytes.to_vec()).send().await;
    kept.take().expect("the form was read")
}

/// Sends it in chunks, each of which comes as one piece.
async fn read_pieces(bytes: &[u8], boundary: &str) -> Outcome {
    let (app, kept) = app(Way::Whole);
    let server = TestServer::start(app).await.expect("there is a free port");
    let (mut reader, writer) = aio::open_connection(server.address())
        .await
        .expect("it listens");
    let mut message = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\
         Content-Type: multipart/form-data; boundary={boundary}\r\n\r\n"
    )
    .into_bytes();
    for piece in pieces(bytes) {
        message.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        message.extend_from_slice(piece);
        message.extend_from_slice(b"\r\n");
    }
    message.extend_from_slice(b"0\r\n\r\n");
    writer.write(&message);
    // A server that has seen enough may close before it has read all.
    let _ = reader.read_to_end().await;
    let outcome = kept.take().expect("the form was read");
    server.close().await;
    outcome
}

/// Writes the bytes as a form, as browsers do, and reads it back.
async fn come_back(bytes: &[u8]) {
    let boundary = "----WebKitFormBoundary7MA4YWxkTrZu0gW";
    let mut expected = Vec::new();
    let mut form = Vec::new();
    for field in bytes.split(|byte| *byte == b'|').take(PARTS) {
        let mut words = field.splitn(3, |byte| *byte == b'&');
        let (name, file) = (words.next().map(escaped), words.next().map(escaped));
        let name = name.unwrap_or_default();
        let content = words.next().unwrap_or(b"");
        let mut head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"");
        if let Some(file) = &file {
            // Text cannot fail to take text.
            let _ = write!(head, "; filename=\"{file}\"\r\nContent-Type: text/plain");
        }
        form.extend_from_slice(head.as_bytes());
        form.extend_from_slice(b"\r\n\r\n");
        form.extend_from_slice(content);
        form.extend_from_slice(b"\r\n");
        expected.push(Read {
            name,
            kind: file.is_some().then(|| "text/plain".to_owned()),
            file_name: file,
            bytes: content.to_vec(),
        });
    }
    form.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    if !bytes
        .windows(boundary.len())
        .any(|window| window == boundary.as_bytes())
    {
        let read = read(&form, boundary, Way::Whole).await;
        assert_eq!(read, (expected, Ok(())), "what a browser wrote");
    }
}

/// A name as browsers write it between quotes. Backslashes are left out: not all who write forms mean the same by them.
fn escaped(name: &[u8]) -> String {
    let mut text = String::new();
    for letter in String::from_utf8_lossy(name).chars() {
        match letter {
            '"' => text.push_str("%22"),
            '\r' => text.push_str("%0D"),
            '\n' => text.push_str("%0A"),
            '\\' => {}
            letter if letter.is_ascii_control() => {}
            letter => text.push(letter),
        }
    }
    text
}
