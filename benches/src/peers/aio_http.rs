//! `aio`'s HTTP server against hyper alone, axum and tokio-tungstenite: what a request costs the server's thread.
//!
//! Each server has a thread and a loop of its own, and is asked by this thread over keep-alive connections. Counted is
//! the processor's time of the server's thread, as the system keeps it; every answer's body is compared.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc,
    thread,
};

use futures_util::{SinkExt, StreamExt};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use crate::peers::{Contest, Row, Target};

const CONNECTIONS: usize = 64;
const REQUESTS: usize = 12_800;
const DEPTH: usize = 16;
const ECHO: usize = 16 * 1024;

/// A server at work, until the program ends.
struct Serving {
    address: SocketAddr,
    thread: i32,
}

/// Runs `serve` on a thread of its own, with a socket that listens.
fn start(serve: impl FnOnce(TcpListener) + Send + 'static) -> Serving {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("the socket is ours");
    let address = listener.local_addr().expect("it is bound");
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        tell.send(nix::unistd::gettid().as_raw())
            .expect("the starter waits");
        serve(listener);
    });
    let thread = told.recv().expect("the thread has begun");
    Serving { address, thread }
}

impl Serving {
    /// The processor's time that the thread has had, in nanoseconds.
    fn spent(&self) -> f64 {
        let path = format!("/proc/self/task/{}/schedstat", self.thread);
        let text = fs::read_to_string(path).expect("the thread lives");
        let first = text.split(' ').next().and_then(|spent| spent.parse().ok());
        first.expect("nanoseconds come first")
    }

    fn connect(&self) -> Vec<TcpStream> {
        (0..CONNECTIONS)
            .map(|_| {
                let stream = TcpStream::connect(self.address).expect("it listens");
                stream.set_nodelay(true).expect("the socket is ours");
                stream
            })
            .collect()
    }

    /// Nanoseconds per exchange, when each connection is sent `request` and answers with what ends in `answer`, `deep` at
    /// once.
    fn turn(&self, request: &[u8], answer: &[u8], deep: usize, count: usize) -> f64 {
        let mut connections = self.connect();
        let batch = request.repeat(deep);
        let mut exchange = |rounds: usize| {
            for _ in 0..rounds {
                for connection in &mut connections {
                    connection.write_all(&batch).expect("it reads");
                }
                for connection in &mut connections {
                    read_answers(connection, answer, deep);
                }
            }
        };
        exchange(2);
        let before = self.spent();
        let rounds = count / (CONNECTIONS * deep);
        exchange(rounds);
        (self.spent() - before) / (rounds * CONNECTIONS * deep) as f64
    }
}

/// Reads until `answer` has come `deep` times.
fn read_answers(connection: &mut TcpStream, answer: &[u8], deep: usize) {
    let mut came = Vec::with_capacity(4096);
    let mut piece = [0; 32 * 1024];
    loop {
        let count = connection.read(&mut piece).expect("it answers");
        assert!(count > 0, "the server has closed");
        came.extend_from_slice(&piece[..count]);
        if came.ends_with(answer) {
            let found = came
                .windows(answer.len())
                .filter(|window| *window == answer)
                .count();
            if found == deep {
                return;
            }
        }
    }
}

async fn hello(request: aio::http::Request) -> aio::http::Response {
    let name = request.match_info("name").unwrap_or_default();
    aio::http::Response::html(format!("<h1>hello, {}!</h1>", aio::http::escape(name)))
}

fn ours(listener: TcpListener) {
    use aio::http::{App, Listener, Request, Response, Server, WebSocket, WebSocketError};
    aio::run(async {
        let app = App::new()
            .get("/hello/{name}", hello)
            .post("/echo", async |mut request: Request| {
                request.read().await.map(Response::bytes)
            })
            .get("/ws", async |request: Request| {
                WebSocket::upgrade(request, async |mut socket: WebSocket| {
                    while let Some(message) = socket.receive().await? {
                        socket.send(message).await?;
                    }
                    Ok::<(), WebSocketError>(())
                })
            });
        let listener = Listener::from_tcp(listener).expect("it listens");
        let server = Server::start(app, [listener]).await.expect("it starts");
        server.serve_forever().await;
    })
    .expect("no loop runs here");
}

fn on_tokio(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future);
}

async fn by_hyper(
    request: hyper::Request<hyper::body::Incoming>,
) -> Result<hyper::Response<http_body_util::Full<bytes::Bytes>>, hyper::Error> {
    use http_body_util::BodyExt;
    let body = match request.uri().path().strip_prefix("/hello/") {
        Some(name) => format!("<h1>hello, {}!</h1>", aio::http::escape(name)).into(),
        None => request.into_body().collect().await?.to_bytes(),
    };
    let response = hyper::Response::builder().header("content-type", "text/html; charset=utf-8");
    Ok(response.body(body.into()).expect("it is well-formed"))
}

fn hyper_alone(listener: TcpListener) {
    on_tokio(async {
        let listener = tokio::net::TcpListener::from_std(listener).expect("it listens");
        loop {
            let (stream, _) = listener.accept().await.expect("a client");
            stream.set_nodelay(true).expect("the socket is ours");
            let mut codec = hyper::server::conn::http1::Builder::new();
            codec.pipeline_flush(true);
            let serving = codec.serve_connection(TokioIo::new(stream), service_fn(by_hyper));
            tokio::spawn(async move {
                // A client that goes is of no interest here.
                let _ = serving.await;
            });
        }
    });
}

fn axum_alone(listener: TcpListener) {
    use axum::{Router, body::Bytes, extract::Path, response::Html, routing};
    on_tokio(async {
        let app = Router::new()
            .route(
                "/hello/{name}",
                routing::get(async |Path(name): Path<String>| {
                    Html(format!("<h1>hello, {}!</h1>", aio::http::escape(&name)))
                }),
            )
            .route("/echo", routing::post(async |body: Bytes| body));
        let listener = tokio::net::TcpListener::from_std(listener).expect("it listens");
        axum::serve(listener, app).await.expect("it serves");
    });
}

fn tungstenite(listener: TcpListener) {
    on_tokio(async {
        let listener = tokio::net::TcpListener::from_std(listener).expect("it listens");
        loop {
            let (stream, _) = listener.accept().await.expect("a client");
            stream.set_nodelay(true).expect("the socket is ours");
            tokio::spawn(async move {
                let mut socket = tokio_tungstenite::accept_async(stream)
                    .await
                    .expect("a handshake");
                while let Some(Ok(message)) = socket.next().await {
                    if socket.send(message).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
}

/// Nanoseconds per 64-byte message that comes back.
fn websocket_turn(serving: &Serving) -> f64 {
    let mut connections = serving.connect();
    for connection in &mut connections {
        let handshake = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        connection
            .write_all(handshake.as_bytes())
            .expect("it reads");
        read_answers(connection, b"\r\n\r\n", 1);
    }
    let payload = [b'x'; 64];
    let mut frame = vec![0x82, 0x80 | 64, 0, 0, 0, 0];
    frame.extend_from_slice(&payload);
    let mut exchange = |rounds: usize| {
        for _ in 0..rounds {
            for connection in &mut connections {
                connection.write_all(&frame).expect("it reads");
            }
            for connection in &mut connections {
                let mut back = [0; 66];
                connection.read_exact(&mut back).expect("it answers");
                assert_eq!((back[0], back[1], &back[2..]), (0x82, 64, &payload[..]));
            }
        }
    };
    exchange(2);
    let before = serving.spent();
    let rounds = REQUESTS / CONNECTIONS;
    exchange(rounds);
    (serving.spent() - before) / (rounds * CONNECTIONS) as f64
}

/// Every row: plain requests, pipelined ones, bodies echoed, WebSocket messages echoed.
#[must_use]
pub fn rows(rounds: usize) -> Vec<Row> {
    let (ours, hyper, axum, sockets) = (
        start(ours),
        start(hyper_alone),
        start(axum_alone),
        start(tungstenite),
    );
    let get = b"GET /hello/world HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let page = b"<h1>hello, world!</h1>";
    let mut rows = Vec::new();
    for (case, deep, against_hyper, against_axum) in [
        ("GET, one loop, server's CPU", 1, 1.03, 0.97),
        ("GET, 16 pipelined, server's CPU", DEPTH, 1.03, 0.4),
    ] {
        let count = REQUESTS * deep.min(4);
        rows.extend(
            Contest::new("aio", case)
                .entrant("ours", || ours.turn(get, page, deep, count))
                .entrant("hyper alone", || hyper.turn(get, page, deep, count))
                .entrant("axum, one thread", || axum.turn(get, page, deep, count))
                .goal("ours", &["hyper alone"], Target::Ratio(against_hyper))
                .goal("ours", &["axum, one thread"], Target::Ratio(against_axum))
                .run(rounds),
        );
    }
    let head = format!("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: {ECHO}\r\n\r\n");
    let body = vec![b'e'; ECHO];
    let post = [head.as_bytes(), &body].concat();
    let count = REQUESTS / 2;
    rows.extend(
        Contest::new("aio", "POST echo of 16 KiB, server's CPU")
            .entrant("ours", || ours.turn(&post, &body, 1, count))
            .entrant("hyper alone", || hyper.turn(&post, &body, 1, count))
            .entrant("axum, one thread", || axum.turn(&post, &body, 1, count))
            .goal("ours", &["hyper alone"], Target::None)
            .goal("ours", &["axum, one thread"], Target::Ratio(0.95))
            .run(rounds),
    );
    rows.extend(
        Contest::new("aio", "WebSocket echo of 64 B, server's CPU")
            .entrant("ours", || websocket_turn(&ours))
            .entrant("tokio-tungstenite", || websocket_turn(&sockets))
            .goal("ours", &["tokio-tungstenite"], Target::Ratio(0.95))
            .run(rounds),
    );
    rows
}
