//! The client against our server, and against servers that misbehave on purpose.
#![cfg(feature = "client")]

use std::{cell::Cell, io, net::SocketAddr, rc::Rc, time::Duration};

use aio::{
    StreamReader, StreamWriter,
    http::{
        App, ClientErrorKind, ClientLimits, ClientPhase, ClientSession, Cookie, Gone, Request,
        Response, TestServer,
    },
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn on_loop(test: impl AsyncFnOnce() -> Outcome) -> Outcome {
    aio::run(aio::wait_for(test(), Duration::from_secs(30)))??
}

fn session(
    server: &TestServer,
    limits: ClientLimits,
) -> Result<ClientSession, aio::http::ClientError> {
    ClientSession::builder()
        .base_url(&server.url("/"))
        .no_proxy()
        .limits(limits)
        .build()
}

/// A server that answers each connection with these bytes, once a head has come, and closes.
async fn raw(answer: Vec<u8>) -> io::Result<(aio::Server, SocketAddr)> {
    let server = aio::start_server(
        "127.0.0.1:0",
        async move |mut reader: StreamReader, writer: StreamWriter| {
            let _ = reader.readuntil(b"\r\n\r\n").await;
            writer.write(&answer);
            let _ = writer.drain().await;
            writer.close();
        },
    )
    .await?;
    let address = server.local_addr();
    Ok((server, address))
}

#[test]
fn what_is_sent_arrives_and_comes_back() -> Outcome {
    on_loop(async || {
        let app = App::new()
            .compress_if_known()
            .post("/echo", async |mut request: Request| {
                let kind = request.content_type().unwrap_or("none").to_owned();
                let body = request.text().await?;
                Ok::<_, Response>(format!("{kind} {} {body}", request.query_string()))
            })
            .get("/visits", async |request: Request| {
                let visits = request
                    .cookie("visits")
                    .map_or(0, |count| count.parse().unwrap_or(0))
                    + 1;
                Response::text(visits.to_string())
                    .with_cookie(Cookie::new("visits", visits.to_string()))
            })
            .get("/long", async |_: Request| "long ".repeat(100_000))
            .get("/gone", async |_: Request| aio::http::StatusCode::GONE)
            .get("/agent", async |request: Request| {
                request.header("x-agent").unwrap_or("").to_owned()
            });
        let server = TestServer::start(app).await?;
        let session = ClientSession::builder()
            .base_url(&server.url("/"))
            .no_proxy()
            .header("x-agent", "007")
            .build()?;
        let post = session.post("echo").query(&[("a", "b c")]).json(&[1, 2]);
        assert_eq!(
            post.send().await?.text().await?,
            "application/json a=b+c [1,2]"
        );
        let form = session.post("/echo").form(&[("x", "y&z")]).send().await?;
        assert_eq!(
            form.text().await?,
            "application/x-www-form-urlencoded  x=y%26z"
        );
        assert_eq!(session.get("visits").send().await?.text().await?, "1");
        assert_eq!(session.get("visits").send().await?.text().await?, "2");
        assert_eq!(session.get("agent").send().await?.text().await?, "007");
        assert_eq!(
            session.get("long").send().await?.text().await?.len(),
            500_000
        );
        let gone = session.get("gone?secret=1").send().await?;
        let error = gone.raise_for_status().unwrap_err();
        assert_eq!(error.status().map(|status| status.as_u16()), Some(410));
        assert!(
            error.to_string().contains("/gone answered 410")
                && !error.to_string().contains("secret"),
            "{error}"
        );
        Ok(())
    })
}

/// Compression where the feature is there.
trait CompressIfKnown {
    fn compress_if_known(self) -> Self;
}

impl CompressIfKnown for App {
    #[cfg(feature = "compress")]
    fn compress_if_known(self) -> Self {
        self.compress()
    }

    #[cfg(not(feature = "compress"))]
    fn compress_if_known(self) -> Self {
        self
    }
}

#[test]
fn limits_of_time_name_the_phase() -> Outcome {
    on_loop(async || {
        let app = App::new()
            .get("/slow", async |_: Request| {
                aio::sleep(Duration::from_secs(3600)).await;
                ""
            })
            .get("/drip", async |_: Request| {
                Response::write_with(async |body| {
                    body.write("first").await?;
                    aio::sleep(Duration::from_secs(3600)).await;
                    Ok::<(), Gone>(())
                })
            });
        let server = TestServer::start(app).await?;
        let short = Duration::from_millis(100);
        let one = ClientLimits {
            read: short,
            per_host: 1,
            ..ClientLimits::default()
        };
        let session = session(&server, one)?;
        let error = session.get("slow").send().await.unwrap_err();
        assert_eq!(
            *error.kind(),
            ClientErrorKind::TimedOut(ClientPhase::Head),
            "{error}"
        );
        let mut dripping = session.get("drip").send().await?;
        assert_eq!(dripping.chunk().await?.as_deref(), Some(&b"first"[..]));
        let waiting = session.get("slow").timeout(short).send().await.unwrap_err();
        assert_eq!(
            *waiting.kind(),
            ClientErrorKind::TimedOut(ClientPhase::Pool),
            "{waiting}"
        );
        let error = dripping.chunk().await.unwrap_err();
        assert_eq!(
            *error.kind(),
            ClientErrorKind::TimedOut(ClientPhase::Body),
            "{error}"
        );
        drop(dripping);
        let total = session
            .get("slow")
            .timeout(Duration::from_millis(20))
            .send()
            .await
            .unwrap_err();
        assert_eq!(
            *total.kind(),
            ClientErrorKind::TimedOut(ClientPhase::Head),
            "{total}"
        );
        Ok(())
    })
}

#[test]
fn requests_to_one_host_at_once_are_bounded() -> Outcome {
    on_loop(async || {
        let (now, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (counting, seen) = (now.clone(), most.clone());
        let app = App::new().get("/", async move |_: Request| {
            counting.set(counting.get() + 1);
            seen.set(seen.get().max(counting.get()));
            aio::sleep(Duration::from_millis(5)).await;
            counting.set(counting.get() - 1);
            ""
        });
        let server = TestServer::start(app).await?;
        let session = session(
            &server,
            ClientLimits {
                per_host: 3,
                ..ClientLimits::default()
            },
        )?;
        let asking = (0..20).map(|_| {
            let session = session.clone();
            aio::create_task(async move { session.get("/").send().await.is_ok() })
        });
        let answers = aio::gather(asking).await?;
        assert!(answers.into_iter().all(|fine| fine));
        assert_eq!((most.get(), now.get()), (3, 0));
        Ok(())
    })
}

#[test]
fn redirects_are_followed_so_far_and_no_further() -> Outcome {
    on_loop(async || {
        let app = App::new()
            .get("/a", async |_: Request| Response::redirect("/b"))
            .get("/b", async |_: Request| "b")
            .get("/loop", async |_: Request| Response::redirect("/loop"))
            .get("/file", async |_: Request| {
                Response::redirect("file:///etc/passwd")
            });
        let server = TestServer::start(app).await?;
        let session = session(&server, ClientLimits::default())?;
        let followed = session.get("a").send().await?;
        assert_eq!(
            (followed.url(), followed.status().as_u16()),
            (&*server.url("/b"), 200)
        );
        let error = session.get("loop").send().await.unwrap_err();
        assert_eq!(*error.kind(), ClientErrorKind::TooManyRedirects, "{error}");
        let file = session.get("file").send().await?;
        assert_eq!(file.status(), 302, "what is not HTTP is not followed");
        Ok(())
    })
}

#[test]
fn servers_that_misbehave_are_typed_errors() -> Outcome {
    on_loop(async || {
        let session = ClientSession::builder()
            .no_proxy()
            .limits(ClientLimits {
                body: 100_000,
                ..ClientLimits::default()
            })
            .build()?;
        let ask = async |answer: Vec<u8>| {
            let (_server, address) = raw(answer).await.expect("it listens");
            let response = session.get(&format!("http://{address}/x")).send().await?;
            response.bytes().await
        };
        let fine = ask(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec()).await?;
        assert_eq!(&fine[..], b"ok");
        let bad_head = ClientErrorKind::Malformed(ClientPhase::Head);
        let bad_body = ClientErrorKind::Malformed(ClientPhase::Body);
        let endless = format!("HTTP/1.1 200 OK\r\n{}", "A: b\r\n".repeat(500_000));
        let endless_line = [b"HTTP/1.1 200 OK\r\nA: ".to_vec(), vec![b'b'; 2_000_000]].concat();
        let cases = [
            (
                "nothing",
                Vec::new(),
                ClientErrorKind::Broken(ClientPhase::Head),
            ),
            ("no HTTP", b"hello there\r\n\r\n".to_vec(), bad_head.clone()),
            (
                "endless headers",
                endless.into_bytes(),
                ClientErrorKind::HeadTooLarge,
            ),
            (
                "one endless header",
                endless_line,
                ClientErrorKind::HeadTooLarge,
            ),
            (
                "a truncated body",
                b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort".to_vec(),
                ClientErrorKind::Broken(ClientPhase::Body),
            ),
            (
                "a broken chunk",
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec(),
                bad_body.clone(),
            ),
            (
                "no gzip",
                b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"
                    .to_vec(),
                bad_body.clone(),
            ),
            (
                "no brotli",
                [
                    b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n".to_vec(),
                    vec![0xff; 1000],
                ]
                .concat(),
                bad_body.clone(),
            ),
            (
                "no zstd",
                b"HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\nContent-Length: 5\r\n\r\nhello"
                    .to_vec(),
                bad_body,
            ),
            (
                "two lengths",
                b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc".to_vec(),
                bad_head.clone(),
            ),
            (
                "a length that is none",
                b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nab".to_vec(),
                bad_head.clone(),
            ),
            (
                "a length and chunks",
                b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n\
                  1\r\na\r\n0\r\n\r\n"
                    .to_vec(),
                bad_head,
            ),
            (
                "too long a body",
                [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![0; 200_000]].concat(),
                ClientErrorKind::BodyTooLarge { limit: 100_000 },
            ),
        ];
        for (name, answer, expected) in cases {
            let error = ask(answer).await.unwrap_err();
            assert_eq!(*error.kind(), expected, "{name}: {error}");
        }
        let nobody = session.get("http://127.0.0.1:1/").send().await.unwrap_err();
        assert!(
            nobody.is_connect() && nobody.to_string().contains("127.0.0.1:1"),
            "{nobody}"
        );
        let malformed = session.get("no url").send().await.unwrap_err();
        assert!(
            matches!(malformed.kind(), ClientErrorKind::BadRequest(_)),
            "{malformed}"
        );
        Ok(())
    })
}

#[test]
fn a_flood_of_preliminary_answers_ends_at_the_limit_of_time() -> Outcome {
    on_loop(async || {
        let server = aio::start_server(
            "127.0.0.1:0",
            async |mut reader: StreamReader, writer: StreamWriter| {
                let _ = reader.readuntil(b"\r\n\r\n").await;
                loop {
                    writer.write(&b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100));
                    if writer.drain().await.is_err() {
                        return;
                    }
                }
            },
        )
        .await?;
        let limits = ClientLimits {
            read: Duration::from_millis(200),
            ..ClientLimits::default()
        };
        let session = ClientSession::builder().no_proxy().limits(limits).build()?;
        let url = format!("http://{}/", server.local_addr());
        let error = session.get(&url).send().await.unwrap_err();
        assert_eq!(
            *error.kind(),
            ClientErrorKind::TimedOut(ClientPhase::Head),
            "{error}"
        );
        Ok(())
    })
}

#[test]
fn a_drip_ends_at_the_limit_of_the_whole_request() -> Outcome {
    on_loop(async || {
        let server = aio::start_server(
            "127.0.0.1:0",
            async |mut reader: StreamReader, writer: StreamWriter| {
                let asked = reader.readuntil(b"\r\n\r\n").await.unwrap_or_default();
                if asked.starts_with(b"GET /body") {
                    writer.write(b"HTTP/1.1 200 OK\r\n\r\n");
                } else {
                    writer.write(b"HTTP/1.1 200 OK\r\nA: ");
                }
                loop {
                    writer.write(b"x");
                    if writer.drain().await.is_err() {
                        return;
                    }
                    aio::sleep(Duration::from_millis(5)).await;
                }
            },
        )
        .await?;
        let session = ClientSession::builder().no_proxy().build()?;
        for (path, phase) in [("body", ClientPhase::Body), ("head", ClientPhase::Head)] {
            let url = format!("http://{}/{path}", server.local_addr());
            let asked = session.get(&url).timeout(Duration::from_millis(300));
            let read = async { asked.send().await?.bytes().await };
            let error = read.await.unwrap_err();
            assert_eq!(*error.kind(), ClientErrorKind::TimedOut(phase), "{error}");
        }
        Ok(())
    })
}

#[test]
fn a_body_that_must_not_be_is_not_taken_for_an_answer() -> Outcome {
    on_loop(async || {
        let server = aio::start_server(
            "127.0.0.1:0",
            async |mut reader: StreamReader, writer: StreamWriter| {
                while let Ok(asked) = reader.readuntil(b"\r\n\r\n").await {
                    let is_head = asked.starts_with(b"HEAD ");
                    writer.write(match is_head {
                        true => {
                            b"HTTP/1.1 200 OK\r\nContent-Length: 38\r\n\r\n\
                              HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
                                as &[u8]
                        }
                        false => b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood",
                    });
                    let _ = writer.drain().await;
                }
            },
        )
        .await?;
        let session = ClientSession::builder().no_proxy().build()?;
        let url = format!("http://{}/", server.local_addr());
        for _ in 0..3 {
            let head = session.head(&url).send().await?;
            assert_eq!(head.content_length(), Some(38));
            assert!(head.bytes().await?.is_empty());
            assert_eq!(session.get(&url).send().await?.text().await?, "good");
        }
        Ok(())
    })
}

#[test]
fn bytes_after_the_body_are_no_answer_to_the_next_request() -> Outcome {
    on_loop(async || {
        let connections = Rc::new(Cell::new(0));
        let count = connections.clone();
        let server = aio::start_server(
            "127.0.0.1:0",
            async move |mut reader: StreamReader, writer: StreamWriter| {
                count.set(count.get() + 1);
                while reader.readuntil(b"\r\n\r\n").await.is_ok() {
                    writer.write(
                        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood\
                          HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
                    );
                    let _ = writer.drain().await;
                }
            },
        )
        .await?;
        let session = ClientSession::builder().no_proxy().build()?;
        let url = format!("http://{}/", server.local_addr());
        for asked in 1..=5 {
            assert_eq!(session.get(&url).send().await?.text().await?, "good");
            assert_eq!(connections.get(), asked, "such a connection is used once");
        }
        Ok(())
    })
}

#[cfg(feature = "http2")]
#[test]
fn an_upload_may_take_longer_than_the_server_may_be_silent() -> Outcome {
    // HTTP/2, since its windows are small: a socket would swallow megabytes that the server has not looked at.
    const SIZE: usize = 2 << 20;
    on_loop(async || {
        let app = App::new().post("/", async |mut request: Request| {
            let mut taken = 0;
            while let Some(piece) = request.chunk().await? {
                taken += piece.len();
                aio::sleep(Duration::from_millis(10)).await;
            }
            Ok::<_, aio::http::BodyError>(taken.to_string())
        });
        let server = TestServer::start(app).await?;
        let limits = ClientLimits {
            read: Duration::from_millis(600),
            ..ClientLimits::default()
        };
        let session = ClientSession::builder().no_proxy().http2_only();
        let session = session.limits(limits).build()?;
        let upload = session.post(&server.url("/")).body(vec![b'x'; SIZE]);
        let begun = std::time::Instant::now();
        assert_eq!(upload.send().await?.text().await?, SIZE.to_string());
        assert!(begun.elapsed() > limits.read, "the server took its time");
        Ok(())
    })
}

#[cfg(feature = "compress")]
#[test]
fn a_compressed_bomb_is_cut_off_at_the_limit() -> Outcome {
    use std::io::Write;
    on_loop(async || {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        for _ in 0..10 {
            gzip.write_all(&vec![0; 1 << 20])?;
        }
        let bomb = gzip.finish()?;
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
            bomb.len()
        )
        .into_bytes();
        answer.extend_from_slice(&bomb);
        let (_server, address) = raw(answer).await?;
        let limits = ClientLimits {
            body: 1 << 20,
            ..ClientLimits::default()
        };
        let session = ClientSession::builder().no_proxy().limits(limits).build()?;
        let error = session
            .get(&format!("http://{address}/"))
            .send()
            .await?
            .bytes()
            .await
            .unwrap_err();
        assert_eq!(
            *error.kind(),
            ClientErrorKind::BodyTooLarge { limit: 1 << 20 }
        );
        Ok(())
    })
}

#[test]
fn a_request_that_may_be_repeated_is_when_the_connection_breaks() -> Outcome {
    on_loop(async || {
        let asked = Rc::new(Cell::new(0));
        let count = asked.clone();
        let server = aio::start_server(
            "127.0.0.1:0",
            async move |mut reader: StreamReader, writer: StreamWriter| {
                count.set(count.get() + 1);
                let _ = reader.readuntil(b"\r\n\r\n").await;
                if count.get() % 2 == 0 {
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                    let _ = writer.drain().await;
                }
                writer.close();
            },
        )
        .await?;
        let session = ClientSession::builder()
            .base_url(&format!("http://{}/", server.local_addr()))
            .no_proxy()
            .build()?;
        assert_eq!(session.get("/").send().await?.text().await?, "ok");
        assert_eq!(asked.get(), 2);
        let post = session.post("/").body("x").send().await.unwrap_err();
        assert_eq!(*post.kind(), ClientErrorKind::Broken(ClientPhase::Head));
        assert_eq!(
            asked.get(),
            3,
            "what may have had an effect is not repeated"
        );
        Ok(())
    })
}

#[cfg(feature = "http2")]
#[test]
fn http2_carries_many_requests_on_one_connection() -> Outcome {
    on_loop(async || {
        let app = App::new().post("/echo", async |mut request: Request| {
            let version = format!("{:?}", request.version());
            aio::sleep(Duration::from_millis(5)).await;
            request.text().await.map(|text| format!("{version} {text}"))
        });
        let server = TestServer::start(app).await?;
        let session = ClientSession::builder()
            .base_url(&server.url("/"))
            .no_proxy()
            .http2_only()
            .build()?;
        let asking = (0..20).map(|number| {
            let session = session.clone();
            aio::create_task(async move {
                let response = session.post("echo").body(number.to_string()).send().await?;
                response.text().await
            })
        });
        for (number, answer) in aio::gather_settled(asking).await.into_iter().enumerate() {
            assert_eq!(answer??, format!("HTTP/2.0 {number}"));
        }
        assert_eq!(server.server().connections(), 1);
        server.close().await;
        Ok(())
    })
}

#[cfg(feature = "ws")]
#[test]
fn a_websocket_speaks_with_our_server_compressed_and_with_a_protocol() -> Outcome {
    use aio::http::{Message, WebSocket, WebSocketError, WebSocketOptions};
    on_loop(async || {
        let options = WebSocketOptions {
            deflate: true,
            protocols: vec!["chat".to_owned()],
            ..WebSocketOptions::default()
        };
        let of_server = options.clone();
        let app = App::new().get("/ws", async move |request: Request| {
            WebSocket::upgrade_with(of_server.clone(), request, async |mut socket: WebSocket| {
                while let Some(message) = socket.receive().await? {
                    socket.send(message).await?;
                }
                Ok::<(), WebSocketError>(())
            })
        });
        let server = TestServer::start(app).await?;
        let session = ClientSession::builder().no_proxy().build()?;
        let url = server.url("/ws").replace("http://", "ws://");
        let mut socket = session.ws_connect_with(&url, options).await?;
        assert_eq!(socket.protocol(), Some("chat"));
        for size in [0, 10, 1000, 300_000] {
            let text = "abcdefghij".repeat(size / 10);
            socket.send(text.clone()).await?;
            assert_eq!(socket.receive().await?, Some(Message::Text(text)));
        }
        socket.close(1000, "bye").await;
        let refused = session
            .ws_connect(&server.url("/nowhere"))
            .await
            .unwrap_err();
        assert!(
            matches!(refused.kind(), ClientErrorKind::Status(_)),
            "{refused}"
        );
        Ok(())
    })
}
