//! Every example runs, prints what its header says, and ends by itself or on a signal.

mod common;

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use common::{Serving, run};

#[test]
fn async_hello() {
    let begin = Instant::now();
    assert_eq!(run("async_hello", &[]), ["Hello, world!", "Hello, again!"]);
    assert!(begin.elapsed() >= Duration::from_secs(1));
}

#[test]
fn two_hellos() {
    let lines = run("two_hellos", &[]);
    let begins = |text: &str| lines.iter().filter(|line| line.starts_with(text)).count();
    assert_eq!(
        (begins("Hello, world! ("), begins("Hello, again! (")),
        (2, 2)
    );
    assert!(
        lines[..2]
            .iter()
            .all(|line| line.starts_with("Hello, world!")),
        "{lines:?}"
    );
    let thread = |line: &str| line.split('(').nth(2).map(str::to_owned);
    assert!(thread(&lines[0]).is_some());
    assert!(
        lines[..4]
            .iter()
            .all(|line| thread(line) == thread(&lines[0])),
        "{lines:?}"
    );
}

#[test]
fn factorial() {
    let lines = run("factorial", &[]);
    for expected in [
        "Task A: factorial(2) = 2",
        "Task B: factorial(3) = 6",
        "Task C: factorial(4) = 24",
    ] {
        assert!(
            lines.iter().any(|line| line == expected),
            "{expected} is not in {lines:?}"
        );
    }
    assert_eq!(lines.last().map(String::as_str), Some("[2, 6, 24]"));
}

#[test]
fn async_interleave() {
    assert_eq!(run("async_interleave", &[]), ["0", "a", "1", "b", "2", "c"]);
}

#[test]
fn say_after() {
    let lines = run("say_after", &[]);
    assert_eq!(
        (&lines[..2], &lines[3..5]),
        (
            &["hello", "world"].map(str::to_owned)[..],
            &["hello", "world"].map(str::to_owned)[..]
        )
    );
    assert!(lines[2].starts_with("one after the other: 0."), "{lines:?}");
    assert!(lines[5].starts_with("as tasks: 0."), "{lines:?}");
}

#[test]
fn wait_for() {
    let expected = [
        "timeout!",
        "timeout again, but the task goes on",
        "the shielded result: 42",
    ];
    assert_eq!(run("wait_for", &[]), expected);
}

#[test]
fn loop_methods() {
    let expected = [
        "run_until_complete: 42",
        "is_running inside: true, outside: false",
        "call_soon",
        "call_soon from another thread",
        "call_later, then stop",
        "run_forever has returned",
        "is_closed: true",
        "using it now: the event loop is closed: make a new one with EventLoop::new()",
    ];
    assert_eq!(run("loop_methods", &[]), expected);
}

#[test]
fn display_date() {
    let lines = run("display_date", &[]);
    assert!((2..=5).contains(&lines.len()), "{lines:?}");
    assert!(
        lines
            .iter()
            .all(|line| line.len() == 14 && line.ends_with(" UTC")),
        "{lines:?}"
    );
}

#[test]
fn gather_errors() {
    let expected = [
        "gather: 2 failed",
        "the others have been cancelled",
        "gather_settled: [Ok(1), Err(Failed(2)), Ok(3)]",
    ];
    assert_eq!(run("gather_errors", &[]), expected);
}

#[test]
fn async_queue() {
    let lines = run("async_queue", &[]);
    let mut items: Vec<u32> = lines
        .iter()
        .filter_map(|line| line.split(" got ").nth(1)?.parse().ok())
        .collect();
    items.sort_unstable();
    assert!(items.into_iter().eq(0..20), "{lines:?}");
    assert_eq!(
        lines.last().map(String::as_str),
        Some("all 20 items are done")
    );
}

#[test]
fn executor() {
    let expected = [
        "the blocking function has returned 42",
        "the loop's heart has gone on beating",
    ];
    assert_eq!(run("executor", &[]), expected);
}

#[test]
fn future_bridge() {
    assert_eq!(
        run("future_bridge", &[]),
        ["waiting", "the callback said: Hello, future!"]
    );
}

#[test]
fn million() {
    // Fewer: this is not an optimised build.
    let lines = run("million", &["50000"]);
    assert!(
        lines[0].starts_with("50000 coroutines slept at once, in "),
        "{lines:?}"
    );
    let bytes: usize = lines[1]
        .split(' ')
        .next()
        .and_then(|bytes| bytes.parse().ok())
        .unwrap();
    assert!((50..1000).contains(&bytes), "{lines:?}");
}

#[test]
fn signals() {
    let expected = [
        "working; ctrl-c or SIGTERM ends it",
        "SIGTERM came",
        "the work has been cleaned up",
    ];
    assert_eq!(run("signals", &[]), expected);
}

#[test]
fn wget() {
    let lines = run("wget", &[]);
    let hosts: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("wget ")?.strip_suffix("..."))
        .collect();
    assert_eq!(hosts.len(), 3, "{lines:?}");
    for host in hosts {
        for header in ["HTTP/1.0 200 OK", "Content-Length: 5"] {
            let expected = format!("{host} header > {header}");
            assert!(lines.contains(&expected), "{expected} is not in {lines:?}");
        }
    }
    assert_eq!(lines.len(), 9);
}

#[test]
fn async_generator() {
    let expected = [
        "connected",
        "row 1",
        "row 2",
        "that is enough",
        "disconnecting",
        "disconnected",
        "the generator has ended",
    ];
    assert_eq!(run("async_generator", &[]), expected);
}

#[test]
fn async_subprocess() {
    let lines = run("async_subprocess", &[]);
    let of = |name: &str| -> Vec<&str> {
        let lines = lines.iter();
        lines.filter_map(|line| line.strip_prefix(name)).collect()
    };
    assert_eq!(of("[counter] "), ["1", "2", "3", "ended: exit status: 0"]);
    assert_eq!(of("[letters] "), ["a", "b", "c", "ended: exit status: 3"]);
    let last = [
        "sorted: apple, banana, cherry",
        "the sleeper was stopped: signal: 15 (SIGTERM)",
    ];
    assert_eq!(lines[lines.len() - 2..], last);
}

#[test]
fn echo_server() {
    for signal in ["TERM", "INT"] {
        let server = Serving::start("echo_server", &[]);
        assert!(server.line.starts_with("Serving on 127.0.0.1:"));
        let mut client = TcpStream::connect(server.address).unwrap();
        let own = client.local_addr().unwrap();
        for message in ["hi", "again"] {
            client.write_all(message.as_bytes()).unwrap();
            let mut answer = vec![0; format!("{own} Your msg {message}").len()];
            client.read_exact(&mut answer).unwrap();
            assert_eq!(
                String::from_utf8(answer).unwrap(),
                format!("{own} Your msg {message}")
            );
        }
        server.stop(signal);
    }
}

#[test]
fn echo_server_on_every_core() {
    let server = Serving::start("echo_server", &["per-core"]);
    assert!(server.line.starts_with("Serving with "), "{}", server.line);
    let mut clients: Vec<_> = (0..10)
        .map(|_| TcpStream::connect(server.address).unwrap())
        .collect();
    for client in &mut clients {
        let expected = format!("{} Your msg hi", client.local_addr().unwrap());
        client.write_all(b"hi").unwrap();
        let mut answer = vec![0; expected.len()];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(answer, expected.as_bytes());
    }
    drop(clients);
    server.stop("TERM");
}

/// One GET; gives the status and the body.
#[cfg(feature = "http")]
fn get(address: std::net::SocketAddr, path: &str) -> (u16, String) {
    let mut client = TcpStream::connect(address).unwrap();
    write!(
        client,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (
        head.split(' ').nth(1).unwrap().parse().unwrap(),
        body.to_owned(),
    )
}

#[cfg(feature = "http")]
#[test]
fn http_hello() {
    let server = Serving::start("http_hello", &[]);
    assert_eq!(
        server.line,
        format!("Server started at http://{}...", server.address)
    );
    assert_eq!(get(server.address, "/"), (200, "<h1>Index</h1>".to_owned()));
    assert_eq!(
        get(server.address, "/hello/A%26B"),
        (200, "<h1>hello, A&amp;B!</h1>".to_owned())
    );
    assert_eq!(get(server.address, "/nowhere").0, 404);
    server.stop("TERM");
}

#[cfg(feature = "http")]
#[test]
fn http_hello_answers_a_thousand_at_once_on_one_thread() {
    let server = Serving::start("http_hello", &[]);
    let begin = Instant::now();
    let mut clients: Vec<TcpStream> = (0..1000)
        .map(|_| TcpStream::connect(server.address).unwrap())
        .collect();
    for (number, client) in clients.iter_mut().enumerate() {
        write!(
            client,
            "GET /hello/{number} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
    }
    for (number, client) in clients.iter_mut().enumerate() {
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(
            answer.ends_with(&format!("<h1>hello, {number}!</h1>")),
            "{answer}"
        );
    }
    // One after the other they would take 500 s.
    assert!(
        begin.elapsed() < Duration::from_secs(60),
        "{:?}",
        begin.elapsed()
    );
    server.stop("TERM");
}

#[cfg(feature = "http")]
#[test]
fn http_params() {
    let server = Serving::start("http_params", &[]);
    assert_eq!(get(server.address, "/"), (201, "/".to_owned()));
    assert_eq!(get(server.address, "/17?verbose=1"), (200, "17".to_owned()));
    server.stop("INT");
}

#[cfg(feature = "http")]
#[test]
fn http_per_core() {
    let server = Serving::start("http_per_core", &[]);
    for number in 1..=20 {
        let (status, body) = get(server.address, "/");
        assert_eq!(status, 200);
        assert!(
            body.starts_with(&format!("{number} aio-loop-")),
            "all loops count in one place: {body}"
        );
    }
    server.stop("TERM");
}

#[cfg(feature = "tower")]
#[test]
fn http_parts() {
    let server = Serving::start("http_parts", &[]);
    let put = |body: &str| {
        let length = body.len();
        exchange(
            server.address,
            &format!(
                "PUT /stock/tea HTTP/1.1\r\nHost: x\r\nConnection: close\r\nOrigin: https://shop.example\r\n\
                 Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            ),
        )
    };
    assert_eq!(
        get(server.address, "/stock/tea"),
        (404, "no tea here".to_owned())
    );
    let created = put("{\"count\": 3}");
    assert!(created.starts_with("HTTP/1.1 201 "), "{created}");
    assert!(
        created.contains("access-control-allow-origin: https://shop.example\r\n"),
        "{created}"
    );
    assert!(put("{\"count\": -3}").starts_with("HTTP/1.1 400 "));
    assert_eq!(
        get(server.address, "/stock/tea"),
        (200, "{\"count\":3}".to_owned())
    );
    server.stop("TERM");
}

#[cfg(feature = "http")]
#[test]
fn http_behind_proxy() {
    let path = std::env::temp_dir().join(format!("aio-proxied-{}.sock", std::process::id()));
    let server = {
        // The line has two addresses; the socket's path comes last.
        let place = path.display().to_string();
        Serving::start("http_behind_proxy", &[&place])
    };
    assert!(
        server
            .line
            .ends_with(&format!(", unix:{}...", path.display())),
        "{}",
        server.line
    );
    let asked = "GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\
        X-Forwarded-For: 6.6.6.6, 203.0.113.7\r\nX-Forwarded-Proto: https\r\n\r\n";
    let expected = "203.0.113.7 asks https://shop.example\n";
    let answer = exchange(server.address, asked);
    assert!(answer.ends_with(expected), "{answer}");
    let mut client = std::os::unix::net::UnixStream::connect(&path).unwrap();
    client.write_all(asked.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with(expected), "{answer}");
    server.stop("TERM");
    assert!(!path.exists());
}

/// As systemd starts it: with a socket that listens already, as descriptor 3.
#[cfg(feature = "http")]
#[test]
fn a_socket_that_systemd_hands_over_takes_the_place_of_the_address() {
    for name in ["http_hello", "http_per_core"] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // Asked before there is a server: the socket waits, so a restart loses nobody.
        let mut early = TcpStream::connect(address).unwrap();
        early.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let server = Serving::handed(name, listener);
        assert_eq!(server.address, address);
        let mut answer = String::new();
        early.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
        server.stop("TERM");
    }
}

/// Sends the bytes and reads until the server closes.
#[cfg(feature = "http")]
fn exchange(address: std::net::SocketAddr, request: &str) -> String {
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[cfg(feature = "client")]
#[test]
fn http_client() {
    assert_eq!(run("http_client", &[]), ["200 OK", "hello, client!"]);
    let server = Serving::start("http_params", &[]);
    let lines = run("http_client", &[&format!("http://{}/17", server.address)]);
    assert_eq!(lines, ["200 OK", "17"]);
    server.stop("TERM");
}

#[cfg(feature = "client")]
#[test]
fn http_trace() {
    assert_eq!(
        run("http_trace", &[]),
        ["20 requests over 4 connections brought 220 bytes"]
    );
}

/// A handshake, one text in a frame that is masked with zeros, and a close.
#[cfg(feature = "ws")]
fn websocket_echoes(address: std::net::SocketAddr) {
    let handshake = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(handshake.as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    client.write_all(b"\x81\x85\0\0\0\0hello").unwrap();
    client.write_all(b"\x88\x82\0\0\0\0\x03\xe8").unwrap();
    let mut frames = Vec::new();
    client.read_to_end(&mut frames).unwrap();
    assert_eq!(frames, b"\x81\x05hello\x88\x02\x03\xe8");
}

#[cfg(feature = "ws")]
#[test]
fn websocket_echo() {
    let server = Serving::start("websocket_echo", &[]);
    websocket_echoes(server.address);
    server.stop("INT");
}

#[cfg(all(feature = "ws", feature = "multipart"))]
#[test]
fn http_suite() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let server = Serving::start("http_suite", &[&folder.display().to_string()]);
    let address = server.address;
    assert_eq!(get(address, "/"), (200, "ok".to_owned()));
    assert_eq!(get(address, "/json"), (200, "{\"answer\":42}".to_owned()));
    assert_eq!(get(address, "/redirect").0, 302);
    assert!(
        get(address, "/static/http_suite.rs")
            .1
            .starts_with("//! Serves one of everything")
    );
    assert_eq!(get(address, "/static/../Cargo.toml").0, 404);
    let chunked = get(address, "/stream").1;
    assert!(
        chunked.contains("line 1\n")
            && chunked.contains("line 100\n")
            && chunked.ends_with("0\r\n\r\n")
    );
    let post = |path: &str, kind: &str, body: &str| {
        let length = body.len();
        exchange(
            address,
            &format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
            ),
        )
    };
    assert!(post("/echo", "text/plain", "echo!").ends_with("\r\n\r\necho!"));
    assert!(
        post("/form", "application/x-www-form-urlencoded", "b=2&a=1")
            .ends_with("{\"a\":\"1\",\"b\":\"2\"}")
    );
    let part = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--\r\n";
    assert!(post("/form", "multipart/form-data; boundary=x", part).ends_with("{\"a\":\"1\"}"));
    let cookies = exchange(
        address,
        "GET /cookies HTTP/1.1\r\nHost: x\r\nCookie: a=b\r\nConnection: close\r\n\r\n",
    );
    assert!(
        cookies.ends_with("a=b") && cookies.contains("set-cookie: flavour=oat%20and%20raisin;"),
        "{cookies}"
    );
    websocket_echoes(address);
    assert_eq!(get(address, "/slow"), (200, "slow".to_owned()));
    server.stop("TERM");
}
