//! A request, and what has to come back for it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::page;

/// No server that works is silent for this long.
pub const PATIENCE: Duration = Duration::from_secs(10);

const UPGRADE: &[u8] =
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// What a connection sends again and again, and the body that each answer must have.
#[derive(Clone)]
pub struct Exchange {
    request: Vec<u8>,
    body: Vec<u8>,
    deep: usize,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Http,
    WebSocket,
}

/// What a server's answers look like: they are all of one length, and only their heads' dates differ.
#[derive(Clone)]
pub struct Answer {
    start: Vec<u8>,
    body: Vec<u8>,
    /// In bytes, head and body.
    pub length: usize,
}

impl Answer {
    /// Whether these bytes are one.
    pub fn is(&self, bytes: &[u8]) -> bool {
        bytes.len() == self.length && bytes.starts_with(&self.start) && bytes.ends_with(&self.body)
    }
}

impl Exchange {
    /// GET of a small page that all servers have.
    pub fn hello() -> Self {
        Self::get("/hello/world", page::hello("world"))
    }

    /// GET `path`, answered with `body`.
    pub fn get(path: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            request: format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes(),
            body: body.into(),
            deep: 1,
            kind: Kind::Http,
        }
    }

    /// POST `body` to `/echo`, answered with the same.
    pub fn echo(body: Vec<u8>) -> Self {
        let length = body.len();
        let head =
            format!("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
        Self {
            request: [head.as_bytes(), &body].concat(),
            body,
            deep: 1,
            kind: Kind::Http,
        }
    }

    /// A binary message of up to 125 bytes over a WebSocket, answered with the same.
    pub fn message(payload: &[u8]) -> Self {
        let length = u8::try_from(payload.len()).expect("a short message");
        // A mask of zeros leaves the payload as it is; the server takes it off all the same.
        let masked = [0x82, 0x80 | length, 0, 0, 0, 0];
        Self {
            request: [&masked[..], payload].concat(),
            body: [&[0x82, length][..], payload].concat(),
            deep: 1,
            kind: Kind::WebSocket,
        }
    }

    /// So many requests at once on each connection.
    pub fn pipelined(self, deep: usize) -> Self {
        Self { deep, ..self }
    }

    /// Requests that are sent at once.
    pub fn deep(&self) -> usize {
        self.deep
    }

    /// What is sent at once.
    pub fn batch(&self) -> Vec<u8> {
        self.request.repeat(self.deep)
    }

    /// A connection on which requests can follow.
    pub fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        if self.kind == Kind::WebSocket {
            stream.write_all(UPGRADE)?;
            let head = read_head(&mut stream)?;
            assert!(head.starts_with("HTTP/1.1 101"), "no WebSocket: {head}");
        }
        Ok(stream)
    }

    /// Asks once, checks the answer as a whole, and so learns its length.
    pub fn probe(&self, address: SocketAddr) -> io::Result<Answer> {
        let mut stream = self.connect(address)?;
        stream.write_all(&self.request)?;
        let (start, length) = match self.kind {
            Kind::WebSocket => (Vec::new(), 0),
            Kind::Http => {
                let head = read_head(&mut stream)?;
                assert!(head.starts_with("HTTP/1.1 200"), "a refusal: {head}");
                assert_eq!(content_length(&head), Some(self.body.len()), "{head}");
                let end = head.find('\r').unwrap_or(head.len());
                (head.as_bytes()[..end].to_vec(), head.len())
            }
        };
        let mut body = vec![0; self.body.len()];
        stream.read_exact(&mut body)?;
        assert!(body == self.body, "another body than was asked for");
        Ok(Answer {
            start,
            length: length + body.len(),
            body,
        })
    }
}

/// Byte by byte, since what follows is not the head's.
fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    String::from_utf8(head).map_err(io::Error::other)
}

fn content_length(head: &str) -> Option<usize> {
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = fields.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    lengths.next()?.1.trim().parse().ok()
}
