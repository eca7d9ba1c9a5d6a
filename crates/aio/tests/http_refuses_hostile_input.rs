//! What a hostile client sends over HTTP/1 at the level of the socket, and what it is answered.
//!
//! HTTP/2 is in `http2_refuses_hostile_input`, WebSockets in `websockets_keep_to_the_protocol`, what our client meets in
//! `http_client_is_bounded`, and the TLS handshake's time in `tls_encrypts_and_checks`. Which case hits which field of
//! `Limits` over HTTP/1:
//!
//! | limit | case |
//! |---|---|
//! | `header_time`, `keep_alive`, `body_idle` | `who_is_slow_is_cut_off` |
//! | `header_time`, `body_rate`, `body_grace` | `who_drips_is_cut_off_too` |
//! | `write_stall` | `who_does_not_read_is_cut_off` |
//! | `request_line`, `header_field`, `headers`, `header_bytes`, `body` | `what_is_too_large_is_told_so`, each also at its edge |
//! | `parts`, `part_headers`, `form_bytes` | `a_form_is_held_to_its_limits` |
//! | `connections` | `an_idle_connection_makes_way_for_a_new_one` |
//! | `requests` | `more_requests_than_can_be_handled_are_told_to_come_back` |
#![cfg(feature = "http")]

use std::{io, time::Duration};

use aio::{
    StreamReader, StreamWriter,
    http::{App, Limits, Request, Response, Server},
};

fn on_loop(test: impl AsyncFnOnce() -> io::Result<()>) -> io::Result<()> {
    aio::run(aio::wait_for(test(), Duration::from_secs(30)))??
}

fn app() -> App {
    App::new()
        .get("/", async |_: Request| "index")
        .post("/", async |mut request: Request| request.text().await)
        .get("/x/{name}", async |request: Request| {
            request.match_info("name").unwrap_or("").to_owned()
        })
        .get("/host", async |request: Request| {
            request.host().unwrap_or("").to_owned()
        })
}

async fn serve(limits: Limits) -> io::Result<Server> {
    Server::bind(app().limits(limits), "127.0.0.1:0").await
}

/// Sends the bytes and reads until the server closes: what it says, if it says anything.
async fn exchange(server: &Server, request: &[u8]) -> io::Result<String> {
    let (mut reader, writer) = aio::open_connection(server.local_addr()).await?;
    writer.write(request);
    // A server that refuses may close while we still write.
    let _ = writer.drain().await;
    let mut answer = Vec::new();
    while let Ok(piece) = reader.read(4096).await {
        if piece.is_empty() {
            break;
        }
        answer.extend_from_slice(&piece);
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn statuses(answers: &str) -> Vec<&str> {
    answers
        .split("HTTP/1.1 ")
        .skip(1)
        .filter_map(|answer| answer.get(..3))
        .collect()
}

/// The request line of a POST, then these header lines and what follows.
fn post(rest: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: x\r\n{rest}")
}

#[test]
fn a_message_that_can_be_read_in_two_ways_is_refused() -> io::Result<()> {
    let chunked = "Transfer-Encoding: chunked\r\n\r\n";
    let cases = [
        (
            "both lengths",
            post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            "400",
        ),
        (
            "both, the other way round",
            post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
            "400",
        ),
        (
            "two lengths",
            post("Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
            "400",
        ),
        (
            "the same length twice",
            post("Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
            "400",
        ),
        (
            "a list of lengths",
            post("Content-Length: 5, 5\r\n\r\nhello"),
            "400",
        ),
        ("a sign", post("Content-Length: +5\r\n\r\nhello"), "400"),
        (
            "a negative length",
            post("Content-Length: -1\r\n\r\n"),
            "400",
        ),
        (
            "a hexadecimal length",
            post("Content-Length: 0x5\r\n\r\nhello"),
            "400",
        ),
        ("an empty length", post("Content-Length: \r\n\r\n"), "400"),
        (
            "a length of 2^64",
            post("Content-Length: 18446744073709551616\r\n\r\n"),
            "400",
        ),
        (
            "an unknown coding",
            post("Transfer-Encoding: gzip\r\n\r\n"),
            "501",
        ),
        (
            "a coding before chunked",
            post("Transfer-Encoding: gzip, chunked\r\n\r\n"),
            "400",
        ),
        (
            "a coding after chunked",
            post("Transfer-Encoding: chunked, gzip\r\n\r\n"),
            "400",
        ),
        (
            "chunked twice",
            post("Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
            "400",
        ),
        (
            "chunked on two lines",
            post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            "400",
        ),
        (
            "a vertical tab",
            post("Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
            "400",
        ),
        (
            "a tab before a coding",
            post("Transfer-Encoding:\t chunked\r\n\r\n0\r\n\r\n"),
            "400",
        ),
        (
            "a tab after a length",
            post("Content-Length: 5\t\r\n\r\nhello"),
            "400",
        ),
        (
            "a tab after a host",
            "GET / HTTP/1.1\r\nHost: x\t\r\n\r\n".to_owned(),
            "400",
        ),
        (
            "chunks in HTTP/1.0",
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
            "400",
        ),
        (
            "a bare line feed",
            "GET / HTTP/1.1\nHost: x\r\n\r\n".to_owned(),
            "400",
        ),
        (
            "a bare line feed after a header",
            "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n".to_owned(),
            "400",
        ),
        (
            "a bare line feed at the head's end",
            "GET / HTTP/1.1\r\nHost: x\r\n\n".to_owned(),
            "400",
        ),
        (
            "a carriage return in a value",
            "GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n".to_owned(),
            "400",
        ),
        (
            "a NUL in a value",
            "GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n".to_owned(),
            "400",
        ),
        (
            "a folded header",
            "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n".to_owned(),
            "400",
        ),
        (
            "a blank before the colon",
            "GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n".to_owned(),
            "400",
        ),
        (
            "an empty name",
            "GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n".to_owned(),
            "400",
        ),
        (
            "a blank before the first header",
            "GET / HTTP/1.1\r\n Host: x\r\n\r\n".to_owned(),
            "400",
        ),
        ("no host", "GET / HTTP/1.1\r\n\r\n".to_owned(), "400"),
        (
            "two hosts",
            "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n".to_owned(),
            "400",
        ),
        (
            "a user in the host",
            "GET / HTTP/1.1\r\nHost: a@x\r\n\r\n".to_owned(),
            "400",
        ),
        (
            "a path in the host",
            "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n".to_owned(),
            "400",
        ),
        (
            "a target that is an authority",
            "GET x:80 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            "400",
        ),
        (
            "an asterisk for GET",
            "GET * HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            "400",
        ),
        (
            "a broken escape",
            "GET /x/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(),
            "400",
        ),
        (
            "half an escape",
            "GET /x/% HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(),
            "400",
        ),
        (
            "an escaped NUL",
            "GET /x/%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(),
            "400",
        ),
        (
            "no UTF-8",
            "GET /x/%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(),
            "400",
        ),
        (
            "HTTP/2.0 in one line",
            "GET / HTTP/2.0\r\nHost: x\r\n\r\n".to_owned(),
            "505",
        ),
        (
            "HTTP/1.10",
            "GET / HTTP/1.10\r\nHost: x\r\n\r\n".to_owned(),
            "400",
        ),
        (
            "three blanks",
            "GET /  HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            "400",
        ),
        (
            "a chunk size of 17 digits",
            post(&format!("{chunked}00000000000000001\r\na\r\n0\r\n\r\n")),
            "400",
        ),
        (
            "a negative chunk size",
            post(&format!("{chunked}-1\r\na\r\n0\r\n\r\n")),
            "400",
        ),
        (
            "an empty chunk size",
            post(&format!("{chunked}\r\na\r\n0\r\n\r\n")),
            "400",
        ),
        (
            "0x before a chunk size",
            post(&format!("{chunked}0x1\r\na\r\n0\r\n\r\n")),
            "400",
        ),
        (
            "a blank after a chunk size",
            post(&format!("{chunked}1 \r\na\r\n0\r\n\r\n")),
            "400",
        ),
        (
            "a chunk size ended by a line feed",
            post(&format!("{chunked}1\na\r\n0\r\n\r\n")),
            "400",
        ),
        (
            "a carriage return in an extension",
            post(&format!("{chunked}1;a\rb\r\na\r\n0\r\n\r\n")),
            "400",
        ),
        (
            "too long an extension",
            post(&format!(
                "{chunked}1;{}\r\na\r\n0\r\n\r\n",
                "e".repeat(5000)
            )),
            "400",
        ),
        (
            "a line feed in an extension",
            post(&format!("{chunked}1;a\nb\r\na\r\n0\r\n\r\n")),
            "400",
        ),
        (
            "extensions that are too long together",
            post(&format!(
                "{chunked}{}0\r\n\r\n",
                format!("1;{}\r\na\r\n", "e".repeat(1000)).repeat(5)
            )),
            "400",
        ),
        (
            "a blank before a chunk size",
            post(&format!("{chunked} 1\r\na\r\n0\r\n\r\n")),
            "400",
        ),
        (
            "a chunk of 2^63 bytes",
            post(&format!("{chunked}8000000000000000\r\na")),
            "400",
        ),
        (
            "a trailer that is folded",
            post(&format!("{chunked}0\r\nA: b\r\n c\r\n\r\n")),
            "400",
        ),
        (
            "a chunk without its end",
            post(&format!("{chunked}1\r\nab\r\n0\r\n\r\n")),
            "400",
        ),
        (
            "a trailer that is none",
            post(&format!("{chunked}0\r\nno trailer\r\n\r\n")),
            "400",
        ),
    ];
    on_loop(async || {
        let server = serve(Limits::default()).await?;
        for (name, request, expected) in &cases {
            let answer = exchange(&server, request.as_bytes()).await?;
            assert_eq!(statuses(&answer), [*expected], "{name}: {answer}");
        }
        Ok(())
    })
}

#[test]
fn a_refused_message_smuggles_no_second_one() -> io::Result<()> {
    on_loop(async || {
        let server = serve(Limits::default()).await?;
        let smuggled = post(
            "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x/smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
        );
        let answer = exchange(&server, smuggled.as_bytes()).await?;
        assert_eq!(statuses(&answer), ["400"], "{answer}");
        let first = "GET /x/first HTTP/1.1\r\nHost: x\r\n\r\n";
        let answer = exchange(&server, format!("{first}{smuggled}").as_bytes()).await?;
        assert_eq!(statuses(&answer), ["200", "400"], "{answer}");
        assert!(
            answer.contains("first") && !answer.contains("smuggled"),
            "{answer}"
        );
        Ok(())
    })
}

#[test]
fn every_cut_of_a_message_is_judged_alike() -> io::Result<()> {
    let good = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3;e=1\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n";
    let bad = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nA : b\r\n\r\nabc";
    on_loop(async || {
        let server = serve(Limits::default()).await?;
        for cut in 1..good.len() {
            let (mut reader, writer) = aio::open_connection(server.local_addr()).await?;
            writer.write(&good.as_bytes()[..cut]);
            writer.drain().await?;
            aio::sleep(Duration::from_millis(1)).await;
            writer.write(&good.as_bytes()[cut..]);
            let answer = String::from_utf8_lossy(&reader.read_to_end().await?).into_owned();
            assert!(answer.ends_with("\r\n\r\nabcde"), "cut at {cut}: {answer}");
        }
        for cut in 1..bad.len() {
            let (mut reader, writer) = aio::open_connection(server.local_addr()).await?;
            writer.write(&bad.as_bytes()[..cut]);
            writer.drain().await?;
            aio::sleep(Duration::from_millis(1)).await;
            writer.write(&bad.as_bytes()[cut..]);
            let answer = String::from_utf8_lossy(&reader.read_to_end().await?).into_owned();
            assert_eq!(statuses(&answer), ["400"], "cut at {cut}: {answer}");
        }
        Ok(())
    })
}

#[test]
fn forms_that_are_odd_but_clear_are_answered() -> io::Result<()> {
    on_loop(async || {
        let server = serve(Limits::default()).await?;
        for (request, body) in [
            (
                "GET http://other/x/absolute HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                "absolute",
            ),
            (
                "\r\nGET /x/blank HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                "blank",
            ),
            ("GET /x/old HTTP/1.0\r\n\r\n", "old"),
            (
                "GET /x/%2525 HTTP/1.1\r\nHost:x\r\nConnection: close\r\n\r\n",
                "%25",
            ),
            (
                "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nContent-Length: 9\r\n\r\n",
                "a",
            ),
            (
                "GET http://other:80/host HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                "other:80",
            ),
        ] {
            let answer = exchange(&server, request.as_bytes()).await?;
            assert!(
                answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.0 200"),
                "{answer}"
            );
            assert!(answer.ends_with(&format!("\r\n\r\n{body}")), "{answer}");
        }
        let tls = exchange(&server, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await?;
        assert_eq!(statuses(&tls), ["400"]);
        Ok(())
    })
}

#[test]
fn what_is_too_large_is_told_so() -> io::Result<()> {
    on_loop(async || {
        let server = serve(Limits::default()).await?;
        let line = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(8193));
        let field = format!(
            "GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n",
            "b".repeat(8200)
        );
        let block = format!(
            "GET / HTTP/1.1\r\nHost: x\r\n{}\r\n",
            format!("A: {}\r\n", "b".repeat(4000)).repeat(9)
        );
        let many = format!(
            "GET / HTTP/1.1\r\nHost: x\r\n{}\r\n",
            "A: b\r\n".repeat(100)
        );
        let endless = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}", "b".repeat(100_000));
        let body = post(&format!(
            "Content-Length: {}\r\nConnection: close\r\n\r\n",
            2 * 1024 * 1024
        ));
        let trailer = |trailers: &str| {
            post(&format!(
                "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n{trailers}\r\n"
            ))
        };
        let get = |target: &str, fields: &str| {
            format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{fields}\r\n")
        };
        let line_of = |length: usize| {
            // What is not the name: "GET /x/ HTTP/1.1".
            get(&format!("/x/{}", "a".repeat(length - 16)), "")
        };
        let block_of = |length: usize| {
            let empty = get("/", "A: \r\n").len() - 2;
            let pads = format!("A: {}\r\n", "b".repeat(4000 - 5)).repeat(7);
            let left = length - empty - pads.len();
            get("/", &format!("{pads}A: {}\r\n", "b".repeat(left)))
        };
        let edge = "\r\n".len();
        for (request, status) in [
            (line_of(8192), "200"),
            (line_of(8193), "414"),
            (get("/", &format!("A: {}\r\n", "b".repeat(8192 - 3))), "200"),
            (get("/", &format!("A: {}\r\n", "b".repeat(8193 - 3))), "431"),
            (get("/", &"A: b\r\n".repeat(98)), "200"),
            (get("/", &"A: b\r\n".repeat(99)), "431"),
            (block_of(32 * 1024), "200"),
            (block_of(32 * 1024 + edge), "431"),
            (trailer(&"A: b\r\n".repeat(101)), "431"),
            (trailer(&format!("A: {}\r\n", "b".repeat(8193))), "431"),
            (
                trailer(&format!("A: {}\r\n", "b".repeat(4000)).repeat(9)),
                "431",
            ),
            (line, "414"),
            (field, "431"),
            (block, "431"),
            (many, "431"),
            (endless, "431"),
            (body, "413"),
        ] {
            assert_eq!(
                statuses(&exchange(&server, request.as_bytes()).await?),
                [status]
            );
        }
        Ok(())
    })
}

/// Short times, so that a test that waits for them takes no long.
fn hasty() -> Limits {
    let short = Duration::from_millis(60);
    Limits {
        header_time: short,
        keep_alive: short,
        body_idle: short,
        write_stall: short,
        body_grace: short,
        ..Limits::default()
    }
}

async fn open(server: &Server, request: &str) -> io::Result<(StreamReader, StreamWriter)> {
    let (reader, writer) = aio::open_connection(server.local_addr()).await?;
    writer.write(request.as_bytes());
    writer.drain().await?;
    Ok((reader, writer))
}

#[test]
fn who_is_slow_is_cut_off() -> io::Result<()> {
    on_loop(async || {
        let server = serve(hasty()).await?;
        let silent = exchange(&server, b"").await?;
        assert_eq!(silent, "", "one that says nothing is closed without a word");
        let head = exchange(&server, b"GET / HTTP/1.1\r\nHost").await?;
        assert_eq!(statuses(&head), ["408"]);
        let body = exchange(&server, post("Content-Length: 10\r\n\r\nabc").as_bytes()).await?;
        assert_eq!(statuses(&body), ["408"], "{body}");
        let idle = exchange(&server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await?;
        assert_eq!(
            statuses(&idle),
            ["200"],
            "closed without a word after its answer"
        );
        Ok(())
    })
}

#[test]
fn who_drips_is_cut_off_too() -> io::Result<()> {
    on_loop(async || {
        let limits = Limits {
            body_idle: Duration::from_secs(20),
            ..hasty()
        };
        let server = serve(limits).await?;
        for (start, drop) in [
            ("GET / HTTP/1.1\r\nHost: x\r\nA: ", "b"),
            (
                "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",
                "c",
            ),
        ] {
            let (mut reader, writer) = open(&server, start).await?;
            let dripping = aio::create_task(async move {
                loop {
                    writer.write(drop.as_bytes());
                    if writer.drain().await.is_err() {
                        return;
                    }
                    aio::sleep(Duration::from_millis(10)).await;
                }
            });
            let answer = reader.readuntil(b"\r\n").await?;
            assert_eq!(statuses(&String::from_utf8_lossy(&answer)), ["408"]);
            dripping.cancel();
        }
        Ok(())
    })
}

#[test]
fn who_does_not_read_is_cut_off() -> io::Result<()> {
    on_loop(async || {
        let big = App::new().limits(hasty()).get("/big", async |_: Request| {
            Response::bytes(vec![0; 16 * 1024 * 1024])
        });
        let server = Server::bind(big, "127.0.0.1:0").await?;
        let (mut reader, _writer) = open(&server, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n").await?;
        while server.connections() == 0 {
            aio::yield_now().await;
        }
        while server.connections() > 0 {
            aio::sleep(Duration::from_millis(5)).await;
        }
        let end = loop {
            match reader.read(1024 * 1024).await {
                Ok(piece) => assert!(!piece.is_empty(), "it looks like the answer's end"),
                Err(error) => break error,
            }
        };
        assert_eq!(end.kind(), io::ErrorKind::ConnectionReset);
        Ok(())
    })
}

#[test]
fn heads_that_come_in_halves_are_each_given_their_time() -> io::Result<()> {
    on_loop(async || {
        let server = serve(Limits {
            header_time: Duration::from_millis(500),
            ..Limits::default()
        })
        .await?;
        let request = "GET /x/halves HTTP/1.1\r\nHost: x\r\n\r\n";
        let (begin, rest) = request.split_at(10);
        let (mut reader, writer) = open(&server, begin).await?;
        // The connection waits within a head all along, and longer than for one.
        for _ in 0..60 {
            aio::sleep(Duration::from_millis(12)).await;
            writer.write(format!("{rest}{begin}").as_bytes());
            let answer = reader.readuntil(b"halves").await?;
            assert_eq!(statuses(&String::from_utf8_lossy(&answer)), ["200"]);
        }
        Ok(())
    })
}

/// Paths and ranges as they come over the wire: no client's library has tidied them up.
#[test]
fn no_file_is_sent_that_is_not_for_all() -> io::Result<()> {
    use aio::http::StaticFiles;
    use std::{fs, os::unix::fs::symlink};
    struct Folder(std::path::PathBuf);
    impl Drop for Folder {
        fn drop(&mut self) {
            // What is left of it harms nobody.
            let _ = fs::remove_dir_all(&self.0);
        }
    }
    let folder = std::env::temp_dir().join(format!("aio-hostile-{}", std::process::id()));
    let folder = Folder(folder);
    let public = folder.0.join("public");
    fs::create_dir_all(&public)?;
    fs::write(folder.0.join("secret"), "secret")?;
    fs::write(public.join("a"), "0123456789")?;
    fs::write(public.join(".hidden"), "secret")?;
    symlink(folder.0.join("secret"), public.join("link"))?;
    symlink(folder.0.join("secret"), public.join("a.gz"))?;
    symlink(&folder.0, public.join("up"))?;
    symlink("/proc/self/root", public.join("magic"))?;
    let made = std::process::Command::new("mkfifo")
        .arg(public.join("pipe"))
        .status()?;
    assert!(made.success());
    let ranges = |count: usize| format!("Range: bytes={}\r\n", vec!["0-"; count].join(","));
    let range = |range: &str| format!("Range: bytes={range}\r\n");
    let nothing = String::new;
    let cases = [
        ("/../secret", nothing(), "404"),
        ("/%2e%2e%2fsecret", nothing(), "404"),
        ("/..%5csecret", nothing(), "404"),
        ("/..%2fsecret", nothing(), "404"),
        ("//etc/passwd", nothing(), "404"),
        ("/%2fetc%2fpasswd", nothing(), "404"),
        ("/%252e%252e/secret", nothing(), "404"),
        ("/up/secret", nothing(), "404"),
        ("/link", nothing(), "404"),
        ("/a.gz", nothing(), "404"),
        ("/magic/etc/passwd", nothing(), "404"),
        ("/pipe", nothing(), "404"),
        ("/.hidden", nothing(), "404"),
        ("/a%00", nothing(), "400"),
        ("/a", "Accept-Encoding: gzip\r\n".to_owned(), "200"),
        ("/a", ranges(1000), "200"),
        ("/a", range("0-x"), "200"),
        ("/a", range("5-2"), "416"),
        ("/a", range("-0"), "416"),
        ("/a", range("10-"), "416"),
        ("/a", range("99999999999999999999-"), "416"),
    ];
    on_loop(async || {
        let app = App::new().files("/static", StaticFiles::new(&public)?);
        let server = Server::bind(app, "127.0.0.1:0").await?;
        for (path, fields, expected) in &cases {
            let request = format!(
                "GET /static{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{fields}\r\n"
            );
            let answer = exchange(&server, request.as_bytes()).await?;
            assert_eq!(statuses(&answer), [*expected], "{path} {fields}");
            assert!(!answer.contains("secret"), "{path}: {answer}");
            if *expected == "200" {
                assert!(answer.ends_with("\r\n\r\n0123456789"), "{path}: {answer}");
            }
        }
        Ok(())
    })
}

#[cfg(feature = "multipart")]
#[test]
fn a_form_is_held_to_its_limits() -> io::Result<()> {
    on_loop(async || {
        let limits = Limits {
            parts: 3,
            part_headers: 500,
            form_bytes: 2000,
            ..Limits::default()
        };
        let app = App::new()
            .limits(limits)
            .post("/", async |mut request: Request| {
                let mut form = request.multipart()?;
                while let Some(mut part) = form.next_part().await? {
                    part.text().await?;
                }
                Ok::<_, Response>("taken")
            });
        let server = Server::bind(app, "127.0.0.1:0").await?;
        let part = |value: &str| {
            format!("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n{value}\r\n")
        };
        for (form, expected) in [
            (part("1").repeat(3) + "--b--\r\n", "200"),
            (part("1").repeat(4) + "--b--\r\n", "413"),
            (part(&"x".repeat(3000)) + "--b--\r\n", "413"),
            (format!("--b\r\nA: {}\r\n", "b".repeat(600)), "400"),
            (part("1"), "400"),
        ] {
            let request = post(&format!(
                "Connection: close\r\nContent-Type: multipart/form-data; boundary=b\r\n\
                 Content-Length: {}\r\n\r\n{form}",
                form.len()
            ));
            let answer = exchange(&server, request.as_bytes()).await?;
            assert_eq!(statuses(&answer), [expected], "{form}");
        }
        Ok(())
    })
}

#[test]
fn a_client_whose_handler_is_slow_is_not_called_slow() -> io::Result<()> {
    on_loop(async || {
        let app = App::new()
            .limits(hasty())
            .post("/", async |mut request: Request| {
                let first = request.chunk().await?.unwrap_or_default().len();
                aio::sleep(Duration::from_millis(300)).await;
                let mut count = first;
                while let Some(piece) = request.chunk().await? {
                    count += piece.len();
                }
                Ok::<_, Response>(Response::text(count.to_string()))
            });
        let server = Server::bind(app, "127.0.0.1:0").await?;
        let size = 3_000_000;
        let request = format!(
            "{}{}",
            post(&format!(
                "Connection: close\r\nContent-Length: {size}\r\n\r\n"
            )),
            "x".repeat(size)
        );
        let (mut reader, writer) = aio::open_connection(server.local_addr()).await?;
        writer.write(request.as_bytes());
        let answer = reader.read_to_end().await?;
        assert!(
            answer.ends_with(b"3000000"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
        Ok(())
    })
}

#[test]
fn an_idle_connection_makes_way_for_a_new_one() -> io::Result<()> {
    on_loop(async || {
        let server = serve(Limits {
            connections: 2,
            ..Limits::default()
        })
        .await?;
        let request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        let (mut oldest, _one) = open(&server, request).await?;
        oldest.readuntil(b"index").await?;
        let (mut second, _two) = open(&server, request).await?;
        second.readuntil(b"index").await?;
        let (mut third, _three) = open(&server, request).await?;
        third.readuntil(b"index").await?;
        assert!(
            oldest.read(1).await?.is_empty(),
            "the one that was idle longest is closed"
        );
        assert_eq!(server.connections(), 2);
        Ok(())
    })
}

#[test]
fn more_requests_than_can_be_handled_are_told_to_come_back() -> io::Result<()> {
    on_loop(async || {
        let app = App::new()
            .limits(Limits {
                requests: 1,
                ..Limits::default()
            })
            .get("/wait", async |_: Request| {
                aio::sleep(Duration::from_secs(3600)).await;
                ""
            })
            .get("/", async |_: Request| "");
        let server = Server::bind(app, "127.0.0.1:0").await?;
        let (_reader, _writer) = open(&server, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").await?;
        while server.requests() == 0 {
            aio::yield_now().await;
        }
        let answer = exchange(
            &server,
            b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        )
        .await?;
        assert_eq!(statuses(&answer), ["503"]);
        assert!(answer.contains("retry-after: 1"), "{answer}");
        Ok(())
    })
}

#[test]
fn a_handler_may_be_dropped_with_its_client() -> io::Result<()> {
    use aio::http::{Method, OnDisconnect, Route};
    use std::{cell::Cell, rc::Rc};
    struct Flag(Rc<Cell<bool>>);
    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    on_loop(async || {
        let (begun, dropped) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
        let (begin, end) = (begun.clone(), dropped.clone());
        let route = Route::new(Method::GET, "/", async move |_: Request| {
            let _flag = Flag(end.clone());
            begin.set(true);
            aio::sleep(Duration::from_secs(3600)).await;
            ""
        });
        let server = Server::bind(
            App::new().add_route(route.on_disconnect(OnDisconnect::Cancel)),
            "127.0.0.1:0",
        )
        .await?;
        let client = open(&server, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await?;
        while !begun.get() {
            aio::yield_now().await;
        }
        drop(client);
        while !dropped.get() {
            aio::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    })
}
