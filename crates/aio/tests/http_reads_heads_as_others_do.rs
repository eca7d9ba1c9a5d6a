//! The same 200 generated requests to our server, to hyper alone and to nginx, each followed by a second request on the
//! same connection. What is claimed:
//!
//! - Whom we answer, both others answer, too: we are never laxer than the stricter of them.
//! - A request that we answer, we read as each of the others does: the method, the body, and where the next one begins.
//! - A request that both others answer we answer, too, unless it is of a kind in [`WE_REFUSE`].
//! - After a refusal nothing more of the connection is read as a request.
//!
//! nginx is a proxy here, in front of a server that tells what it was passed on. Where it is not installed, the test says
//! so on its standard error, and compares with hyper alone; where the gate names it in `AIO_PEERS_REQUIRED`, it fails.
#![cfg(feature = "http")]

#[path = "common/folder.rs"]
mod folder;
mod heads;

use std::{
    env, fs,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    pin::Pin,
    process::{Child, Command, Stdio},
    task::{Context, Poll},
    thread,
    time::{Duration, Instant},
};

use aio::http::{App, BodyError, HeaderName, HeaderValue, Listener, Request, Response, Server};
use bytes::Bytes;
use folder::Folder;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;

const COUNT: usize = 200;
const SEED: u64 = 0x6169_6f2d_6874_7470;
/// Guards against a hang; no answer takes this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// The header in which a server tells what it has read.
const SEEN: &str = "seen";
/// Comes after each request; a body that is read too far swallows it.
const NEXT: &[u8] = b"PROPFIND /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

fn seen(method: &str, body: &[u8]) -> String {
    format!("{method} [{}]", body.escape_ascii())
}

/// What a server has made of the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reading {
    /// Of the first answer; 0 when there was none.
    status: u16,
    /// The requests that it has answered with 200, in their order.
    seen: Vec<String>,
}

impl Reading {
    fn accepts(&self) -> bool {
        self.status == 200
    }

    fn parse(answers: &[u8]) -> Self {
        let text = String::from_utf8_lossy(answers);
        let status = text
            .lines()
            .filter_map(|line| {
                line.strip_prefix("HTTP/1.1 ")
                    .or(line.strip_prefix("HTTP/1.0 "))
            })
            .filter_map(|rest| rest.get(..3)?.parse().ok())
            .find(|status| *status != 100);
        let seen = text
            .lines()
            .filter_map(|line| line.split_once(": "))
            .filter(|(name, _)| name.eq_ignore_ascii_case(SEEN))
            .map(|(_, value)| value.to_owned())
            .collect();
        Reading {
            status: status.unwrap_or(0),
            seen,
        }
    }
}

/// Our server: every path and method tells what it has read.
fn app() -> App {
    App::new().wrap(async |mut request: Request, _| {
        let body = request.read().await?;
        let told = seen(request.method().as_str(), &body);
        let name = HeaderName::from_static(SEEN);
        let value = HeaderValue::from_str(&told).expect("it is escaped");
        Ok::<_, BodyError>(Response::text("").with_header(name, value))
    })
}

struct Nothing;

impl hyper::body::Body for Nothing {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}

async fn tell(request: http::Request<Incoming>) -> hyper::Result<http::Response<Nothing>> {
    let (head, mut incoming) = request.into_parts();
    let mut body = Vec::new();
    loop {
        let next =
            std::future::poll_fn(|cx| hyper::body::Body::poll_frame(Pin::new(&mut incoming), cx));
        let Some(frame) = next.await else { break };
        if let Ok(data) = frame?.into_data() {
            body.extend_from_slice(&data);
        }
    }
    let mut answer = http::Response::new(Nothing);
    let told = seen(head.method.as_str(), &body);
    let told = told.parse().expect("it is escaped");
    answer.headers_mut().insert(SEEN, told);
    Ok(answer)
}

/// hyper alone, with its own defaults.
async fn serve_hyper(listener: tokio::net::TcpListener) {
    while let Ok((socket, _)) = listener.accept().await {
        let connection = hyper::server::conn::http1::Builder::new()
            .half_close(true)
            .serve_connection(TokioIo::new(socket), service_fn(tell));
        // An error is this client's: it shows in what it was answered.
        aio::create_task(async move { drop(connection.await) }).detach();
    }
}

/// nginx in a folder of its own, in front of our server. Stopped when dropped.
struct Nginx {
    child: Child,
    folder: PathBuf,
}

impl Nginx {
    /// None when it is not installed.
    fn start(folder: &Path, backend: &Path) -> Option<Self> {
        let program = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"]
            .into_iter()
            .find(|program| Path::new(program).exists())?;
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {kind};"))
            .concat();
        let configuration = format!(
            "daemon off; master_process off; pid nginx.pid; error_log error.log crit;\n\
             events {{ worker_connections 64; }}\n\
             http {{ access_log off; {temporary} server {{ listen unix:nginx.sock;\n\
             location / {{ proxy_pass http://unix:{}:; proxy_ignore_client_abort on; }} }} }}\n",
            backend.display()
        );
        // Relative names would be taken from where it was built for.
        let configuration = configuration.replace(
            "unix:nginx.sock",
            &format!("unix:{}", folder.join("nginx.sock").display()),
        );
        fs::write(folder.join("nginx.conf"), configuration).expect("the folder is ours");
        let child = Command::new(program)
            .arg("-p")
            .arg(folder)
            .args(["-e", "error.log", "-c"])
            .arg(folder.join("nginx.conf"))
            .stdin(Stdio::null())
            .spawn()
            .expect("it is installed");
        let started = Nginx {
            child,
            folder: folder.to_owned(),
        };
        let until = Instant::now() + PATIENCE;
        while UnixStream::connect(started.socket()).is_err() {
            assert!(Instant::now() < until, "nginx does not listen");
            thread::sleep(Duration::from_millis(10));
        }
        Some(started)
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("nginx.sock")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Already gone when it could not start.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends the bytes and ends that side: whoever waits for more gets no more.
fn ask_tcp(address: SocketAddr, bytes: &[u8]) -> Reading {
    let mut client = TcpStream::connect(address).expect("it listens");
    client.set_read_timeout(Some(PATIENCE)).expect("it is open");
    // Who refuses may close before all is sent.
    let _ = client.write_all(bytes);
    let _ = client.shutdown(Shutdown::Write);
    listen(client)
}

fn ask_unix(path: &Path, bytes: &[u8]) -> Reading {
    let mut client = UnixStream::connect(path).expect("it listens");
    client.set_read_timeout(Some(PATIENCE)).expect("it is open");
    let _ = client.write_all(bytes);
    let _ = client.shutdown(Shutdown::Write);
    listen(client)
}

fn listen(mut client: impl Read) -> Reading {
    let mut answers = Vec::new();
    match client.read_to_end(&mut answers) {
        Ok(_) => {}
        // It was closed with bytes unread.
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("no answer in time: {error}"),
    }
    Reading::parse(&answers)
}

struct Peers {
    ours: SocketAddr,
    hyper: SocketAddr,
    nginx: Option<Nginx>,
}

/// Starts the three, and calls `compare` beside the loop that serves them.
fn with_peers(compare: impl FnOnce(&Peers) + Send + 'static) -> io::Result<()> {
    let folder = Folder::new("heads").expect("a folder can be made");
    let backend = folder.path().join("backend.sock");
    aio::run(async {
        let listeners = [
            Listener::tcp("127.0.0.1:0").await?,
            Listener::unix(&backend).await?,
        ];
        let server = Server::start(app(), listeners).await?;
        let alone = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let (ours, hyper) = (server.local_addr(), alone.local_addr()?);
        let serving = aio::create_task(serve_hyper(alone));
        let folder = folder.path().to_owned();
        let comparing = aio::to_thread(move || {
            let nginx = Nginx::start(&folder, &backend);
            if nginx.is_none() {
                let required = env::var("AIO_PEERS_REQUIRED").unwrap_or_default();
                assert!(!required.split(',').any(|peer| peer == "nginx"), "no nginx");
                // Not by eprintln!, which the test harness keeps to itself.
                let _ = writeln!(io::stderr(), "NOT COMPARED with nginx: it is not installed");
            }
            compare(&Peers { ours, hyper, nginx });
        });
        comparing.await.map_err(io::Error::other)?;
        serving.cancel();
        server.close(Duration::ZERO).await;
        Ok(())
    })?
}

/// A kind of request: its name, and how to know it by its bytes, without asking the server.
type Kind = (&'static str, fn(&[u8]) -> bool);

fn head(bytes: &[u8]) -> &[u8] {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    &bytes[..end.map_or(bytes.len(), |end| end + 2)]
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    head(bytes).split(|byte| *byte == b'\n')
}

/// The values of a header, without the blanks around them.
fn values<'a>(bytes: &'a [u8], name: &str) -> Vec<&'a [u8]> {
    lines(bytes)
        .skip(1)
        .filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let same = line[..colon]
                .trim_ascii()
                .eq_ignore_ascii_case(name.as_bytes());
            same.then(|| line[colon + 1..].trim_ascii())
        })
        .collect()
}

/// What we refuse though both others answer it: somebody else might read it otherwise.
const WE_REFUSE: &[Kind] = &[
    (
        "a line that ends with a line feed alone: some take it for a blank",
        |bytes| {
            bytes.first() == Some(&b'\n')
                || bytes
                    .windows(2)
                    .any(|two| two[1] == b'\n' && two[0] != b'\r')
        },
    ),
    (
        "more than two empty lines before the request: a body that was read too short",
        |bytes| bytes.starts_with(b"\r\n\r\n\r\n"),
    ),
    (
        "a blank beside a chunk's size: some stop reading there",
        |bytes| bytes.windows(6).any(|six| six == b"\n5 \r\nh"),
    ),
    (
        "a user in the Host: what is behind the @ is the host for some",
        |bytes| {
            values(bytes, "Host")
                .iter()
                .any(|host| host.contains(&b'@'))
        },
    ),
];

#[test]
fn what_is_accepted_is_read_alike() -> io::Result<()> {
    with_peers(|peers| {
        let requests = heads::generate(COUNT, SEED);
        let (mut alike, mut refused) = (0, Vec::new());
        for request in &requests {
            let shown = request.escape_ascii().to_string();
            let bytes = [&request[..], NEXT].concat();
            let ours = ask_tcp(peers.ours, &bytes);
            let mut others = vec![("hyper", ask_tcp(peers.hyper, &bytes))];
            if let Some(nginx) = &peers.nginx {
                others.push(("nginx", ask_unix(&nginx.socket(), &bytes)));
            }
            if ours.accepts() {
                for (name, other) in &others {
                    assert!(other.accepts(), "{name} answers {}: {shown}", other.status);
                    assert_eq!(ours.seen, other.seen, "{name} reads otherwise: {shown}");
                }
                alike += 1;
                continue;
            }
            assert!((400..=505).contains(&ours.status), "{ours:?}: {shown}");
            assert!(ours.seen.is_empty(), "closed after it is refused: {shown}");
            let why = WE_REFUSE.iter().find(|(_, is_of)| is_of(request));
            if others.len() == 2 && others.iter().all(|(_, other)| other.accepts()) {
                assert!(why.is_some(), "both others answer it: {shown}");
            }
            refused.extend(why);
        }
        assert!(alike >= 40, "only {alike} of {COUNT} are answered");
        for (name, _) in WE_REFUSE {
            let met = refused.iter().any(|(met, _)| met == name);
            assert!(met, "no request is refused for {name}");
        }
    })
}

#[test]
fn the_same_requests_are_made_each_time() {
    let requests = heads::generate(COUNT, SEED);
    assert_eq!(requests, heads::generate(COUNT, SEED));
    assert_ne!(requests, heads::generate(COUNT, SEED + 1));
    let mut different = requests.clone();
    different.sort();
    different.dedup();
    assert!(different.len() > COUNT * 4 / 5, "{}", different.len());
}
