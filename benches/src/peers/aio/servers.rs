//! Echo servers, each in a process of its own: ours, tokio's, one on bare epoll, and asyncio's.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::process::{Child, Command, Stdio};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::tokio;

/// What all of them read at once, at most.
const CHUNK: usize = 64 * 1024;

const ANY_PORT: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// Somebody's server; it ends when this is dropped.
pub struct Server {
    process: Process,
    /// Where it listens.
    pub address: SocketAddr,
}

enum Process {
    Rust(procs::Process<()>),
    Python(Child),
}

impl Server {
    /// Starts a server of this program.
    pub fn start<T: procs::Task<Args = SocketAddr, Output = ()>>(task: T) -> Self {
        let listener = TcpListener::bind(ANY_PORT).expect("a free port");
        let report_to = listener.local_addr().expect("a bound socket");
        let process = procs::spawn(task, report_to).expect("a process");
        let (mut stream, _) = listener.accept().expect("the server's report");
        let mut address = String::new();
        stream
            .read_to_string(&mut address)
            .expect("the server's report");
        Self {
            process: Process::Rust(process),
            address: address.parse().expect("an address"),
        }
    }

    /// Starts one of `python/echo.py`; `None` when it ends at once.
    pub fn python(arguments: &[&str]) -> Option<Self> {
        let script = format!("{}/python/echo.py", env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new("python3")
            .arg(script)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut line = String::new();
        let read = BufReader::new(child.stdout.take()?).read_line(&mut line);
        match (read, line.trim().parse()) {
            (Ok(_), Ok(address)) => Some(Self {
                process: Process::Python(child),
                address,
            }),
            _ => {
                // It said why on standard error.
                let _ = child.kill();
                let _ = child.wait();
                None
            }
        }
    }

    /// Nanoseconds for which its threads have run so far.
    pub fn cpu_ns(&self) -> u64 {
        let pid = match &self.process {
            Process::Rust(process) => process.pid(),
            Process::Python(child) => child.id(),
        };
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
        let ran = threads.flatten().filter_map(|thread| {
            let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        });
        ran.sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        match &mut self.process {
            Process::Rust(process) => {
                process.kill();
                let _ = process.join();
            }
            Process::Python(child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

fn report(report_to: SocketAddr, address: SocketAddr) -> io::Result<()> {
    TcpStream::connect(report_to)?.write_all(address.to_string().as_bytes())
}

/// Ours, by streams, as anybody would write it.
#[procs::task]
pub fn our_streams(report_to: SocketAddr) {
    let served = aio::run(async move {
        let server = aio::start_server(ANY_PORT, async |mut reader, writer| {
            loop {
                let message = reader.read(CHUNK).await?;
                if message.is_empty() {
                    return Ok::<(), io::Error>(());
                }
                writer.write(&message);
                writer.drain().await?;
            }
        })
        .await?;
        report(report_to, server.local_addr())?;
        server.serve_forever().await;
        Ok::<(), io::Error>(())
    });
    served.expect("a loop").expect("a server");
}

struct Echo;

impl aio::Protocol for Echo {
    fn data_received(&mut self, transport: &aio::Transport, data: &[u8]) {
        transport.write(data);
    }
}

/// Ours, by a protocol's callbacks.
#[procs::task]
pub fn our_protocol(report_to: SocketAddr) {
    let served = aio::run(async move {
        let server = aio::create_server(ANY_PORT, || Echo).await?;
        report(report_to, server.local_addr())?;
        server.serve_forever().await;
        Ok::<(), io::Error>(())
    });
    served.expect("a loop").expect("a server");
}

/// Tokio, as anybody would write it.
#[procs::task]
pub fn on_tokio(report_to: SocketAddr) {
    let served: io::Result<()> = tokio().block_on(async {
        let listener = tokio::net::TcpListener::bind(ANY_PORT).await?;
        report(report_to, listener.local_addr()?)?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(async move {
                let mut buffer = vec![0; CHUNK];
                while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                    if stream.write_all(&buffer[..count]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    served.expect("a server");
}

/// Bare epoll, level-triggered, as a program in C would be.
#[procs::task]
pub fn bare_epoll(report_to: SocketAddr) {
    serve_by_epoll(report_to).expect("a server");
}

fn serve_by_epoll(report_to: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(ANY_PORT)?;
    report(report_to, listener.local_addr()?)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let readable = |fd: i32| EpollEvent::new(EpollFlags::EPOLLIN, fd as u64);
    epoll.add(&listener, readable(listener.as_raw_fd()))?;
    let mut streams = HashMap::new();
    let mut events = [EpollEvent::empty(); 256];
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = epoll.wait(&mut events, EpollTimeout::NONE)?;
        for event in &events[..count] {
            let fd = event.data() as i32;
            let Some(stream) = streams.get_mut(&fd) else {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                epoll.add(&stream, readable(stream.as_raw_fd()))?;
                streams.insert(stream.as_raw_fd(), stream);
                continue;
            };
            if !echo_once(stream, &mut buffer) {
                streams.remove(&fd);
            }
        }
    }
}

/// False when the connection has ended.
fn echo_once(stream: &mut TcpStream, buffer: &mut [u8]) -> bool {
    match stream.read(buffer) {
        Ok(0) => false,
        Ok(count) => stream.write_all(&buffer[..count]).is_ok(),
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}
