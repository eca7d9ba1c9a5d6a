//! The HTTP server: routes, methods, faults of handlers and clients, limits, the graceful end.
#![cfg(feature = "http")]

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    time::Duration,
};

use aio::http::{
    App, IntoResponse, Limits, Method, Request, Response, RouteError, Server, StatusCode, escape,
};

const PATIENCE: Duration = Duration::from_secs(20);

fn on_loop(test: impl AsyncFnOnce() -> io::Result<()>) -> io::Result<()> {
    aio::run(aio::wait_for(test(), PATIENCE))??
}

/// Sends the bytes and reads until the server closes.
async fn exchange(server: &Server, request: &str) -> io::Result<String> {
    let (mut reader, writer) = aio::open_connection(server.local_addr()).await?;
    writer.write(request.as_bytes());
    writer.drain().await?;
    let answer = reader.read_to_end().await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

async fn get(server: &Server, path: &str) -> io::Result<String> {
    exchange(
        server,
        &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
    )
    .await
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

async fn hello(request: Request) -> Response {
    Response::html(format!(
        "<h1>hello, {}!</h1>",
        escape(request.match_info("name").unwrap_or("?"))
    ))
}

#[test]
fn routes_match_segments_and_decode_them() -> io::Result<()> {
    on_loop(async || {
        let app = App::new()
            .get("/", async |_: Request| "index")
            .get("/hello/{name}", hello)
            .get("/hello/known", async |_: Request| "literal wins")
            .get("/a/{x}/b/{y}", async |request: Request| {
                request
                    .matches()
                    .map(|(name, value)| format!("{name}={value};"))
                    .collect::<String>()
            })
            .get("/files/{path:*}", async |request: Request| {
                request.match_info("path").unwrap_or("").to_owned()
            })
            .get("/show", async |request: Request| {
                format!(
                    "{}|{}|{:?}",
                    request.path(),
                    request.query_string(),
                    request.query("q")
                )
            });
        let server = Server::bind(app, "127.0.0.1:0").await?;
        for (path, expected) in [
            ("/", "index"),
            ("/hello/world", "<h1>hello, world!</h1>"),
            ("/hello/%3Cb%3E%2F", "<h1>hello, &lt;b&gt;/!</h1>"),
            ("/hello/known", "literal wins"),
            ("/a/1/b/2", "x=1;y=2;"),
            ("/files/one/two.txt", "one/two.txt"),
            ("/files/", ""),
            ("/show?q=a+b%21&q=c", "/show|q=a+b%21&q=c|Some(\"a b!\")"),
        ] {
            let answer = get(&server, path).await?;
            assert_eq!(
                (status(&answer), body(&answer)),
                ("200", expected),
                "{path}"
            );
        }
        for (path, expected) in [
            ("/nowhere", "404"),
            ("/hello", "404"),
            ("/hello/", "404"),
            ("/hello/%zz", "400"),
            ("/hello/%00", "400"),
        ] {
            assert_eq!(status(&get(&server, path).await?), expected, "{path}");
        }
        Ok(())
    })
}

#[test]
fn methods_are_kept_apart() -> io::Result<()> {
    on_loop(async || {
        let app = App::new()
            .get("/thing", async |_: Request| "got")
            .post("/thing", async |mut request: Request| request.text().await)
            .route(Method::DELETE, "/other", async |_: Request| {
                StatusCode::NO_CONTENT
            });
        let server = Server::bind(app, "127.0.0.1:0").await?;
        let head = exchange(
            &server,
            "HEAD /thing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        )
        .await?;
        assert_eq!((status(&head), body(&head)), ("200", ""));
        assert!(head.contains("content-length: 3"), "{head}");
        let post =
            "POST /thing HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\nping";
        assert_eq!(body(&exchange(&server, post).await?), "ping");
        let put = exchange(
            &server,
            "PUT /thing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        )
        .await?;
        assert_eq!(status(&put), "405");
        assert!(put.contains("allow: GET, HEAD, OPTIONS, POST"), "{put}");
        assert_eq!(status(&get(&server, "/other").await?), "405");
        Ok(())
    })
}

#[test]
fn one_connection_carries_many_requests_also_pipelined() -> io::Result<()> {
    on_loop(async || {
        let app = App::new().get("/hello/{name}", hello);
        let server = Server::bind(app, "127.0.0.1:0").await?;
        let (mut reader, writer) = aio::open_connection(server.local_addr()).await?;
        for _ in 0..3 {
            for name in ["a", "b", "c"] {
                writer.write(format!("GET /hello/{name} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
            }
            for name in ["a", "b", "c"] {
                let answer = reader.readuntil(b"</h1>").await?;
                assert!(answer.ends_with(format!("hello, {name}!</h1>").as_bytes()));
            }
        }
        Ok(())
    })
}

#[test]
fn a_handler_that_panics_answers_500_and_the_server_goes_on() -> io::Result<()> {
    on_loop(async || {
        let reports = Rc::new(RefCell::new(Vec::new()));
        let seen = reports.clone();
        aio::get_running_loop()?
            .set_exception_handler(move |context| seen.borrow_mut().push(context.to_string()));
        let app = App::new()
            .get("/panic", async |request: Request| {
                assert!(request.path().is_empty(), "not so");
                ""
            })
            .get("/fine", async |_: Request| "fine");
        let server = Server::bind(app, "127.0.0.1:0").await?;
        assert_eq!(status(&get(&server, "/panic").await?), "500");
        assert_eq!(status(&get(&server, "/fine").await?), "200");
        assert!(reports.borrow()[0].contains("not so"), "{reports:?}");
        Ok(())
    })
}

#[test]
fn a_handler_is_run_to_its_end_when_the_client_hangs_up() -> io::Result<()> {
    on_loop(async || {
        let (begun, finished) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
        let (at_begin, at_end) = (begun.clone(), finished.clone());
        let app = App::new().get("/slow", async move |_: Request| {
            at_begin.set(true);
            aio::sleep(Duration::from_millis(20)).await;
            at_end.set(true);
            ""
        });
        let server = Server::bind(app, "127.0.0.1:0").await?;
        let (reader, writer) = aio::open_connection(server.local_addr()).await?;
        writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
        while !begun.get() {
            aio::yield_now().await;
        }
        writer.close();
        drop((reader, writer));
        while server.connections() > 0 {
            aio::sleep(Duration::from_millis(1)).await;
        }
        while !finished.get() {
            aio::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    })
}

#[test]
fn limits_cut_off_what_is_too_large_or_too_slow() -> io::Result<()> {
    on_loop(async || {
        let limits = Limits {
            header_time: Duration::from_millis(50),
            headers: 10,
            header_bytes: 2000,
            body: 10,
            ..Limits::default()
        };
        let app = App::new()
            .limits(limits)
            .post("/", async |mut request: Request| {
                match request.read().await {
                    Ok(bytes) => Response::bytes(bytes),
                    Err(error) => error.into_response(),
                }
            });
        let server = Server::bind(app, "127.0.0.1:0").await?;
        let request = |headers: &str, body: &str| {
            let length = body.len();
            format!(
                "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
            )
        };
        assert_eq!(
            body(&exchange(&server, &request("", "0123456789")).await?),
            "0123456789"
        );
        assert_eq!(
            status(&exchange(&server, &request("", "0123456789a")).await?),
            "413"
        );
        assert_eq!(
            status(&exchange(&server, &request(&"a: b\r\n".repeat(20), "")).await?),
            "431"
        );
        let long = format!("a: {}\r\n", "b".repeat(3000));
        assert_eq!(
            status(&exchange(&server, &request(&long, "")).await?),
            "431"
        );
        let chunked = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
                       8\r\n01234567\r\n8\r\n01234567\r\n0\r\n\r\n";
        assert_eq!(status(&exchange(&server, chunked).await?), "413");
        let slow = exchange(&server, "POST / HTT").await?;
        assert_eq!(status(&slow), "408");
        assert_eq!(
            exchange(&server, "").await?,
            "",
            "one that says nothing is closed without a word"
        );
        assert_eq!(status(&exchange(&server, "nonsense\r\n\r\n").await?), "400");
        let pipelined = format!(
            "{}broken\r\n\r\n",
            request("", "first").replace("Connection: close\r\n", "")
        );
        let answers = exchange(&server, &pipelined).await?;
        assert_eq!(status(&answers), "200");
        assert!(
            answers.contains("firstHTTP/1.1 400"),
            "the first is answered before the second is refused: {answers}"
        );
        Ok(())
    })
}

#[test]
fn a_pattern_that_cannot_be_is_a_typed_error() -> io::Result<()> {
    let app = |pattern: &str| App::new().get("/users/{id}", hello).get(pattern, hello);
    for bad in [
        "users",
        "/a{b}",
        "/{}",
        "/{a}/{a}",
        "/{rest:*}/more",
        "/{a-b}",
        "/{a:[}",
        "/{a:x)|(y}",
    ] {
        assert!(
            matches!(app(bad).check(), Err(RouteError::BadPattern { .. })),
            "{bad}"
        );
    }
    assert!(matches!(
        app("/users/{name}").check(),
        Err(RouteError::Conflict { .. })
    ));
    assert!(matches!(
        app("/users/{id}").check(),
        Err(RouteError::Duplicate { .. })
    ));
    assert_eq!(app("/users/{id}/posts").check(), Ok(()));
    on_loop(async || {
        let error = Server::bind(app("oops"), "127.0.0.1:0").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("oops"), "{error}");
        Ok(())
    })
}

#[test]
fn close_answers_what_was_asked_and_cuts_off_what_takes_too_long() -> io::Result<()> {
    on_loop(async || {
        let begun = Rc::new(Cell::new(0));
        let count = begun.clone();
        let cancelled = Rc::new(Cell::new(false));
        struct Flag(Rc<Cell<bool>>);
        impl Drop for Flag {
            fn drop(&mut self) {
                self.0.set(true);
            }
        }
        let flag = cancelled.clone();
        let app = App::new().get("/{millis}", async move |request: Request| {
            let _flag = Flag(flag.clone());
            count.set(count.get() + 1);
            let millis = request
                .match_info("millis")
                .and_then(|millis| millis.parse().ok())
                .unwrap_or(0);
            aio::sleep(Duration::from_millis(millis)).await;
            "in time"
        });
        let server = Server::bind(app, "127.0.0.1:0").await?;
        let address = server.local_addr();
        let asking = |path: &'static str| async move {
            let (mut reader, writer) = aio::open_connection(address).await?;
            writer.write(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
            reader.read_to_end().await
        };
        let (quick, slow) = (
            aio::create_task(asking("/30")),
            aio::create_task(asking("/3600000")),
        );
        let (mut idle, _idle_writer) = aio::open_connection(address).await?;
        while begun.get() < 2 || server.connections() < 3 {
            aio::yield_now().await;
        }
        server.close(Duration::from_millis(300)).await;
        let quick = String::from_utf8(quick.await??).unwrap();
        assert_eq!((status(&quick), body(&quick)), ("200", "in time"));
        assert!(quick.contains("connection: close"), "{quick}");
        assert!(
            !matches!(slow.await?, Ok(answer) if !answer.is_empty()),
            "cut off"
        );
        assert!(cancelled.get());
        assert!(idle.read(1).await.map_or(true, |bytes| bytes.is_empty()));
        Ok(())
    })
}
