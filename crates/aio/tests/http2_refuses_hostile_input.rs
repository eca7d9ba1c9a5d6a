//! What a hostile client sends in HTTP/2's frames, written by hand, and what becomes of it.
//!
//! Which case hits which field of `Limits` over HTTP/2; each has the other limits of time out of its way:
//!
//! | limit | case |
//! |---|---|
//! | `header_time` | `headers_that_do_not_end_in_time_end_the_connection` |
//! | `keep_alive` | `an_idle_connection_is_closed` |
//! | `body_idle`, `body_rate`, `body_grace` | `a_slow_body_is_cut_off` |
//! | `write_stall` | `who_opens_no_window_is_cut_off`, `who_does_not_read_is_cut_off` |
//! | `request_line`, `header_field`, `headers`, `header_bytes`, `body` | `what_is_too_large_is_told_so` |
//! | `parts`, `part_headers`, `form_bytes` | `a_form_is_held_to_its_limits` |
//! | `connections` | `an_idle_connection_makes_way_for_a_new_one` |
//! | `requests` | `more_requests_than_can_be_handled_are_told_to_come_back` |
//! | `streams` | `more_streams_than_agreed_are_refused`, `handlers_of_streams_taken_back_are_bounded` |
#![cfg(all(feature = "http2", feature = "multipart"))]

use std::{io, rc::Rc, time::Duration};

use aio::{
    StreamReader, StreamWriter,
    http::{App, Gone, Limits, Request, Response, Server},
};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const WHOLE: u8 = END_STREAM | END_HEADERS;
const ACK: u8 = 1;

const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const REFUSED_STREAM: u32 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

/// So short that a test may wait for it.
const SHORT: Duration = Duration::from_millis(60);
/// So long that no test waits for it.
const LONG: Duration = Duration::from_secs(3600);

fn on_loop(test: impl AsyncFnOnce() -> io::Result<()>) -> io::Result<()> {
    aio::run(aio::wait_for(test(), Duration::from_secs(120)))??
}

/// No limit of time but those that `set` sets.
fn patient(set: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits {
        header_time: LONG,
        keep_alive: LONG,
        body_idle: LONG,
        body_rate: 0,
        body_grace: LONG,
        write_stall: LONG,
        ..Limits::default()
    };
    set(&mut limits);
    limits
}

fn app() -> App {
    App::new()
        .get("/", async |_: Request| "index")
        .post("/", async |mut request: Request| request.text().await)
        .get("/x/{name}", async |request: Request| {
            request.match_info("name").unwrap_or("").to_owned()
        })
        .get("/big", async |_: Request| {
            Response::bytes(vec![0; 1024 * 1024])
        })
        .get("/forever", async |_: Request| {
            aio::sleep(LONG).await;
            ""
        })
        .get("/stream", async |_: Request| {
            Response::write_with(async |body| {
                loop {
                    body.write(vec![0; 1000]).await?;
                }
                #[expect(unreachable_code, reason = "it tells the type")]
                Ok::<(), Gone>(())
            })
        })
        .post("/form", async |mut request: Request| {
            let mut form = request.multipart()?;
            let mut count = 0;
            while let Some(mut part) = form.next_part().await? {
                part.text().await?;
                count += 1;
            }
            Ok::<_, Response>(Response::text(count.to_string()))
        })
}

async fn serve(limits: Limits) -> io::Result<Server> {
    Server::bind(app().limits(limits), "127.0.0.1:0").await
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend_from_slice(&[kind, flags]);
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// A text of HPACK, not compressed.
fn text(text: &str) -> Vec<u8> {
    let mut coded = match text.len() {
        length @ 0..127 => vec![length as u8],
        mut length => {
            let mut coded = vec![127];
            length -= 127;
            while length >= 128 {
                coded.push((length % 128) as u8 | 128);
                length /= 128;
            }
            coded.push(length as u8);
            coded
        }
    };
    coded.extend_from_slice(text.as_bytes());
    coded
}

/// A header that is added to no table.
fn header(name: &str, value: &str) -> Vec<u8> {
    [vec![0], text(name), text(value)].concat()
}

fn head_of(method: &str, path: &str, authority: &str) -> Vec<u8> {
    [
        header(":method", method),
        vec![0x86],
        header(":path", path),
        header(":authority", authority),
    ]
    .concat()
}

fn get(path: &str) -> Vec<u8> {
    head_of("GET", path, "x")
}

fn post(path: &str) -> Vec<u8> {
    head_of("POST", path, "x")
}

/// The status in a block of headers, where it is the first.
fn status(block: &[u8]) -> u16 {
    const INDEXED: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    if block[0] & 0x80 != 0 {
        return INDEXED[usize::from(block[0] & 0x7f) - 8];
    }
    let value = &block[2..][..usize::from(block[1] & 0x7f)];
    if block[1] & 0x80 == 0 {
        let text = std::str::from_utf8(value).expect("digits");
        return text.parse().expect("a number");
    }
    // Huffman's digits: 0 to 2 have five bits, the others six, of which the first two are 01.
    let bits: Vec<u8> = value
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
        .collect();
    let mut at = 0;
    let mut status = 0;
    for _ in 0..3 {
        let long = bits[at + 1] == 1;
        let length = if long { 6 } else { 5 };
        let code = bits[at..at + length]
            .iter()
            .fold(0u16, |code, bit| code << 1 | u16::from(*bit));
        status = status * 10 + if long { code - 0x19 + 3 } else { code };
        at += length;
    }
    status
}

#[derive(Debug)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Frame {
    /// The code of a RST_STREAM or GOAWAY.
    fn code(&self) -> u32 {
        let at = self.payload.len().min(8) - 4;
        let code = self.payload[at..at + 4].try_into().expect("four bytes");
        u32::from_be_bytes(code)
    }
}

struct Peer {
    reader: StreamReader,
    writer: Rc<StreamWriter>,
}

impl Peer {
    async fn connect(server: &Server) -> io::Result<Self> {
        Peer::with_settings(server, &[]).await
    }

    async fn with_settings(server: &Server, settings: &[(u16, u32)]) -> io::Result<Self> {
        let (reader, writer) = aio::open_connection(server.local_addr()).await?;
        let peer = Peer {
            reader,
            writer: Rc::new(writer),
        };
        peer.writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let payload: Vec<u8> = settings
            .iter()
            .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        peer.send(SETTINGS, 0, 0, &payload);
        Ok(peer)
    }

    fn send(&self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.writer.write(&frame(kind, flags, stream, payload));
    }

    /// The next frame; None when the connection has ended or was reset.
    async fn next(&mut self) -> Option<Frame> {
        let head = self.reader.read_exactly(9).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let payload = self.reader.read_exactly(length as usize).await.ok()?;
        Some(Frame {
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
            payload: payload.to_vec(),
        })
    }

    /// The next frame of this kind.
    async fn until(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// The code of the GOAWAY that ends the connection; None when it ends without one.
    async fn go_away(&mut self) -> Option<u32> {
        Some(self.until(GOAWAY).await?.code())
    }

    /// How a stream ends: with this status, or reset with this code.
    async fn outcome(&mut self, stream: u32) -> Outcome {
        loop {
            match self.next().await {
                None => return Outcome::Closed,
                Some(frame) if frame.kind == GOAWAY => return Outcome::GoAway(frame.code()),
                Some(frame) if frame.stream != stream => {}
                Some(frame) if frame.kind == RESET => return Outcome::Reset(frame.code()),
                Some(frame) if frame.kind == HEADERS => {
                    return Outcome::Status(status(&frame.payload));
                }
                Some(_) => {}
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Status(u16),
    Reset(u32),
    GoAway(u32),
    Closed,
}

/// Sends the frames on a connection of their own: the code of the GOAWAY that ends it.
async fn attack(server: &Server, frames: &[u8]) -> io::Result<Option<u32>> {
    let mut peer = Peer::connect(server).await?;
    peer.writer.write(frames);
    Ok(peer.go_away().await)
}

/// A server that has been attacked serves on.
async fn serves_on(server: &Server) -> io::Result<()> {
    let mut peer = Peer::connect(server).await?;
    peer.send(HEADERS, WHOLE, 1, &get("/"));
    assert_eq!(peer.outcome(1).await, Outcome::Status(200));
    Ok(())
}

#[test]
fn floods_end_their_connection_and_no_other() -> io::Result<()> {
    let body = frame(HEADERS, END_HEADERS, 1, &post("/"));
    let flood = |frame: Vec<u8>, count| [body.clone(), frame.repeat(count)].concat();
    let opaque = [7; 8];
    let floods = [
        ("PING", frame(PING, 0, 0, &opaque), 10_000),
        ("PING's answers", frame(PING, ACK, 0, &opaque), 10_000),
        ("SETTINGS", frame(SETTINGS, 0, 0, &[]), 10_000),
        (
            "SETTINGS that change every window",
            [
                frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]),
                frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0]),
            ]
            .concat(),
            5_000,
        ),
        ("PRIORITY", frame(PRIORITY, 0, 3, &[0, 0, 0, 0, 1]), 10_000),
        ("unknown frames", frame(0xbb, 0, 0, &[0; 100]), 10_000),
        (
            "WINDOW_UPDATE",
            frame(WINDOW_UPDATE, 0, 0, &1u32.to_be_bytes()),
            10_000,
        ),
        (
            "WINDOW_UPDATE of a stream",
            frame(WINDOW_UPDATE, 0, 1, &1u32.to_be_bytes()),
            10_000,
        ),
        ("empty DATA", frame(DATA, 0, 1, &[]), 100_000),
    ];
    on_loop(async || {
        let server = serve(patient(|_| ())).await?;
        for (name, frame, count) in floods {
            let code = attack(&server, &flood(frame, count)).await?;
            assert_eq!(code, Some(ENHANCE_YOUR_CALM), "{name}");
        }
        // Each with one byte more than nothing, and padding around it.
        let padded = frame(DATA, 8, 1, &[&[200, b'x'][..], &[0; 200]].concat());
        let code = attack(&server, &flood(padded, 100_000)).await?;
        assert!(code.is_some(), "no more than the window lets through");
        serves_on(&server).await
    })
}

#[test]
fn rapid_resets_end_their_connection() -> io::Result<()> {
    on_loop(async || {
        let server = serve(patient(|_| ())).await?;
        let cancel = 8u32.to_be_bytes();
        let mut at_once = Vec::new();
        for stream in (1..2000).step_by(2) {
            at_once.extend(frame(HEADERS, WHOLE, stream, &get("/")));
            at_once.extend(frame(RESET, 0, stream, &cancel));
        }
        let code = attack(&server, &at_once).await?;
        assert_eq!(code, Some(ENHANCE_YOUR_CALM), "before they are seen");

        let mut peer = Peer::connect(&server).await?;
        let mut code = None;
        for round in 0..500 {
            let streams = (0..20).map(|number| 40 * round + 2 * number + 1);
            for stream in streams.clone() {
                peer.send(HEADERS, WHOLE, stream, &get("/forever"));
            }
            peer.send(PING, 0, 0, &[0; 8]);
            let answer = loop {
                match peer.next().await {
                    Some(frame) if [PING, GOAWAY].contains(&frame.kind) => break Some(frame),
                    Some(_) => {}
                    None => break None,
                }
            };
            if answer.as_ref().is_none_or(|frame| frame.kind == GOAWAY) {
                code = answer.map(|frame| frame.code());
                break;
            }
            for stream in streams {
                peer.send(RESET, 0, stream, &cancel);
            }
        }
        assert_eq!(code, Some(ENHANCE_YOUR_CALM), "each after it was seen");
        // A window beyond its bounds is a fault that makes the server reset the stream.
        let mut provoked = Vec::new();
        for stream in (1..2000).step_by(2) {
            provoked.extend(frame(HEADERS, WHOLE, stream, &get("/forever")));
            let most = 0x7fff_ffffu32.to_be_bytes();
            provoked.extend(frame(WINDOW_UPDATE, 0, stream, &most));
        }
        let code = attack(&server, &provoked).await?;
        assert_eq!(
            code,
            Some(ENHANCE_YOUR_CALM),
            "made by the server for faults of the client's"
        );
        serves_on(&server).await
    })
}

#[test]
fn handlers_of_streams_taken_back_are_bounded() -> io::Result<()> {
    on_loop(async || {
        let server = serve(patient(|limits| limits.streams = 10)).await?;
        let mut peer = Peer::connect(&server).await?;
        for number in 0..10 {
            let stream = 2 * number + 1;
            peer.send(HEADERS, WHOLE, stream, &get("/forever"));
            while server.requests() <= number as usize {
                aio::yield_now().await;
            }
            peer.send(RESET, 0, stream, &8u32.to_be_bytes());
        }
        peer.send(HEADERS, WHOLE, 21, &get("/"));
        assert_eq!(peer.outcome(21).await, Outcome::Status(503));
        assert_eq!(server.requests(), 10);
        serves_on(&server).await
    })
}

#[test]
fn more_streams_than_agreed_are_refused() -> io::Result<()> {
    on_loop(async || {
        let server = serve(patient(|limits| limits.streams = 3)).await?;
        let mut peer = Peer::connect(&server).await?;
        for stream in [1, 3, 5, 7] {
            peer.send(HEADERS, WHOLE, stream, &get("/forever"));
        }
        assert_eq!(peer.outcome(7).await, Outcome::Reset(REFUSED_STREAM));
        assert_eq!(server.requests(), 3);
        Ok(())
    })
}

#[test]
fn more_requests_than_can_be_handled_are_told_to_come_back() -> io::Result<()> {
    on_loop(async || {
        let server = serve(patient(|limits| limits.requests = 1)).await?;
        let mut peer = Peer::connect(&server).await?;
        peer.send(HEADERS, WHOLE, 1, &get("/forever"));
        peer.send(HEADERS, WHOLE, 3, &get("/"));
        assert_eq!(peer.outcome(3).await, Outcome::Status(503));
        Ok(())
    })
}

#[test]
fn an_idle_connection_makes_way_for_a_new_one() -> io::Result<()> {
    on_loop(async || {
        let server = serve(patient(|limits| limits.connections = 1)).await?;
        let mut first = Peer::connect(&server).await?;
        first.send(HEADERS, WHOLE, 1, &get("/"));
        assert_eq!(first.outcome(1).await, Outcome::Status(200));
        // It never says that it has heard that it is to go. The codec alone would give it 40 s for that.
        let makes_way = aio::wait_for(serves_on(&server), Duration::from_secs(20));
        makes_way.await.expect("in time")?;
        assert_eq!(first.go_away().await, Some(0), "in good order");
        Ok(())
    })
}

#[test]
fn headers_are_not_collected_without_end() -> io::Result<()> {
    on_loop(async || {
        let server = serve(patient(|_| ())).await?;
        // A literal header of 100 bytes in each.
        let more = frame(CONTINUATION, 0, 1, &header("a", &"b".repeat(100)));
        let begun = frame(HEADERS, END_STREAM, 1, &get("/"));
        let endless = [begun.clone(), more.repeat(10_000)].concat();
        let code = attack(&server, &endless).await?;
        assert_eq!(code, Some(ENHANCE_YOUR_CALM), "CONTINUATION");
        let empty = [begun.clone(), frame(CONTINUATION, 0, 1, &[]).repeat(10_000)].concat();
        let code = attack(&server, &empty).await?;
        assert_eq!(code, Some(ENHANCE_YOUR_CALM), "empty CONTINUATION");
        // One entry of the table, which has 4,096 bytes, named again and again by a byte each: 60 MB.
        let entry = [vec![0x40], text("a"), text(&"b".repeat(4000))].concat();
        let bomb = [get("/"), entry, vec![0xbe; 15_000]].concat();
        let code = attack(&server, &frame(HEADERS, WHOLE, 1, &bomb[..16_384])).await;
        assert_eq!(code?, Some(ENHANCE_YOUR_CALM), "a bomb of HPACK");
        // Entries beyond the table, and a table larger than allowed.
        for (name, block) in [
            ("an entry that is not there", vec![0xff, 0xff, 0x7f]),
            ("too large a table", vec![0x3f, 0xff, 0xff, 0x7f]),
            ("a text that does not end", vec![0x00, 0x7f, 0xff, 0xff]),
            ("a number without end", vec![0xff; 100]),
        ] {
            let code = attack(&server, &frame(HEADERS, WHOLE, 1, &block)).await?;
            assert!(code.is_some_and(|code| code > 0), "{name}: {code:?}");
        }
        let between = [begun, frame(PING, 0, 0, &[0; 8])].concat();
        let code = attack(&server, &between).await?;
        assert_eq!(code, Some(PROTOCOL_ERROR), "a PING between headers");
        serves_on(&server).await
    })
}

#[test]
fn headers_that_do_not_end_in_time_end_the_connection() -> io::Result<()> {
    on_loop(async || {
        let server = serve(patient(|limits| limits.header_time = SHORT)).await?;
        let begun = frame(HEADERS, END_STREAM, 1, &get("/"));
        let head = frame(HEADERS, WHOLE, 1, &get("/"));
        for (name, bytes) in [
            ("no CONTINUATION", &begun[..]),
            ("half a head", &head[..20]),
            ("half a frame's head", &head[..5]),
            ("half a PING", &frame(PING, 0, 0, &[0; 8])[..12]),
        ] {
            let code = attack(&server, bytes).await?;
            assert_eq!(code, Some(ENHANCE_YOUR_CALM), "{name}");
        }
        let mut peer = Peer::connect(&server).await?;
        let drips = peer.writer.clone();
        let dripping = aio::create_task(async move {
            drips.write(&begun);
            loop {
                drips.write(&frame(CONTINUATION, 0, 1, &[]));
                if drips.drain().await.is_err() {
                    return;
                }
                aio::sleep(Duration::from_millis(10)).await;
            }
        });
        assert_eq!(peer.go_away().await, Some(ENHANCE_YOUR_CALM), "it drips");
        dripping.cancel();
        // Half a preface, too, and none at all.
        let (mut reader, writer) = aio::open_connection(server.local_addr()).await?;
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM");
        assert!(reader.read(1).await?.is_empty());
        serves_on(&server).await
    })
}

#[test]
fn heads_that_come_in_halves_are_each_given_their_time() -> io::Result<()> {
    on_loop(async || {
        let patience = Duration::from_millis(500);
        let server = serve(patient(|limits| limits.header_time = patience)).await?;
        let mut peer = Peer::connect(&server).await?;
        let mut carried = Vec::new();
        // The connection waits within a head all along, and longer than for one.
        for stream in (1..120).step_by(2) {
            carried.extend(frame(HEADERS, WHOLE, stream, &get("/")));
            let rest = carried.split_off(carried.len() - 7);
            peer.writer.write(&carried);
            carried = rest;
            aio::sleep(Duration::from_millis(12)).await;
        }
        peer.writer.write(&carried);
        assert_eq!(peer.outcome(119).await, Outcome::Status(200));
        Ok(())
    })
}

#[test]
fn an_idle_connection_is_closed() -> io::Result<()> {
    on_loop(async || {
        let server = serve(patient(|limits| limits.keep_alive = SHORT)).await?;
        let mut peer = Peer::connect(&server).await?;
        peer.send(HEADERS, WHOLE, 1, &get("/"));
        assert_eq!(peer.outcome(1).await, Outcome::Status(200));
        assert_eq!(peer.go_away().await, Some(0), "in good order");
        let mut silent = Peer::connect(&server).await?;
        assert_eq!(silent.go_away().await, Some(0), "one that never asks");
        Ok(())
    })
}

#[test]
fn a_slow_body_is_cut_off() -> io::Result<()> {
    on_loop(async || {
        let idle = serve(patient(|limits| limits.body_idle = SHORT)).await?;
        for path in ["/", "/form"] {
            let mut peer = Peer::connect(&idle).await?;
            let kind = header("content-type", "multipart/form-data; boundary=b");
            peer.send(HEADERS, END_HEADERS, 1, &[post(path), kind].concat());
            peer.send(DATA, 0, 1, b"--b\r\n");
            // Whatever else it says meanwhile.
            let says = peer.writer.clone();
            let saying = aio::create_task(async move {
                loop {
                    says.write(&frame(PING, 0, 0, &[0; 8]));
                    aio::sleep(Duration::from_millis(10)).await;
                }
            });
            assert_eq!(peer.outcome(1).await, Outcome::Status(408), "{path}");
            saying.cancel();
        }
        let drips = serve(patient(|limits| {
            limits.body_grace = SHORT;
            limits.body_rate = 240;
        }))
        .await?;
        let mut peer = Peer::connect(&drips).await?;
        peer.send(HEADERS, END_HEADERS, 1, &post("/"));
        let drops = peer.writer.clone();
        let dripping = aio::create_task(async move {
            loop {
                drops.write(&frame(DATA, 0, 1, b"x"));
                aio::sleep(Duration::from_millis(10)).await;
            }
        });
        assert_eq!(peer.outcome(1).await, Outcome::Status(408), "it drips");
        dripping.cancel();
        Ok(())
    })
}

/// Waits until the server has cut its only connection off.
async fn is_cut_off(server: &Server) {
    while server.connections() == 0 {
        aio::yield_now().await;
    }
    while server.connections() > 0 {
        aio::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn who_opens_no_window_is_cut_off() -> io::Result<()> {
    const INITIAL_WINDOW_SIZE: u16 = 4;
    on_loop(async || {
        let server = serve(patient(|limits| limits.write_stall = SHORT)).await?;
        for path in ["/", "/big", "/stream"] {
            let peer = Peer::with_settings(&server, &[(INITIAL_WINDOW_SIZE, 0)]).await?;
            peer.send(HEADERS, WHOLE, 1, &get(path));
            let says = peer.writer.clone();
            let saying = aio::create_task(async move {
                loop {
                    says.write(&frame(PING, 0, 0, &[0; 8]));
                    aio::sleep(Duration::from_millis(10)).await;
                }
            });
            is_cut_off(&server).await;
            saying.cancel();
        }
        // It takes what its windows are at the beginning, and no more.
        let mut peer = Peer::connect(&server).await?;
        peer.send(HEADERS, WHOLE, 1, &get("/big"));
        let mut came = 0;
        while let Some(data) = peer.until(DATA).await {
            came += data.payload.len();
        }
        assert_eq!(came, 65_535);
        // It shrinks its window below zero when the response has begun.
        let mut peer = Peer::connect(&server).await?;
        peer.send(HEADERS, WHOLE, 1, &get("/stream"));
        assert!(peer.until(DATA).await.is_some());
        peer.send(SETTINGS, 0, 0, &[0, INITIAL_WINDOW_SIZE as u8, 0, 0, 0, 0]);
        while peer.next().await.is_some() {}
        serves_on(&server).await
    })
}

#[test]
fn who_opens_windows_or_waits_for_a_handler_is_not_cut_off() -> io::Result<()> {
    on_loop(async || {
        let silent = app().get("/silent", async |_: Request| {
            Response::write_with(async |body| {
                body.write("first").await?;
                aio::sleep(Duration::from_millis(300)).await;
                body.write("last").await
            })
        });
        let limits = patient(|limits| limits.write_stall = Duration::from_millis(150));
        let server = Server::bind(silent.limits(limits), "127.0.0.1:0").await?;
        let mut peer = Peer::connect(&server).await?;
        peer.send(HEADERS, WHOLE, 1, &get("/silent"));
        let mut said = Vec::new();
        while let Some(data) = peer.until(DATA).await {
            said.extend_from_slice(&data.payload);
            if data.flags & END_STREAM != 0 {
                break;
            }
        }
        assert_eq!(said, b"firstlast", "it is the handler that is slow");
        peer.send(HEADERS, WHOLE, 3, &get("/big"));
        let mut came = 0;
        while let Some(data) = peer.until(DATA).await {
            came += data.payload.len();
            if data.flags & END_STREAM != 0 {
                break;
            }
            // As some do, a kilobyte at a time.
            for piece in data.payload.chunks(1024) {
                let taken = (piece.len() as u32).to_be_bytes();
                peer.send(WINDOW_UPDATE, 0, 0, &taken);
                peer.send(WINDOW_UPDATE, 0, 3, &taken);
            }
        }
        assert_eq!(came, 1024 * 1024);
        serves_on(&server).await
    })
}

#[test]
fn who_does_not_read_is_cut_off() -> io::Result<()> {
    on_loop(async || {
        let server = serve(patient(|limits| limits.write_stall = SHORT)).await?;
        let most = 0x7fff_ffff;
        let peer = Peer::with_settings(&server, &[(4, most)]).await?;
        peer.send(WINDOW_UPDATE, 0, 0, &(most - 65_535).to_be_bytes());
        // It opens every window, but leaves the bytes in the socket.
        peer.send(HEADERS, WHOLE, 1, &get("/stream"));
        is_cut_off(&server).await;
        drop(peer);
        Ok(())
    })
}

#[test]
fn what_is_too_large_is_told_so() -> io::Result<()> {
    on_loop(async || {
        let server = serve(patient(|_| ())).await?;
        let with = |more: Vec<u8>| [get("/"), more].concat();
        let lines = |count| header("a", "b").repeat(count);
        let cases = [
            ("a path", get(&format!("/{}", "a".repeat(8192))), 414),
            (
                "a path that fits",
                get(&format!("/x/{}", "a".repeat(8188))),
                200,
            ),
            ("a field", with(header("a", &"b".repeat(8193))), 431),
            ("101 fields", with(lines(101)), 431),
            ("100 fields", with(lines(100)), 200),
            (
                "17 KiB of fields",
                with(header("a", &"b".repeat(5_000)).repeat(3)),
                200,
            ),
            (
                "a list above 16 KiB",
                [
                    get("/"),
                    [vec![0x40], text("a"), text(&"b".repeat(4000))].concat(),
                    vec![0xbe; 5],
                ]
                .concat(),
                431,
            ),
        ];
        for (name, block, expected) in cases {
            let mut peer = Peer::connect(&server).await?;
            peer.send(HEADERS, WHOLE, 1, &block);
            let outcome = peer.outcome(1).await;
            assert_eq!(outcome, Outcome::Status(expected), "{name}");
        }
        let small = serve(patient(|limits| {
            limits.header_bytes = 500;
            limits.body = 1000;
        }))
        .await?;
        let mut peer = Peer::connect(&small).await?;
        peer.send(HEADERS, WHOLE, 1, &with(header("a", &"b".repeat(500))));
        assert_eq!(peer.outcome(1).await, Outcome::Status(431), "set lower");
        for (name, more) in [
            ("a body of a length told", header("content-length", "1001")),
            ("a body of a length untold", Vec::new()),
        ] {
            let mut peer = Peer::connect(&small).await?;
            peer.send(HEADERS, END_HEADERS, 1, &[post("/"), more].concat());
            peer.send(DATA, END_STREAM, 1, &[b'x'; 1001]);
            assert_eq!(peer.outcome(1).await, Outcome::Status(413), "{name}");
        }
        Ok(())
    })
}

#[test]
fn a_form_is_held_to_its_limits() -> io::Result<()> {
    on_loop(async || {
        let server = serve(patient(|limits| {
            limits.parts = 3;
            limits.part_headers = 500;
            limits.form_bytes = 2000;
        }))
        .await?;
        let part = |value: &str| {
            format!("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n{value}\r\n")
        };
        for (name, form, expected) in [
            ("three parts", part("1").repeat(3) + "--b--\r\n", 200),
            ("four parts", part("1").repeat(4) + "--b--\r\n", 413),
            (
                "a long head of a part",
                format!("--b\r\nA: {}\r\n", "b".repeat(600)),
                400,
            ),
            ("3,000 bytes", part(&"x".repeat(3000)) + "--b--\r\n", 413),
        ] {
            let mut peer = Peer::connect(&server).await?;
            let kind = header("content-type", "multipart/form-data; boundary=b");
            peer.send(HEADERS, END_HEADERS, 1, &[post("/form"), kind].concat());
            peer.send(DATA, END_STREAM, 1, form.as_bytes());
            assert_eq!(peer.outcome(1).await, Outcome::Status(expected), "{name}");
        }
        Ok(())
    })
}

#[test]
fn windows_out_of_bounds_are_refused() -> io::Result<()> {
    on_loop(async || {
        let server = serve(patient(|_| ())).await?;
        let most = 0x7fff_ffffu32.to_be_bytes();
        let overflow = frame(WINDOW_UPDATE, 0, 0, &most);
        let code = attack(&server, &overflow).await?;
        assert_eq!(code, Some(FLOW_CONTROL_ERROR), "the connection's");
        let settings = frame(SETTINGS, 0, 0, &[0, 4, 0x80, 0, 0, 0]);
        let code = attack(&server, &settings).await?;
        assert!(
            [Some(FLOW_CONTROL_ERROR), Some(PROTOCOL_ERROR)].contains(&code),
            "the first of each stream: {code:?}"
        );
        let nothing = frame(WINDOW_UPDATE, 0, 0, &[0; 4]);
        let code = attack(&server, &nothing).await?;
        assert_eq!(code, Some(PROTOCOL_ERROR), "by nothing");
        let mut peer = Peer::connect(&server).await?;
        peer.send(HEADERS, WHOLE, 1, &get("/forever"));
        peer.send(WINDOW_UPDATE, 0, 1, &most);
        let outcome = peer.outcome(1).await;
        assert_eq!(outcome, Outcome::Reset(FLOW_CONTROL_ERROR), "a stream's");
        // More than the window that we gave.
        let mut peer = Peer::connect(&server).await?;
        peer.send(HEADERS, END_HEADERS, 1, &head_of("GET", "/forever", "x"));
        for _ in 0..5 {
            peer.send(DATA, 0, 1, &[0; 16_384]);
        }
        let outcome = peer.outcome(1).await;
        assert!(
            [
                Outcome::Reset(FLOW_CONTROL_ERROR),
                Outcome::GoAway(FLOW_CONTROL_ERROR)
            ]
            .contains(&outcome),
            "{outcome:?}"
        );
        serves_on(&server).await
    })
}

#[test]
fn frames_where_they_must_not_be_end_the_connection() -> io::Result<()> {
    on_loop(async || {
        let server = serve(patient(|_| ())).await?;
        for (name, frames) in [
            (
                "a stream of an even number",
                frame(HEADERS, WHOLE, 2, &get("/")),
            ),
            (
                "a stream below the last",
                [
                    frame(HEADERS, WHOLE, 5, &get("/")),
                    frame(HEADERS, WHOLE, 3, &get("/")),
                ]
                .concat(),
            ),
            ("headers of no stream", frame(HEADERS, WHOLE, 0, &get("/"))),
            ("DATA of a stream that is idle", frame(DATA, 0, 1, b"x")),
            ("a stray CONTINUATION", frame(CONTINUATION, 4, 1, &get("/"))),
            ("too long a frame", frame(DATA, 0, 1, &[0; 16_385])),
            ("a short PING", frame(PING, 0, 0, &[0; 7])),
            ("a PING on a stream", frame(PING, 0, 1, &[0; 8])),
            ("half a setting", frame(SETTINGS, 0, 0, &[0; 5])),
            (
                "an answer to no SETTINGS",
                frame(SETTINGS, ACK, 0, &[]).repeat(3),
            ),
            ("a push by the client", frame(5, 4, 1, &[0, 0, 0, 2])),
            (
                "more padding than payload",
                [
                    frame(HEADERS, END_HEADERS, 1, &post("/")),
                    frame(DATA, 8, 1, &[200, 1, 2]),
                ]
                .concat(),
            ),
        ] {
            let code = attack(&server, &frames).await?;
            assert!(code.is_some_and(|code| code > 0), "{name}: {code:?}");
        }
        serves_on(&server).await
    })
}

/// What would be read in two ways once it is passed on as HTTP/1.
#[test]
fn a_head_that_can_be_read_in_two_ways_is_refused() -> io::Result<()> {
    let bad = Outcome::Status(400);
    let malformed = Outcome::Reset(PROTOCOL_ERROR);
    let plain = |more: Vec<u8>| [post("/"), more].concat();
    let without_host = [header(":method", "GET"), vec![0x86, 0x84]].concat();
    let cases = [
        ("no host", without_host.clone(), &bad),
        (
            "a host in place of an authority",
            [without_host.clone(), header("host", "x")].concat(),
            &Outcome::Status(200),
        ),
        (
            "two hosts",
            [without_host, header("host", "x"), header("host", "x")].concat(),
            &bad,
        ),
        (
            "a host that differs",
            [get("/"), header("host", "y")].concat(),
            &bad,
        ),
        (
            "the same host",
            [get("/"), header("host", "X")].concat(),
            &Outcome::Status(200),
        ),
        ("a user in the authority", head_of("GET", "/", "a@x"), &bad),
        ("an asterisk for GET", head_of("GET", "*", "x"), &bad),
        ("a broken escape", get("/x/%zz"), &bad),
        ("half an escape", get("/x/%"), &bad),
        ("an escaped NUL", get("/x/%00"), &bad),
        ("no UTF-8", get("/x/%ff"), &bad),
        (
            "a path in the authority",
            head_of("GET", "/", "x/y"),
            &malformed,
        ),
        ("no path", head_of("GET", "", "x"), &malformed),
        ("a path without a slash", get("x"), &malformed),
        ("a blank in the path", get("/x y"), &malformed),
        (
            "a line end in the path",
            get("/ HTTP/1.1\r\nHost: y\r\n\r\n"),
            &malformed,
        ),
        (
            "a blank in the method",
            head_of("GET /x", "/", "x"),
            &malformed,
        ),
        (
            "a line end in a value",
            plain(header("a", "b\r\nc: d")),
            &malformed,
        ),
        ("a NUL in a value", plain(header("a", "b\0c")), &malformed),
        ("a colon in a name", plain(header("a:b", "c")), &malformed),
        (
            "a line end in a name",
            plain(header("a\r\nb", "c")),
            &malformed,
        ),
        ("a capital in a name", plain(header("Ab", "c")), &malformed),
        (
            "a coding of the message",
            plain(header("transfer-encoding", "chunked")),
            &malformed,
        ),
        (
            "connection",
            plain(header("connection", "close")),
            &malformed,
        ),
        ("upgrade", plain(header("upgrade", "h2c")), &malformed),
        ("te", plain(header("te", "gzip")), &malformed),
        (
            "an unknown pseudo header",
            plain(header(":x", "y")),
            &malformed,
        ),
        (
            "a pseudo header too late",
            plain(header(":path", "/")),
            &malformed,
        ),
        (
            "no method",
            [vec![0x86, 0x84], header(":authority", "x")].concat(),
            &malformed,
        ),
    ];
    on_loop(async || {
        let server = serve(patient(|_| ())).await?;
        for (name, block, expected) in &cases {
            let mut peer = Peer::connect(&server).await?;
            peer.send(HEADERS, WHOLE, 1, block);
            let outcome = match peer.outcome(1).await {
                // Some of it ends the whole connection.
                Outcome::GoAway(PROTOCOL_ERROR) => Outcome::Reset(PROTOCOL_ERROR),
                outcome => outcome,
            };
            assert_eq!(outcome, **expected, "{name}");
        }
        for (name, lengths, body) in [
            ("a body longer than told", &["3"][..], "hello"),
            ("a body shorter than told", &["9"], "hello"),
            ("two lengths", &["5", "6"], "hello"),
            ("a sign", &["+5"], "hello"),
            ("no number", &["five"], "hello"),
            ("a length of 2^64", &["18446744073709551616"], "hello"),
        ] {
            let mut peer = Peer::connect(&server).await?;
            let lengths = lengths
                .iter()
                .map(|length| header("content-length", length));
            let block = plain(lengths.collect::<Vec<_>>().concat());
            peer.send(HEADERS, END_HEADERS, 1, &block);
            peer.send(DATA, END_STREAM, 1, body.as_bytes());
            let outcome = peer.outcome(1).await;
            assert!(
                outcome == malformed || outcome == bad,
                "{name}: {outcome:?}"
            );
        }
        // Trailers are none of the head's business.
        let mut peer = Peer::connect(&server).await?;
        peer.send(HEADERS, END_HEADERS, 1, &post("/"));
        peer.send(DATA, 0, 1, b"hello");
        peer.send(HEADERS, WHOLE, 1, &header("content-length", "9"));
        assert_eq!(peer.outcome(1).await, Outcome::Status(200));
        serves_on(&server).await
    })
}

#[test]
fn a_client_that_is_busy_may_ping_and_open_windows() -> io::Result<()> {
    on_loop(async || {
        let server = serve(patient(|_| ())).await?;
        let mut peer = Peer::connect(&server).await?;
        // Each request with PINGs, a PRIORITY and a window of its own, as some clients have it.
        for stream in (1..400).step_by(2) {
            peer.send(HEADERS, WHOLE, stream, &get("/"));
            peer.send(PRIORITY, 0, stream, &[0, 0, 0, 0, 1]);
            peer.send(WINDOW_UPDATE, 0, 0, &5u32.to_be_bytes());
            for _ in 0..4 {
                peer.send(PING, 0, 0, &[0; 8]);
            }
            assert_eq!(peer.outcome(stream).await, Outcome::Status(200));
        }
        Ok(())
    })
}
