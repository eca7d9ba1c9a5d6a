//! What the fuzz targets claim of parts beneath the public API. It is compiled for them, and for the tests that replay
//! their kept inputs, alone.

use std::{
    cell::RefCell,
    collections::VecDeque,
    ops::Range,
    pin::{Pin, pin},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use ::http::{HeaderMap, Method, Request, Response, StatusCode, Version, header};
use hyper::{
    body::{Body, Incoming},
    rt::{Read, ReadBufCursor, Write},
    service::service_fn,
};

#[cfg(feature = "ws")]
pub use super::websocket::fuzzing::websocket;
use super::{
    connection::codec,
    gate::{Gate, Phase},
    limits::Limits,
};

/// The gate and hyper behind it. However the bytes are cut into pieces, the gate says the same of them; and of each message
/// that it passes, hyper sees the same head and the same body, and takes it for complete with the same byte. That hyper
/// refuses what the gate has passed is no harm.
pub fn head(bytes: &[u8]) {
    for limits in [Limits::default(), tight()] {
        let whole = judge(&limits, [bytes]);
        assert_eq!(judge(&limits, bytes.chunks(1)), whole, "byte by byte");
        assert_eq!(judge(&limits, pieces(bytes)), whole, "in pieces");
    }
    compare(bytes);
}

/// Limits that short inputs reach.
fn tight() -> Limits {
    Limits {
        request_line: 40,
        header_field: 60,
        headers: 4,
        header_bytes: 120,
        ..Limits::default()
    }
}

/// What the gate says in the end: its refusal, with whether it is of a body; else what it is in the middle of.
fn judge<'a>(
    limits: &Limits,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Phase, (StatusCode, bool)> {
    let mut gate = Gate::new(limits);
    for piece in pieces {
        gate.look(piece).map_err(|refusal| {
            assert!(refusal.pass <= piece.len(), "more is passed than came");
            (refusal.status, refusal.in_body)
        })?;
    }
    Ok(gate.phase())
}

/// Pieces of all sizes, which depend on the bytes alone: an input always runs alike.
pub(super) fn pieces(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut seed = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |seed, byte| {
        (seed ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    std::iter::from_fn(move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let most = 1 << (seed >> 61);
        let (piece, left) = bytes.split_at(bytes.len().min(1 + (seed >> 32) as usize % most));
        bytes = left;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Where a message lies, as the gate sees it.
struct Message {
    head: Range<usize>,
    body: Range<usize>,
}

/// The messages that the gate passes, and up to where it passes anything.
fn passed(bytes: &[u8]) -> (Vec<Message>, usize) {
    let mut gate = Gate::new(&Limits::default());
    let mut messages = Vec::new();
    let (mut start, mut body) = (0, None);
    for (at, byte) in bytes.iter().enumerate() {
        if gate.look(&[*byte]).is_err() {
            return (messages, at);
        }
        let end = at + 1;
        match gate.phase() {
            Phase::Between => {
                let begins = body.take().unwrap_or(end);
                // Else it is an empty line before a message.
                if &bytes[start..end] != b"\r\n" {
                    messages.push(Message {
                        head: start..begins,
                        body: begins..end,
                    });
                }
                start = end;
            }
            Phase::Body => _ = body.get_or_insert(end),
            _ => {}
        }
    }
    (messages, bytes.len())
}

fn compare(bytes: &[u8]) {
    let (messages, end) = passed(bytes);
    let feed = Feed::default();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let handler = {
        let seen = seen.clone();
        service_fn(move |request| Box::pin(take(request, seen.clone())))
    };
    let mut connection = codec(&Limits::default()).serve_connection(feed.clone(), handler);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let mut lives = |piece: &[u8]| {
        feed.0.borrow_mut().extend(piece);
        loop {
            let polled = connection.poll_without_shutdown(&mut Context::from_waker(&waker));
            match polled {
                Poll::Ready(_) => return false,
                Poll::Pending if woken.0.swap(false, Ordering::Relaxed) => {}
                Poll::Pending => return true,
            }
        }
    };
    let mut at = 0;
    for (count, message) in messages.iter().enumerate() {
        if !lives(&bytes[at..message.body.end - 1]) {
            assert_eq!(
                seen.borrow().len(),
                count,
                "hyper has ended a message early"
            );
            return;
        }
        assert_eq!(
            seen.borrow().len(),
            count,
            "hyper has ended a message early"
        );
        let goes_on = lives(&bytes[message.body.end - 1..message.body.end]);
        at = message.body.end;
        match seen.borrow().get(count) {
            Some(one) => one.is_alike(message, bytes),
            None => assert!(!goes_on, "hyper waits for more of a message"),
        }
        if !goes_on {
            return;
        }
    }
    lives(&bytes[at..end]);
    assert_eq!(
        seen.borrow().len(),
        messages.len(),
        "hyper has found another message"
    );
}

/// A request as hyper has read it.
struct Seen {
    method: Method,
    version: Version,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Seen {
    fn is_alike(&self, message: &Message, bytes: &[u8]) {
        let head = &bytes[message.head.clone()];
        let mut lines = head.split(|byte| *byte == b'\n');
        let line = lines.next().unwrap_or(&[]);
        let fields = lines.filter(|line| line.len() > 1).count();
        assert!(
            line.starts_with(self.method.as_str().as_bytes()),
            "the method"
        );
        let modern = line.ends_with(b"HTTP/1.1\r");
        assert_eq!(self.version == Version::HTTP_11, modern, "the version");
        assert_eq!(self.headers.len(), fields, "the number of headers");
        let body = &bytes[message.body.clone()];
        if self.headers.contains_key(header::TRANSFER_ENCODING) {
            assert_eq!(self.body, unchunked(body), "the body's chunks");
        } else {
            assert_eq!(self.body, body, "the body");
        }
    }
}

async fn take(
    request: Request<Incoming>,
    seen: Rc<RefCell<Vec<Seen>>>,
) -> hyper::Result<Response<String>> {
    let (head, body) = request.into_parts();
    let mut body = pin!(body);
    let mut whole = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        if let Ok(data) = frame?.into_data() {
            whole.extend_from_slice(&data);
        }
    }
    seen.borrow_mut().push(Seen {
        method: head.method,
        version: head.version,
        headers: head.headers,
        body: whole,
    });
    Ok(Response::new(String::new()))
}

/// The data of a body in chunks that the gate has passed.
fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    while let Some(end) = body.iter().position(|byte| *byte == b'\r') {
        let size = body[..end]
            .split(|byte| *byte == b';')
            .next()
            .unwrap_or(&[]);
        let digits = std::str::from_utf8(size).expect("digits are text");
        let size = usize::from_str_radix(digits, 16).expect("the size is a number");
        if size == 0 {
            break;
        }
        data.extend_from_slice(&body[end + 2..end + 2 + size]);
        body = &body[end + 2 + size + 2..];
    }
    data
}

/// A socket from which bytes come as they are put in; what is written to it is gone.
#[derive(Clone, Default)]
struct Feed(Rc<RefCell<VecDeque<u8>>>);

impl Read for Feed {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        let mut waiting = self.0.borrow_mut();
        if waiting.is_empty() {
            return Poll::Pending;
        }
        let count = waiting.len().min(buffer.remaining());
        let piece: Vec<u8> = waiting.drain(..count).collect();
        buffer.put_slice(&piece);
        Poll::Ready(Ok(()))
    }
}

impl Write for Feed {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Whether a task is to be polled again.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
pub(super) fn replay(target: &str, check: fn(&[u8])) {
    let folder = format!("{}/fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let inputs = std::fs::read_dir(folder).expect("the kept inputs are there");
    let mut count = 0;
    for input in inputs {
        let path = input.expect("the folder can be read").path();
        let bytes = std::fs::read(&path).expect("it can be read");
        println!("{}", path.display());
        check(&bytes);
        count += 1;
    }
    assert!(count > 0, "there is nothing to replay");
}

#[cfg(test)]
#[test]
fn kept_heads_hold() {
    replay("head", head);
}
