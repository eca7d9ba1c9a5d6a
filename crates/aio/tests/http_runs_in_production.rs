//! What matters in production: Unix sockets, sockets made before, HTTP/2 under attack, the log, the end.
#![cfg(feature = "http")]

use std::{io, time::Duration};

use aio::http::{App, Listener, Request, Server};

fn on_loop(test: impl AsyncFnOnce() -> io::Result<()>) -> io::Result<()> {
    aio::run(aio::wait_for(test(), Duration::from_secs(30)))??
}

fn app() -> App {
    App::new().get("/", async |request: Request| {
        format!("{:?}", request.peer_addr().map(|peer| peer.ip()))
    })
}

#[test]
fn one_server_listens_on_several_sockets_unix_ones_too() -> io::Result<()> {
    use std::{
        io::{Read, Write},
        os::unix::net::UnixStream,
    };
    let path = std::env::temp_dir().join(format!("aio-http-{}.sock", std::process::id()));
    on_loop(async || {
        let made_before = std::net::TcpListener::bind("127.0.0.1:0")?;
        let address = made_before.local_addr()?;
        let listeners = [
            Listener::unix(&path).await?,
            Listener::from_tcp(made_before)?,
        ];
        assert!(listeners[0].to_string().ends_with(".sock"));
        let server = Server::start(app(), listeners).await?;
        assert_eq!(server.local_addr(), address);
        assert!(
            Listener::unix(&path).await.is_err(),
            "somebody listens there"
        );
        let unix = path.clone();
        let answer = aio::to_thread(move || {
            let mut client = UnixStream::connect(unix)?;
            client.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
            let mut answer = String::new();
            client.read_to_string(&mut answer)?;
            Ok::<_, io::Error>(answer)
        });
        let answer = answer.await.map_err(io::Error::other)??;
        assert!(answer.ends_with("\r\n\r\nNone"), "{answer}");
        let (mut reader, writer) = aio::open_connection(address).await?;
        writer.write(b"GET / HTTP/1.0\r\n\r\n");
        assert!(reader.read_to_end().await?.ends_with(b"Some(127.0.0.1)"));
        server.close(Duration::ZERO).await;
        assert!(!path.exists(), "the socket's file is removed");
        // One that was left behind is taken over.
        drop(std::os::unix::net::UnixListener::bind(&path)?);
        Listener::unix(&path).await.map(drop)
    })
}

/// Whoever shares a listening socket can shut it down, and then each accept fails at once.
#[test]
fn a_socket_that_listens_no_more_does_not_keep_the_loop_busy() -> io::Result<()> {
    use std::{
        net::{Shutdown, TcpListener, TcpStream},
        os::fd::OwnedFd,
        rc::Rc,
    };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let same = TcpStream::from(OwnedFd::from(listener.try_clone()?));
    on_loop(async || {
        let paused = Rc::new(aio::sync::Event::new());
        let reported = paused.clone();
        aio::get_running_loop()?.set_exception_handler(move |context| {
            let text = context.to_string();
            assert!(text.contains("accepting pauses"), "{text}");
            reported.set();
        });
        let server = Server::start(app(), [Listener::from_tcp(listener)?]).await?;
        same.shutdown(Shutdown::Both)?;
        paused.wait().await;
        server.close(Duration::ZERO).await;
        Ok(())
    })
}

#[test]
fn a_client_that_only_ends_its_side_gets_its_answer() -> io::Result<()> {
    use std::io::{Read, Write};
    on_loop(async || {
        let slow = App::new().get("/", async |_: Request| {
            aio::sleep(Duration::from_millis(20)).await;
            "late, but here"
        });
        let server = Server::bind(slow, "127.0.0.1:0").await?;
        let address = server.local_addr();
        let answer = aio::to_thread(move || {
            let mut client = std::net::TcpStream::connect(address)?;
            client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")?;
            client.shutdown(std::net::Shutdown::Write)?;
            let mut answer = String::new();
            client.read_to_string(&mut answer)?;
            Ok::<_, io::Error>(answer)
        });
        let answer = answer.await.map_err(io::Error::other)??;
        assert!(answer.ends_with("late, but here"), "{answer}");
        Ok(())
    })
}

/// HTTP/2 by hand: what no proper client sends.
#[cfg(feature = "http2")]
mod http2 {
    use super::*;

    const HEADERS: u8 = 1;
    const RESET: u8 = 3;
    const SETTINGS: u8 = 4;
    const GOAWAY: u8 = 7;
    const WINDOW_UPDATE: u8 = 8;
    const CONTINUATION: u8 = 9;
    /// `GET http://x/`
    const ROOT: [u8; 6] = [0x82, 0x86, 0x84, 0x41, 0x01, b'x'];

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend_from_slice(&[kind, flags]);
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        frame
    }

    /// The code of the GOAWAY that ends the connection; None when it ends without one.
    async fn attack(server: &Server, frames: Vec<u8>) -> io::Result<Option<u32>> {
        let (mut reader, writer) = aio::open_connection(server.local_addr()).await?;
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        writer.write(&frame(SETTINGS, 0, 0, b""));
        writer.write(&frames);
        let mut code = None;
        while let Ok(head) = reader.read_exactly(9).await {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let Ok(payload) = reader.read_exactly(length as usize).await else {
                break;
            };
            if head[3] == GOAWAY {
                code = Some(u32::from_be_bytes([
                    payload[4], payload[5], payload[6], payload[7],
                ]));
                break;
            }
        }
        Ok(code)
    }

    #[test]
    fn attacks_end_their_connection_and_no_other() -> io::Result<()> {
        on_loop(async || {
            let server = Server::bind(app(), "127.0.0.1:0").await?;
            let mut resets = Vec::new();
            for number in 0..1000 {
                let stream = 2 * number + 1;
                resets.extend(frame(HEADERS, 0x5, stream, &ROOT));
                resets.extend(frame(RESET, 0, stream, &8u32.to_be_bytes()));
            }
            assert_eq!(
                attack(&server, resets).await?,
                Some(11),
                "rapid resets: enhance your calm"
            );
            let mut endless = frame(HEADERS, 0x1, 1, &ROOT);
            for _ in 0..1000 {
                // A literal header of 100 bytes.
                let header = [&[0x40, 1, b'a', 100][..], &[b'b'; 100]].concat();
                endless.extend(frame(CONTINUATION, 0, 1, &header));
            }
            assert!(
                attack(&server, endless).await?.is_some(),
                "headers without end"
            );
            let overflow = frame(WINDOW_UPDATE, 0, 0, &0x7fff_ffffu32.to_be_bytes());
            assert_eq!(
                attack(&server, overflow).await?,
                Some(3),
                "a window beyond 2^31"
            );
            let nonsense = frame(HEADERS, 0x5, 2, &ROOT);
            assert_eq!(
                attack(&server, nonsense).await?,
                Some(1),
                "a client's stream has an odd number"
            );
            let (mut reader, writer) = aio::open_connection(server.local_addr()).await?;
            writer.write(b"GET / HTTP/1.0\r\n\r\n");
            assert!(reader.read_to_end().await?.ends_with(b"Some(127.0.0.1)"));
            Ok(())
        })
    }
}

/// The access log: one event a request, with what was asked and answered.
#[cfg(feature = "tracing")]
mod log {
    use super::*;
    use std::{
        fmt::{Debug, Write},
        sync::{Arc, Mutex},
    };
    use tracing::{
        Event, Metadata, Subscriber,
        field::{Field, Visit},
        span,
    };

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<String>>>);

    struct Line(String);

    impl Visit for Line {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            write!(self.0, "{}={value:?} ", field.name()).expect("a string takes all");
        }
    }

    impl Subscriber for Lines {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target().starts_with("aio::")
        }
        fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
            let mut line = Line("span ".to_owned());
            attributes.record(&mut line);
            self.0.lock().expect("nobody panics").push(line.0);
            span::Id::from_u64(1)
        }
        fn event(&self, event: &Event<'_>) {
            let mut line = Line("event ".to_owned());
            event.record(&mut line);
            self.0.lock().expect("nobody panics").push(line.0);
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    #[test]
    fn each_request_is_logged_once() -> io::Result<()> {
        let lines = Lines::default();
        let _guard = tracing::subscriber::set_default(lines.clone());
        on_loop(async || {
            let server = Server::bind(app().request_ids(), "127.0.0.1:0").await?;
            let (mut reader, writer) = aio::open_connection(server.local_addr()).await?;
            writer.write(b"GET /none?secret HTTP/1.0\r\nX-Request-Id: id-7\r\n\r\n");
            reader.read_to_end().await?;
            server.close(Duration::from_secs(1)).await;
            Ok(())
        })?;
        let lines = lines.0.lock().expect("nobody panics").clone();
        let events: Vec<_> = lines
            .iter()
            .filter(|line| line.starts_with("event"))
            .collect();
        assert_eq!(events.len(), 1, "{lines:?}");
        for part in [
            "message=answered",
            "method=GET",
            "path=\"/none\"",
            "status=404",
            "id=\"id-7\"",
            "peer=127.0.0.1:",
        ] {
            assert!(events[0].contains(part), "{part}: {}", events[0]);
        }
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with("span") && line.contains("path=\"/none\"")),
            "{lines:?}"
        );
        Ok(())
    }
}

/// HTTPS, with a certificate made for the test.
#[cfg(all(feature = "tls", feature = "client"))]
mod tls {
    use super::*;
    use aio::{http::ClientSession, tls::ServerConfig};

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    async fn secure(
        app: App,
    ) -> Result<(Server, ClientSession, String), Box<dyn std::error::Error>> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let config = ServerConfig::from_pem(made.cert.pem(), made.signing_key.serialize_pem())?;
        let listener = Listener::tcp("127.0.0.1:0").await?.tls(&config);
        assert!(listener.to_string().starts_with("https://"));
        let server = Server::start(app, [listener]).await?;
        let session = ClientSession::builder()
            .root_certificate(made.cert.pem().as_bytes())
            .no_proxy()
            .build()?;
        let base = format!("https://localhost:{}", server.local_addr().port());
        Ok((server, session, base))
    }

    fn within(test: impl AsyncFnOnce() -> Outcome) -> Outcome {
        aio::run(aio::wait_for(test(), Duration::from_secs(30)))??
    }

    #[test]
    fn requests_are_encrypted_and_the_best_version_is_agreed_on() -> Outcome {
        within(async || {
            let app = App::new()
                .get("/", async |request: Request| {
                    format!("{:?}", request.version())
                })
                .post("/echo", async |mut request: Request| request.text().await)
                .get("/big", async |_: Request| "big".repeat(1_000_000));
            let (server, session, base) = secure(app).await?;
            let best = if cfg!(feature = "http2") {
                "HTTP/2.0"
            } else {
                "HTTP/1.1"
            };
            assert_eq!(
                session
                    .get(&format!("{base}/"))
                    .send()
                    .await?
                    .text()
                    .await?,
                best
            );
            let body = "x".repeat(500_000);
            let echo = session
                .post(&format!("{base}/echo"))
                .body(body.clone())
                .send()
                .await?;
            assert_eq!(echo.text().await?.len(), body.len());
            assert_eq!(
                session
                    .get(&format!("{base}/big"))
                    .send()
                    .await?
                    .bytes()
                    .await?
                    .len(),
                3_000_000
            );
            let stranger = ClientSession::builder().no_proxy().build()?;
            let refused = stranger.get(&format!("{base}/")).send().await.unwrap_err();
            assert!(refused.is_connect(), "{refused}");
            server.close(Duration::from_secs(5)).await;
            Ok(())
        })
    }

    #[cfg(feature = "ws")]
    #[test]
    fn websockets_are_encrypted_too() -> Outcome {
        use aio::http::{Message, WebSocket, WebSocketError};
        within(async || {
            let app = App::new().get("/ws", async |request: Request| {
                WebSocket::upgrade(request, async |mut socket: WebSocket| {
                    while let Some(message) = socket.receive().await? {
                        socket.send(message).await?;
                    }
                    Ok::<(), WebSocketError>(())
                })
            });
            let (_server, session, base) = secure(app).await?;
            let mut socket = session
                .ws_connect(&format!("{base}/ws").replace("https", "wss"))
                .await?;
            for size in [1, 100_000, 900_000] {
                socket.send(vec![7; size]).await?;
                assert_eq!(
                    socket.receive().await?,
                    Some(Message::Binary(vec![7; size].into()))
                );
            }
            socket.close(1000, "").await;
            Ok(())
        })
    }
}

/// One address, served by two loops.
#[test]
fn several_loops_serve_one_port() -> io::Result<()> {
    use std::{collections::BTreeSet, num::NonZeroUsize};
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let two = NonZeroUsize::new(2).ok_or(io::ErrorKind::InvalidInput)?;
    let ended = aio::run_loops(two, async |core: aio::Core| {
        let index = core.index();
        let app = App::new().get("/", async move |_: Request| index.to_string());
        let server = Server::start(app, [Listener::from_tcp(listener.try_clone()?)?]).await?;
        if index == 0 {
            // Held open, so that a busy loop leaves the next one to the other.
            let mut answers = BTreeSet::new();
            let mut held = Vec::new();
            while answers.len() < 2 && held.len() < 500 {
                let (mut reader, writer) = aio::open_connection(address).await?;
                writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
                let head = reader.readuntil(b"\r\n\r\n").await?;
                assert!(head.starts_with(b"HTTP/1.1 200"));
                answers.insert(
                    reader
                        .read_exactly(1)
                        .await
                        .map_err(io::Error::other)?
                        .to_vec(),
                );
                held.push((reader, writer));
            }
            assert!(!answers.is_empty());
            drop(held);
            core.stop_all();
        }
        core.stopping().await;
        server.close(Duration::from_secs(5)).await;
        Ok::<(), io::Error>(())
    });
    ended.map(drop).map_err(io::Error::other)
}
