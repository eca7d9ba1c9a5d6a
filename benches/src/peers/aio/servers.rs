//! Echo servers, each in a process of its own: ours, tokio's, and one on bare epoll.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::tokio;
use crate::peers::server::{ANY_PORT, report};

/// What all of them read at once, at most.
const CHUNK: usize = 64 * 1024;

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
