//! Sockets that a process is started with, as systemd's socket activation hands them over.
//!
//! A test binary of its own: what is handed over are the descriptors from 3 on of a whole process, so each case runs this
//! binary once more, with the sockets where they belong.
#![cfg(feature = "http")]

use std::{
    env,
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    os::{
        fd::OwnedFd,
        unix::net::{UnixListener, UnixStream},
    },
    process::{Child, Command, Stdio},
    time::Duration,
};

use aio::http::{App, Listener, Request, Server, run_app};

const PATIENCE: Duration = Duration::from_secs(30);
/// Set in the process that takes the sockets over.
const HANDED: &str = "AIO_TEST_SOCKETS_ARE_HANDED_OVER";

/// Runs the test once more with `first` as descriptor 3 and `second` as descriptor 4. What it prints comes as its errors.
fn hand_over(test: &str, first: impl Into<OwnedFd>, second: impl Into<OwnedFd>) -> Child {
    Command::new("sh")
        .args([
            "-c",
            "exec 3<&0 4<&1 0</dev/null 1>&2; LISTEN_PID=$$ LISTEN_FDS=2 exec \"$0\" --exact \"$1\" --nocapture",
        ])
        .arg(env::current_exe().expect("this test is a file"))
        .arg(test)
        .env(HANDED, "1")
        .stdin(Stdio::from(first.into()))
        .stdout(Stdio::from(second.into()))
        .stderr(Stdio::piped())
        .spawn()
        .expect("there is a shell")
}

fn is_handed() -> bool {
    env::var_os(HANDED).is_some()
}

/// Ends it when the test fails, so that it holds nobody up.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        // Already gone after a clean end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn said(child: &mut Child) -> String {
    let mut said = String::new();
    let out = child.stderr.as_mut().expect("it is piped");
    out.read_to_string(&mut said).expect("it prints text");
    said
}

fn ask(mut client: impl Read + Write) -> io::Result<String> {
    client.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    client.read_to_string(&mut answer)?;
    Ok(answer)
}

fn path(name: &str) -> std::path::PathBuf {
    env::temp_dir().join(format!("aio-handed-{name}-{}.sock", std::process::id()))
}

#[test]
fn inherited_sockets_are_served_in_place_of_the_address() -> io::Result<()> {
    let app = App::new().get(
        "/",
        async |_: Request| "from a socket that was there before",
    );
    if is_handed() {
        // Nobody could listen there.
        return run_app(app, "192.0.2.1:1");
    }
    let tcp = TcpListener::bind("127.0.0.1:0")?;
    let address = tcp.local_addr()?;
    let path = path("run");
    let unix = UnixListener::bind(&path)?;
    // They listen before there is a server: whom it takes long to start loses no client.
    let early = TcpStream::connect(address)?;
    let name = "inherited_sockets_are_served_in_place_of_the_address";
    let mut server = Ends(hand_over(name, tcp, unix));
    early.set_read_timeout(Some(PATIENCE))?;
    assert!(ask(early)?.ends_with("there before"));
    let client = UnixStream::connect(&path)?;
    client.set_read_timeout(Some(PATIENCE))?;
    assert!(ask(client)?.ends_with("there before"));
    let out = server.0.stderr.take().expect("it is piped");
    let mut out = BufReader::new(out).lines().map_while(Result::ok);
    let announced = out
        .find(|line| line.contains("Server started"))
        .expect("it tells where it listens");
    let places = format!("http://{address}, unix:{}", path.display());
    assert!(announced.contains(&places), "{announced}");
    let pid = nix::unistd::Pid::from_raw(server.0.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)?;
    let rest: Vec<_> = out.collect();
    assert!(server.0.wait()?.success(), "{rest:?}");
    assert!(path.exists(), "the file is not ours to remove");
    std::fs::remove_file(path)
}

#[test]
fn inherited_sockets_are_taken_once() -> io::Result<()> {
    if is_handed() {
        assert!(
            Listener::inherited().is_err(),
            "outside a loop they cannot be watched"
        );
    }
    aio::run(async {
        if !is_handed() {
            assert!(
                Listener::inherited()?.is_empty(),
                "nothing was handed over here"
            );
            return Ok(());
        }
        let listeners = Listener::inherited()?;
        let addresses: Vec<_> = listeners.iter().map(Listener::local_addr).collect();
        assert!(matches!(addresses[..], [Some(_), None]), "{addresses:?}");
        assert!(Listener::inherited()?.is_empty(), "they have been taken");
        let server = Server::start(App::new(), listeners).await?;
        assert_eq!(Some(server.local_addr()), addresses[0]);
        server.close(Duration::ZERO).await;
        Ok::<(), io::Error>(())
    })??;
    if is_handed() {
        return Ok(());
    }
    let path = path("once");
    let tcp = TcpListener::bind("127.0.0.1:0")?;
    let mut child = Ends(hand_over(
        "inherited_sockets_are_taken_once",
        tcp,
        UnixListener::bind(&path)?,
    ));
    let said = said(&mut child.0);
    assert!(child.0.wait()?.success(), "{said}");
    std::fs::remove_file(path)
}

#[test]
fn an_inherited_socket_that_does_not_listen_is_an_error() -> io::Result<()> {
    if is_handed() {
        return aio::run(async {
            let refused = Listener::inherited().err();
            assert!(refused.is_some(), "a UDP socket accepts nobody");
            Ok(())
        })?;
    }
    let tcp = TcpListener::bind("127.0.0.1:0")?;
    let udp = UdpSocket::bind("127.0.0.1:0")?;
    let name = "an_inherited_socket_that_does_not_listen_is_an_error";
    let mut child = Ends(hand_over(name, tcp, udp));
    let said = said(&mut child.0);
    assert!(child.0.wait()?.success(), "{said}");
    Ok(())
}
