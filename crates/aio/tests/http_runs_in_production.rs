//! What matters in production: Unix sockets, sockets made before, the log, the end.
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

/// The standard library's lets 128 wait. Beyond that a client's first packet is dropped, and it tries again after a second.
#[test]
fn a_burst_of_clients_waits_at_a_socket_that_was_made_before() -> io::Result<()> {
    on_loop(async || {
        let made = || std::net::TcpListener::bind("127.0.0.1:0");
        let (own, shared) = (made()?, made()?);
        let addresses = [own.local_addr()?, shared.local_addr()?];
        let _own = Listener::from_tcp(own)?;
        let _shared = aio::SharedListener::from_std(shared)?;
        for address in addresses {
            // Nobody accepts: each of them is waiting when it has connected.
            let waiting: io::Result<Vec<_>> = (0..300)
                .map(|_| std::net::TcpStream::connect_timeout(&address, Duration::from_secs(5)))
                .collect();
            assert_eq!(waiting?.len(), 300);
        }
        Ok(())
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
        // For all threads: whether anybody listens is found out once for all of them, and the other tests may be first.
        tracing::subscriber::set_global_default(lines.clone()).expect("it is the first");
        on_loop(async || {
            let server = Server::bind(app().request_ids(), "127.0.0.1:0").await?;
            let (mut reader, writer) = aio::open_connection(server.local_addr()).await?;
            writer.write(b"GET /logged?secret HTTP/1.0\r\nX-Request-Id: id-7\r\n\r\n");
            reader.read_to_end().await?;
            server.close(Duration::from_secs(1)).await;
            Ok(())
        })?;
        let mut lines = lines.0.lock().expect("nobody panics").clone();
        lines.retain(|line| line.contains("/logged"));
        let events: Vec<_> = lines
            .iter()
            .filter(|line| line.starts_with("event"))
            .collect();
        assert_eq!(events.len(), 1, "{lines:?}");
        for part in [
            "message=answered",
            "method=GET",
            "path=\"/logged\"",
            "status=404",
            "id=\"id-7\"",
            "peer=127.0.0.1:",
        ] {
            assert!(events[0].contains(part), "{part}: {}", events[0]);
        }
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with("span") && line.contains("path=\"/logged\"")),
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

/// One address, served by two loops. Each request holds its loop up, so two at once need both.
#[test]
fn several_loops_serve_one_port() -> io::Result<()> {
    use std::{
        io::{Read, Write},
        net::TcpStream,
        num::NonZeroUsize,
        sync::{Arc, Mutex, mpsc},
    };
    const PATIENCE: Duration = Duration::from_secs(20);
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let two = NonZeroUsize::new(2).ok_or(io::ErrorKind::InvalidInput)?;
    let (listening, cores) = mpsc::channel::<aio::Core>();
    let (held, holding) = mpsc::channel::<usize>();
    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let client = std::thread::spawn(move || {
        let both = [(); 2].map(|()| cores.recv_timeout(PATIENCE).expect("it listens"));
        let mut clients = Vec::new();
        let mut loops = Vec::new();
        for _ in 0..2 {
            let mut client = TcpStream::connect(address).expect("it listens");
            client
                .write_all(b"GET / HTTP/1.0\r\n\r\n")
                .expect("it reads");
            loops.push(holding.recv_timeout(PATIENCE).expect("a loop is free"));
            clients.push(client);
        }
        (0..2).for_each(|_| release.send(()).expect("it waits for it"));
        for (client, index) in clients.iter_mut().zip(&loops) {
            let mut answer = String::new();
            client.read_to_string(&mut answer).expect("it answers");
            assert!(answer.ends_with(&format!("loop {index}")), "{answer}");
        }
        both[0].stop_all();
        loops.sort_unstable();
        assert_eq!(loops, [0, 1]);
    });
    let ended = aio::run_loops(two, async |core: aio::Core| {
        let (index, held, released) = (core.index(), held.clone(), released.clone());
        let app = App::new().get("/", async move |_: Request| {
            held.send(index).expect("the client waits for it");
            let patient = released.lock().expect("nobody panics");
            patient.recv_timeout(PATIENCE).expect("it is released");
            format!("loop {index}")
        });
        let server = Server::start(app, [Listener::from_tcp(listener.try_clone()?)?]).await?;
        listening.send(core.clone()).map_err(io::Error::other)?;
        core.stopping().await;
        server.close(Duration::from_secs(5)).await;
        Ok::<(), io::Error>(())
    });
    client.join().expect("the client did not panic");
    ended.map(drop).map_err(io::Error::other)
}
