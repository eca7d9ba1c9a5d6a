//! WebSockets at the level of frames: the handshake, echoes, compression, limits, what a peer must not do, the end.
#![cfg(feature = "ws")]

use std::{io, time::Duration};

use aio::{
    StreamReader, StreamWriter,
    http::{App, CloseFrame, Request, Server, WebSocket, WebSocketError, WebSocketOptions},
};

fn on_loop(test: impl AsyncFnOnce() -> io::Result<()>) -> io::Result<()> {
    aio::run(aio::wait_for(test(), Duration::from_secs(20)))??
}

fn echo(options: WebSocketOptions) -> App {
    App::new().get("/ws", async move |request: Request| {
        WebSocket::upgrade_with(options.clone(), request, async |mut socket: WebSocket| {
            while let Some(message) = socket.receive().await? {
                socket.send(message).await?;
            }
            Ok::<(), WebSocketError>(())
        })
    })
}

/// A client that writes its frames by hand.
struct Peer {
    reader: StreamReader,
    writer: StreamWriter,
    head: String,
}

impl Peer {
    async fn connect(server: &Server, more: &str) -> io::Result<Self> {
        let (mut reader, writer) = aio::open_connection(server.local_addr()).await?;
        writer.write(
            format!(
                "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
            )
            .as_bytes(),
        );
        let head = reader.readuntil(b"\r\n\r\n").await?;
        let head = String::from_utf8_lossy(&head).into_owned();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        Ok(Peer {
            reader,
            writer,
            head,
        })
    }

    /// Sends a masked frame with this first byte.
    async fn send(&self, first: u8, payload: &[u8]) -> io::Result<()> {
        let mut frame = vec![first];
        match payload.len() {
            length @ 0..=125 => frame.push(0x80 | length as u8),
            length @ 126..=65_535 => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&(length as u16).to_be_bytes());
            }
            length => {
                frame.push(0x80 | 127);
                frame.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        let mask = [1, 2, 3, 4];
        frame.extend_from_slice(&mask);
        frame.extend(
            payload
                .iter()
                .zip(mask.iter().cycle())
                .map(|(byte, key)| byte ^ key),
        );
        self.writer.write(&frame);
        self.writer.drain().await
    }

    async fn receive(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let head = self.exact(2).await?;
        assert_eq!(head[1] & 0x80, 0, "a server does not mask");
        let wide = match head[1] {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let length = match wide {
            0 => usize::from(head[1]),
            wide => self
                .exact(wide)
                .await?
                .iter()
                .fold(0, |length, byte| length << 8 | usize::from(*byte)),
        };
        Ok((head[0], self.exact(length).await?))
    }

    async fn exact(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let bytes = self
            .reader
            .read_exactly(count)
            .await
            .map_err(io::Error::other)?;
        Ok(bytes.to_vec())
    }

    /// The code that the server closes with.
    async fn close_code(&mut self) -> io::Result<u16> {
        loop {
            let (first, payload) = self.receive().await?;
            if first == 0x88 {
                return Ok(u16::from_be_bytes([payload[0], payload[1]]));
            }
        }
    }
}

#[test]
fn messages_come_back_as_they_were_sent() -> io::Result<()> {
    on_loop(async || {
        let server = Server::bind(echo(WebSocketOptions::default()), "127.0.0.1:0").await?;
        let mut peer = Peer::connect(&server, "").await?;
        for size in [0, 1, 125, 126, 65_535, 65_536, 700_000] {
            let payload: Vec<u8> = (0..size).map(|number| (number % 251) as u8).collect();
            peer.send(0x82, &payload).await?;
            assert_eq!(peer.receive().await?, (0x82, payload), "{size} bytes");
        }
        peer.send(0x81, "grüße".as_bytes()).await?;
        assert_eq!(peer.receive().await?, (0x81, "grüße".into()));
        // In fragments, with a ping between them.
        peer.send(0x01, "gr\u{fc}".as_bytes().split_at(3).0).await?;
        peer.send(0x89, b"still there?").await?;
        peer.send(0x80, "gr\u{fc}ße".as_bytes().split_at(3).1)
            .await?;
        assert_eq!(peer.receive().await?, (0x8a, b"still there?".to_vec()));
        assert_eq!(
            peer.receive().await?,
            (
                0x81,
                "grü"
                    .bytes()
                    .take(3)
                    .chain("grüße".bytes().skip(3))
                    .collect()
            )
        );
        peer.send(0x88, &[0x03, 0xe8]).await?;
        assert_eq!(peer.receive().await?, (0x88, vec![0x03, 0xe8]));
        assert!(
            peer.reader.read(1).await?.is_empty(),
            "the server ends the connection first"
        );
        Ok(())
    })
}

/// A name, frames by their first byte and payload, and the code that they are closed with.
type Case = (&'static str, &'static [(u8, &'static [u8])], u16);

#[test]
fn a_peer_that_breaks_the_protocol_is_told_why() -> io::Result<()> {
    let limits = WebSocketOptions {
        frame: 1000,
        message: 1500,
        fragments: 4,
        ..WebSocketOptions::default()
    };
    let cases: &[Case] = &[
        ("a reserved bit", &[(0xc1, b"x")], 1002),
        ("an unknown code", &[(0x83, b"x")], 1002),
        ("a control frame in fragments", &[(0x09, b"x")], 1002),
        ("a long control frame", &[(0x89, &[0; 126])], 1002),
        ("a stray continuation", &[(0x80, b"x")], 1002),
        (
            "a message within a message",
            &[(0x01, b"x"), (0x81, b"y")],
            1002,
        ),
        ("text that is not UTF-8", &[(0x81, &[0xff])], 1007),
        ("half a code", &[(0x88, &[3])], 1002),
        ("a code that must not be", &[(0x88, &[0x03, 0xed])], 1002),
        (
            "a reason that is not UTF-8",
            &[(0x88, &[0x03, 0xe8, 0xff])],
            1007,
        ),
        ("a frame that is too long", &[(0x82, &[0; 1001])], 1009),
        (
            "a message that is too long",
            &[(0x02, &[0; 1000]), (0x80, &[0; 501])],
            1009,
        ),
        (
            "too many fragments",
            &[
                (0x02, b""),
                (0x00, b""),
                (0x00, b""),
                (0x00, b""),
                (0x80, b""),
            ],
            1002,
        ),
    ];
    on_loop(async || {
        aio::get_running_loop()?.set_exception_handler(|_| {});
        let server = Server::bind(echo(limits), "127.0.0.1:0").await?;
        for (name, frames, code) in cases {
            let mut peer = Peer::connect(&server, "").await?;
            for (first, payload) in *frames {
                peer.send(*first, payload).await?;
            }
            assert_eq!(peer.close_code().await?, *code, "{name}");
        }
        for (name, bytes, code) in [
            ("no mask", &[0x81, 0x01, b'x'][..], 1002),
            (
                "2^63 bytes announced",
                &[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                1002,
            ),
            (
                "2^62 bytes announced",
                &[0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                1009,
            ),
            (
                "a length written too long",
                &[0x82, 0xfe, 0, 5, 0, 0, 0, 0],
                1002,
            ),
        ] {
            let mut peer = Peer::connect(&server, "").await?;
            peer.writer.write(bytes);
            assert_eq!(peer.close_code().await?, code, "{name}");
        }
        Ok(())
    })
}

#[test]
fn messages_are_compressed_when_both_sides_agree() -> io::Result<()> {
    use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
    on_loop(async || {
        let options = WebSocketOptions {
            deflate: true,
            message: 100_000,
            ..WebSocketOptions::default()
        };
        aio::get_running_loop()?.set_exception_handler(|_| {});
        let server = Server::bind(echo(options), "127.0.0.1:0").await?;
        let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
        let mut peer = Peer::connect(&server, offer).await?;
        assert!(
            peer.head
                .contains("sec-websocket-extensions: permessage-deflate\r\n"),
            "{}",
            peer.head
        );
        let (mut deflate, mut inflate) = (
            Compress::new(Compression::fast(), false),
            Decompress::new(false),
        );
        let small = |deflate: &mut Compress, message: &[u8]| {
            let mut out = Vec::with_capacity(message.len() + 1000);
            deflate
                .compress_vec(message, &mut out, FlushCompress::Sync)
                .expect("it compresses");
            out.truncate(out.len() - 4);
            out
        };
        for _ in 0..3 {
            let message = "hello, compression! ".repeat(100);
            peer.send(0xc1, &small(&mut deflate, message.as_bytes()))
                .await?;
            let (first, mut payload) = peer.receive().await?;
            assert_eq!(first, 0xc1);
            assert!(payload.len() < 100);
            payload.extend_from_slice(&[0, 0, 0xff, 0xff]);
            let mut out = Vec::with_capacity(10_000);
            inflate.decompress_vec(&payload, &mut out, FlushDecompress::Sync)?;
            assert_eq!(out, message.as_bytes());
        }
        peer.send(
            0xc2,
            &small(
                &mut Compress::new(Compression::fast(), false),
                &vec![0; 1 << 20],
            ),
        )
        .await?;
        assert_eq!(peer.close_code().await?, 1009, "a bomb");
        let plain = Peer::connect(&server, "").await?;
        assert!(!plain.head.contains("extensions"), "{}", plain.head);
        Ok(())
    })
}

#[test]
fn what_is_no_handshake_is_refused() -> io::Result<()> {
    on_loop(async || {
        let server = Server::bind(echo(WebSocketOptions::default()), "127.0.0.1:0").await?;
        let ask = async |rest: &str| {
            let (mut reader, writer) = aio::open_connection(server.local_addr()).await?;
            writer.write(format!("GET /ws HTTP/1.1\r\nHost: x\r\n{rest}\r\n").as_bytes());
            let line = reader.readuntil(b"\r\n").await?;
            Ok::<_, io::Error>(String::from_utf8_lossy(&line)[9..12].to_owned())
        };
        let upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\n";
        let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        assert_eq!(ask("").await?, "400");
        assert_eq!(ask(&format!("{upgrade}{key}")).await?, "426");
        assert_eq!(
            ask(&format!("{upgrade}Sec-WebSocket-Version: 13\r\n")).await?,
            "400"
        );
        assert_eq!(
            ask(&format!("{upgrade}Sec-WebSocket-Version: 12\r\n{key}")).await?,
            "426"
        );
        assert_eq!(
            ask(&format!("{upgrade}Sec-WebSocket-Version: 13\r\n{key}")).await?,
            "101"
        );
        Ok(())
    })
}

#[test]
fn a_silent_peer_is_pinged_and_given_up() -> io::Result<()> {
    on_loop(async || {
        let period = Some(Duration::from_millis(200));
        let server = Server::bind(
            echo(WebSocketOptions {
                ping: period,
                close: Duration::from_millis(20),
                ..WebSocketOptions::default()
            }),
            "127.0.0.1:0",
        )
        .await?;
        let mut peer = Peer::connect(&server, "").await?;
        for _ in 0..3 {
            assert_eq!(peer.receive().await?, (0x89, Vec::new()));
            peer.send(0x8a, b"").await?;
        }
        assert_eq!(peer.receive().await?, (0x89, Vec::new()));
        // No answer: the server ends the connection.
        while !peer.reader.read(100).await.unwrap_or_default().is_empty() {}
        Ok(())
    })
}

#[test]
fn a_server_that_closes_says_goodbye_and_ends() -> io::Result<()> {
    on_loop(async || {
        let server = Server::bind(echo(WebSocketOptions::default()), "127.0.0.1:0").await?;
        let mut polite = Peer::connect(&server, "").await?;
        let closing = aio::create_task(async move {
            server.close(Duration::from_secs(10)).await;
        });
        assert_eq!(polite.close_code().await?, 1001);
        polite.send(0x88, &[0x03, 0xe9]).await?;
        closing.await.map_err(io::Error::other)?;
        Ok(())
    })
}

#[test]
fn other_tasks_may_send_meanwhile_and_the_reason_is_told() -> io::Result<()> {
    on_loop(async || {
        let (seen, mut told) = aio::create_future::<Option<CloseFrame>>();
        let seen = std::cell::RefCell::new(Some(seen));
        let seen = std::rc::Rc::new(seen);
        let app = App::new().get("/ws", async move |request: Request| {
            let seen = seen.clone();
            WebSocket::upgrade(request, async move |mut socket: WebSocket| {
                let sender = socket.sender();
                let sending = aio::create_task(async move {
                    for number in 0..100 {
                        sender.send(format!("{number}")).await?;
                        aio::yield_now().await;
                    }
                    Ok::<(), WebSocketError>(())
                });
                while socket.receive().await?.is_some() {}
                if let Some(setter) = seen.borrow_mut().take() {
                    setter.set(socket.close_frame());
                }
                sending.await.map_err(|_| WebSocketError::Closed)?
            })
        });
        let server = Server::bind(app, "127.0.0.1:0").await?;
        let mut peer = Peer::connect(&server, "").await?;
        for number in 0..100 {
            assert_eq!(
                peer.receive().await?,
                (0x81, number.to_string().into_bytes())
            );
        }
        peer.send(0x88, b"\x0f\xa0enough").await?;
        let frame = (&mut told).await.map_err(io::Error::other)?;
        assert_eq!(
            frame,
            Some(CloseFrame {
                code: 4000,
                reason: "enough".to_owned()
            })
        );
        Ok(())
    })
}
