//! Descriptors and processes: after a loop is closed, none of what it opened is left, however its work ended.
//!
//! A test binary of its own, for descriptors are the whole process's.

use std::{fs, future::pending, io, os::unix::net::UnixStream, process::Stdio, time::Duration};

use nix::{
    errno::Errno,
    sys::wait::{WaitPidFlag, waitpid},
};

use aio::{
    DatagramEndpoint, Protocol, SignalKind, StreamReader, StreamWriter, Transport,
    create_connection, create_server, create_subprocess_exec, create_subprocess_shell, create_task,
    get_running_loop, open_connection, open_unix_connection, start_server, start_unix_server,
};

const PATIENCE: Duration = Duration::from_secs(20);

struct Sink;

impl Protocol for Sink {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

async fn hold(mut reader: StreamReader, _writer: StreamWriter) -> io::Result<()> {
    reader.read_to_end().await.map(drop)
}

/// Opens one of everything, uses some of it, and is cancelled, aborted or closed in the midst of it.
async fn open_everything(place: &str) -> io::Result<()> {
    let event_loop = get_running_loop()?;
    let server = start_server("127.0.0.1:0", hold).await?;
    let (mut reader, writer) = open_connection(server.local_addr()).await?;
    create_task(async move { reader.read(1).await.map(drop) }).detach();
    writer.write(&vec![7; 10_000_000]);

    let _path = start_unix_server(place, hold).await?;
    create_task(pends_with(open_unix_connection(place).await?)).detach();

    let protocols = create_server("127.0.0.1:0", || Sink).await?;
    let left = create_connection(protocols.local_addr(), || Sink).await?;
    left.write(b"and left");
    create_connection(server.local_addr(), || Sink)
        .await?
        .write(&vec![7; 10_000_000]);
    create_connection(server.local_addr(), || Sink)
        .await?
        .abort();

    let endpoint = DatagramEndpoint::bind("127.0.0.1:0").await?;
    create_task(async move { endpoint.receive().await.map(drop) }).detach();

    let (ours, theirs) = UnixStream::pair()?;
    event_loop.add_reader(&ours, || ())?;
    event_loop.add_writer(&theirs, || ())?;
    event_loop.add_signal_handler(SignalKind::hangup(), || ())?;

    let none: [&str; 0] = [];
    let cat = create_subprocess_exec("cat", none)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    create_task(async move {
        let mut cat = cat;
        cat.communicate(&vec![7; 10_000_000]).await?;
        pending::<io::Result<()>>().await
    })
    .detach();
    drop(
        create_subprocess_shell("exit 1")
            .stdout(Stdio::piped())
            .spawn()?,
    );
    encrypt().await?;
    // When a packet has gone round, every task has begun, and has been given what was ready for it.
    let post = DatagramEndpoint::bind("127.0.0.1:0").await?;
    post.send_to(b"round", post.local_addr()?).await?;
    post.receive().await.map(drop)
}

async fn pends_with<T>(held: T) {
    pending::<()>().await;
    drop(held);
}

#[cfg(not(feature = "tls"))]
async fn encrypt() -> io::Result<()> {
    Ok(())
}

#[cfg(feature = "tls")]
async fn encrypt() -> io::Result<()> {
    use std::rc::Rc;

    use aio::{sync::Event, tls};

    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.pem();
    let config = tls::ServerConfig::from_pem(&certificate, made.signing_key.serialize_pem())?;
    let client = tls::ClientConfig::with_roots(&certificate)?;
    let server = tls::start_server("127.0.0.1:0", &config, hold).await?;
    let connection = tls::open_connection(server.local_addr(), "localhost", &client).await?;
    create_task(pends_with((connection, server))).detach();
    // A handshake that never ends: the server only takes the client's word.
    let begun = Rc::new(Event::new());
    let heard = begun.clone();
    let deaf = start_server("127.0.0.1:0", async move |mut reader, writer| {
        reader.read(1).await?;
        heard.set();
        hold(reader, writer).await
    })
    .await?;
    let address = deaf.local_addr();
    create_task(async move {
        tls::open_connection(address, "localhost", &client)
            .await
            .map(drop)
    })
    .detach();
    begun.wait().await;
    Ok(())
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Whether this process has a child, dead or alive.
fn has_children() -> bool {
    waitpid(None, Some(WaitPidFlag::WNOHANG)) != Err(Errno::ECHILD)
}

#[test]
fn a_closed_loop_leaves_neither_descriptor_nor_child() {
    let place = std::env::temp_dir().join(format!("aio-open-{}", std::process::id()));
    let place = place.to_str().unwrap();
    let round = || {
        let ended = aio::run(aio::wait_for(open_everything(place), PATIENCE));
        ended.unwrap().expect("in time").unwrap();
        assert!(!fs::exists(place).unwrap(), "the socket's file is gone");
    };
    // The first round also opens what lasts as long as the program: the signals' pipe.
    round();
    let before = descriptors();
    for _ in 0..5 {
        round();
    }
    assert_eq!(descriptors(), before);
    assert!(!has_children(), "no process is left, not even as a zombie");
}
