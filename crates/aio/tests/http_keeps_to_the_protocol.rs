//! What clients of HTTP/1.0, 1.1 and 2 may rely on, byte by byte; and a client that is gone is noticed, whatever it came by.
#![cfg(feature = "http")]

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    time::Duration,
};

use aio::{
    StreamReader, StreamWriter,
    http::{App, Gone, Listener, Method, OnDisconnect, Request, Response, Route, Server},
};

fn on_loop(test: impl AsyncFnOnce() -> io::Result<()>) -> io::Result<()> {
    aio::run(aio::wait_for(test(), Duration::from_secs(30)))??
}

async fn open(server: &Server, bytes: &str) -> io::Result<(StreamReader, StreamWriter)> {
    let (reader, writer) = aio::open_connection(server.local_addr()).await?;
    writer.write(bytes.as_bytes());
    Ok((reader, writer))
}

async fn exchange(server: &Server, bytes: &str) -> io::Result<String> {
    let (mut reader, _writer) = open(server, bytes).await?;
    let answer = reader.read_to_end().await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

async fn until(reached: impl Fn() -> bool) {
    while !reached() {
        aio::sleep(Duration::from_millis(1)).await;
    }
}

/// Head and body, as a connection that stays open has them.
async fn head(reader: &mut StreamReader) -> io::Result<String> {
    let head = reader.readuntil(b"\r\n\r\n").await?;
    Ok(String::from_utf8_lossy(&head).into_owned())
}

#[test]
fn head_is_get_without_the_body_for_streams_too() -> io::Result<()> {
    on_loop(async || {
        let written = Rc::new(Cell::new(0));
        let count = written.clone();
        let app = App::new().get("/whole", async |_: Request| "whole").get(
            "/stream",
            async move |_: Request| {
                let count = count.clone();
                Response::write_with(async move |body| {
                    count.set(count.get() + 1);
                    body.write("streamed").await?;
                    Ok::<(), Gone>(())
                })
            },
        );
        let server = Server::bind(app, "127.0.0.1:0").await?;
        // The next answer follows at once: not a byte of a body is between.
        let (mut reader, _writer) = open(
            &server,
            "HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\nHEAD /whole HTTP/1.1\r\nHost: x\r\n\r\n\
             GET /stream HTTP/1.1\r\nHost: x\r\n\r\n",
        )
        .await?;
        let stream = head(&mut reader).await?;
        assert!(stream.starts_with("HTTP/1.1 200 OK\r\n"), "{stream}");
        let whole = head(&mut reader).await?;
        assert!(whole.contains("content-length: 5\r\n"), "{whole}");
        let get = head(&mut reader).await?;
        assert!(get.contains("transfer-encoding: chunked\r\n"), "{get}");
        let body = reader.readuntil(b"0\r\n\r\n").await?;
        assert_eq!(body, b"8\r\nstreamed\r\n0\r\n\r\n"[..]);
        assert_eq!(
            written.get(),
            1,
            "nobody reads what HEAD asks for, so nobody writes it"
        );
        Ok(())
    })
}

#[test]
fn a_client_that_waits_for_leave_gets_it_when_its_body_is_read() -> io::Result<()> {
    on_loop(async || {
        let app = App::new()
            .post("/read", async |mut request: Request| request.text().await)
            .post("/refuse", async |_: Request| "no");
        let server = Server::bind(app, "127.0.0.1:0").await?;
        let asking = |path: &str| {
            format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
            )
        };
        let (mut reader, writer) = open(&server, &asking("/read")).await?;
        assert_eq!(head(&mut reader).await?, "HTTP/1.1 100 Continue\r\n\r\n");
        writer.write(b"hello");
        assert!(head(&mut reader).await?.starts_with("HTTP/1.1 200 OK\r\n"));
        assert_eq!(
            reader.read_exactly(5).await.map_err(io::Error::other)?,
            b"hello"[..]
        );
        // Who does not read it says so at once, and the connection ends: what follows might be the body.
        let refused = exchange(&server, &asking("/refuse")).await?;
        assert!(refused.starts_with("HTTP/1.1 200 OK\r\n"), "{refused}");
        assert!(refused.ends_with("no"), "{refused}");
        Ok(())
    })
}

#[test]
fn a_client_of_http_1_0_may_keep_its_connection() -> io::Result<()> {
    on_loop(async || {
        let app = App::new().get("/", async |request: Request| {
            format!("{:?}", request.version())
        });
        let server = Server::bind(app, "127.0.0.1:0").await?;
        let ended = exchange(&server, "GET / HTTP/1.0\r\n\r\n").await?;
        assert!(ended.ends_with("\r\n\r\nHTTP/1.0"), "{ended}");
        let (mut reader, writer) = open(&server, "").await?;
        for _ in 0..2 {
            writer.write(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
            let head = head(&mut reader).await?;
            assert!(head.contains("connection: keep-alive\r\n"), "{head}");
            assert!(head.contains("content-length: 8\r\n"), "{head}");
            reader.read_exactly(8).await.map_err(io::Error::other)?;
        }
        Ok(())
    })
}

#[test]
fn an_answer_has_a_date_and_does_not_tell_what_serves() -> io::Result<()> {
    on_loop(async || {
        let server = Server::bind(App::new(), "127.0.0.1:0").await?;
        let answer = exchange(&server, "GET / HTTP/1.0\r\n\r\n").await?;
        let date = answer.lines().find_map(|line| line.strip_prefix("date: "));
        let date = httpdate::parse_http_date(date.unwrap_or_default()).map_err(io::Error::other)?;
        let age = std::time::SystemTime::now().duration_since(date);
        assert!(
            age.unwrap_or_default() < Duration::from_secs(60),
            "{answer}"
        );
        assert!(!answer.contains("server:"), "{answer}");
        Ok(())
    })
}

#[test]
fn an_address_may_be_of_ipv6() -> io::Result<()> {
    on_loop(async || {
        let app = App::new().get("/", async |request: Request| {
            format!("{:?} asks {:?}", request.client_ip(), request.host())
        });
        let server = match Server::bind(app, "[::1]:0").await {
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
                panic!("this machine has no IPv6 loopback, which the test needs: {error}")
            }
            server => server?,
        };
        let port = server.local_addr().port();
        let answer = exchange(
            &server,
            &format!("GET / HTTP/1.1\r\nHost: [::1]:{port}\r\nConnection: close\r\n\r\n"),
        )
        .await?;
        assert!(
            answer.ends_with(&format!("Some(::1) asks Some(\"[::1]:{port}\")")),
            "{answer}"
        );
        Ok(())
    })
}

#[test]
fn a_stream_of_events_says_every_15_seconds_that_it_lives() -> io::Result<()> {
    let event_loop = aio::EventLoop::builder().virtual_clock(true).build()?;
    event_loop.run_until_complete(async {
        let app = App::new().get("/", async |_: Request| {
            Response::events(async |events| {
                aio::sleep(Duration::from_secs(35)).await;
                events.send(aio::http::Event::new("at last")).await?;
                aio::sleep(Duration::from_secs(16)).await;
                Ok::<(), Gone>(())
            })
        });
        let client = aio::http::TestClient::new(app).await?;
        let answer = client.get("/").send().await;
        assert_eq!(answer.text(), ":\n\n:\n\ndata: at last\n\n:\n\n");
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        assert_eq!(answer.header("x-accel-buffering"), Some("no"));
        Ok::<(), io::Error>(())
    })?
}

/// What handlers tell of themselves.
#[derive(Clone, Default)]
struct Told(Rc<RefCell<Vec<&'static str>>>);

impl Told {
    fn tell(&self, word: &'static str) {
        self.0.borrow_mut().push(word);
    }

    async fn hear(&self, word: &str) {
        until(|| self.0.borrow().contains(&word)).await;
    }
}

/// Tells when it is dropped.
struct Dropped(Told);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.tell("dropped");
    }
}

/// `/cancel` is dropped with its client, `/watch` looks for its end in a task of its own while it reads the body.
fn watchful(told: &Told) -> App {
    let (of_cancel, of_watch) = (told.clone(), told.clone());
    let cancel = Route::new(Method::GET, "/cancel", async move |_: Request| {
        let _dropped = Dropped(of_cancel.clone());
        of_cancel.tell("begun");
        std::future::pending::<String>().await
    });
    let watch = Route::new(Method::POST, "/watch", async move |mut request: Request| {
        let (told, gone) = (of_watch.clone(), request.disconnected());
        let looking = aio::create_task(async move {
            gone.await;
            told.tell("gone");
        });
        looking.detach();
        of_watch.tell("begun");
        let body = request.text().await?;
        of_watch.tell("read");
        if body == "stay" {
            std::future::pending::<()>().await;
        }
        Ok::<_, Response>(Response::text(body))
    });
    App::new()
        .add_route(cancel.on_disconnect(OnDisconnect::Cancel))
        .add_route(watch)
}

#[test]
fn who_looks_for_the_clients_end_does_not_keep_its_bytes_from_being_read() -> io::Result<()> {
    on_loop(async || {
        let told = Told::default();
        let server = Server::bind(watchful(&told), "127.0.0.1:0").await?;
        let post = "POST /watch HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n";
        let (mut reader, writer) = open(&server, post).await?;
        told.hear("begun").await;
        // The looking task has looked.
        aio::yield_now().await;
        writer.write(b"echo");
        assert!(head(&mut reader).await?.starts_with("HTTP/1.1 200"));
        reader.read_exactly(4).await.map_err(io::Error::other)?;
        // A request that came while the one before it was watched over is answered, too.
        writer.write(format!("{post}stay").as_bytes());
        until(|| {
            told.0
                .borrow()
                .iter()
                .filter(|word| **word == "read")
                .count()
                == 2
        })
        .await;
        assert!(!told.0.borrow().contains(&"gone"));
        writer.close();
        drop((reader, writer));
        told.hear("gone").await;
        Ok(())
    })
}

#[test]
fn a_connection_that_the_server_closes_is_waited_for_no_longer() -> io::Result<()> {
    on_loop(async || {
        let told = Told::default();
        let limits = aio::http::Limits {
            keep_alive: Duration::from_millis(20),
            ..Default::default()
        };
        let server = Server::bind(watchful(&told).limits(limits), "127.0.0.1:0").await?;
        let post = "POST /watch HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\necho";
        let (mut reader, _writer) = open(&server, post).await?;
        assert!(
            reader.read_to_end().await?.ends_with(b"echo"),
            "then it is idle for too long"
        );
        told.hear("gone").await;
        Ok(())
    })
}

#[test]
fn requests_behind_one_that_may_be_dropped_are_answered() -> io::Result<()> {
    on_loop(async || {
        let begun = Rc::new(Cell::new(false));
        let go_on = Rc::new(Cell::new(false));
        let (begin, wait) = (begun.clone(), go_on.clone());
        let route = Route::new(Method::GET, "/{n}", async move |request: Request| {
            begin.set(true);
            until(|| wait.get()).await;
            request.path().to_owned()
        });
        let app = App::new().add_route(route.on_disconnect(OnDisconnect::Cancel));
        let server = Server::bind(app, "127.0.0.1:0").await?;
        let (mut reader, writer) = open(&server, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n").await?;
        until(|| begun.get()).await;
        writer.write(b"GET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        writer.drain().await?;
        for _ in 0..20 {
            aio::sleep(Duration::from_millis(1)).await;
        }
        go_on.set(true);
        let answers = reader.read_to_end().await?;
        let answers = String::from_utf8_lossy(&answers);
        assert!(
            answers.contains("\r\n\r\n/1HTTP/1.1 200") && answers.ends_with("/2"),
            "{answers}"
        );
        Ok(())
    })
}

#[test]
fn a_client_of_a_unix_socket_is_missed() -> io::Result<()> {
    let path = std::env::temp_dir().join(format!("aio-gone-{}.sock", std::process::id()));
    on_loop(async || {
        let told = Told::default();
        let _server = Server::start(watchful(&told), [Listener::unix(&path).await?]).await?;
        let (reader, writer) = aio::open_unix_connection(&path).await?;
        writer.write(b"GET /cancel HTTP/1.1\r\nHost: x\r\n\r\n");
        told.hear("begun").await;
        drop((reader, writer));
        told.hear("dropped").await;
        Ok(())
    })
}

#[cfg(feature = "tls")]
#[test]
fn a_client_that_came_encrypted_is_missed() -> Result<(), Box<dyn std::error::Error>> {
    use aio::tls::{ClientConfig, ServerConfig, open_connection};
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let ours = ServerConfig::from_pem(made.cert.pem(), made.signing_key.serialize_pem())?;
    let theirs = ClientConfig::with_roots(made.cert.pem())?;
    on_loop(async || {
        let told = Told::default();
        let listener = Listener::tcp("127.0.0.1:0").await?.tls(&ours);
        let server = Server::start(watchful(&told), [listener]).await?;
        let connected = open_connection(server.local_addr(), "localhost", &theirs).await;
        let (reader, writer) = connected.map_err(io::Error::other)?;
        writer.write(b"GET /cancel HTTP/1.1\r\nHost: x\r\n\r\n");
        told.hear("begun").await;
        drop((reader, writer));
        told.hear("dropped").await;
        Ok(())
    })?;
    Ok(())
}

#[cfg(feature = "http2")]
#[test]
fn a_request_that_http_2_takes_back_is_missed_and_no_other() -> io::Result<()> {
    /// `:scheme http`, `:authority x`, then method and path, as literals without an index.
    fn request(stream: u8, method: &str, path: &str, ends: bool) -> Vec<u8> {
        let mut block = vec![0x86, 0x41, 0x01, b'x', 0x02, method.len() as u8];
        block.extend_from_slice(method.as_bytes());
        block.extend_from_slice(&[0x04, path.len() as u8]);
        block.extend_from_slice(path.as_bytes());
        let flags = if ends { 0x5 } else { 0x4 };
        let mut frame = vec![0, 0, block.len() as u8, 1, flags, 0, 0, 0, stream];
        frame.extend(block);
        frame
    }
    fn reset(stream: u8) -> [u8; 13] {
        [0, 0, 4, 3, 0, 0, 0, 0, stream, 0, 0, 0, 8]
    }
    on_loop(async || {
        let told = Told::default();
        let server = Server::bind(watchful(&told), "127.0.0.1:0").await?;
        let (mut reader, writer) = open(&server, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await?;
        writer.write(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
        writer.write(&request(1, "GET", "/cancel", true));
        told.hear("begun").await;
        writer.write(&reset(1));
        told.hear("dropped").await;
        told.0.take();
        writer.write(&request(3, "POST", "/watch", false));
        writer.write(&[0, 0, 4, 0, 1, 0, 0, 0, 3]);
        writer.write(b"stay");
        told.hear("read").await;
        writer.write(&reset(3));
        told.hear("gone").await;
        // The connection lives: a ping is answered.
        writer.write(&[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        let pong = reader
            .readuntil(&[6, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8])
            .await?;
        assert!(!pong.is_empty());
        Ok(())
    })
}
