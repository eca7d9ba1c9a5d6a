//! The load: connections that each send a batch, wait for its answers, check them, and send the next.
//!
//! One thread waits for all of them, as `wrk` does, and answers are checked by their length, status and body alone: it
//! does less than any server does, so that a server with one thread always has requests waiting for it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::exchange::{Answer, Exchange, PATIENCE};
use crate::peers::server::Server;

/// Connections of a usual load.
pub const CONNECTIONS: usize = 64;
/// Batches that come before any is counted: they pay for memory and for paths that nothing has gone before.
const WARM_UP: usize = 4;

/// All connections to one server.
pub struct Load {
    epoll: Epoll,
    connections: Vec<Connection>,
    batch: Vec<u8>,
    deep: usize,
    answer: Answer,
}

struct Connection {
    stream: TcpStream,
    came: Vec<u8>,
    filled: usize,
    left: usize,
}

impl Load {
    /// Connects so many times, and warms the server up.
    pub fn open(address: SocketAddr, exchange: &Exchange, connections: usize) -> io::Result<Self> {
        let answer = exchange.probe(address)?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let connect = |number: usize| -> io::Result<Connection> {
            let stream = exchange.connect(address)?;
            epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, number as u64))?;
            Ok(Connection {
                stream,
                came: vec![0; exchange.deep() * answer.length],
                filled: 0,
                left: 0,
            })
        };
        let connections = (0..connections).map(connect).collect::<io::Result<_>>()?;
        let mut load = Self {
            epoll,
            connections,
            batch: exchange.batch(),
            deep: exchange.deep(),
            answer,
        };
        load.run(WARM_UP)?;
        Ok(load)
    }

    /// Exchanges so many batches on every connection, and gives how many requests they were.
    pub fn run(&mut self, batches: usize) -> io::Result<usize> {
        for connection in &mut self.connections {
            connection.left = batches;
            connection.stream.write_all(&self.batch)?;
        }
        let mut open = self.connections.len();
        let mut events = [EpollEvent::empty(); CONNECTIONS];
        let patience = EpollTimeout::try_from(PATIENCE).map_err(io::Error::other)?;
        while open > 0 {
            let count = self.epoll.wait(&mut events, patience)?;
            assert!(count > 0, "the server is silent");
            for event in &events[..count] {
                let connection = &mut self.connections[event.data() as usize];
                if !connection.answered(&self.answer)? {
                    continue;
                }
                connection.left -= 1;
                if connection.left > 0 {
                    connection.stream.write_all(&self.batch)?;
                } else {
                    open -= 1;
                }
            }
        }
        Ok(batches * self.connections.len() * self.deep)
    }
}

impl Connection {
    /// Takes what is there, and is true when that completes a batch of the right answers.
    fn answered(&mut self, answer: &Answer) -> io::Result<bool> {
        let count = self.stream.read(&mut self.came[self.filled..])?;
        assert!(count > 0, "the server has closed");
        self.filled += count;
        if self.filled < self.came.len() {
            return Ok(false);
        }
        self.filled = 0;
        let mut answers = self.came.chunks_exact(answer.length);
        assert!(answers.all(|came| answer.is(came)), "a wrong answer");
        Ok(true)
    }
}

/// Nanoseconds of processor time that all threads of the server have had for each of about so many requests.
pub fn cpu_ns(server: &Server, exchange: &Exchange, requests: usize) -> f64 {
    let mut load = Load::open(server.address, exchange, CONNECTIONS).expect("it listens");
    let before = server.cpu_ns();
    let batches = requests.div_ceil(CONNECTIONS * exchange.deep());
    let requests = load.run(batches).expect("answers");
    (server.cpu_ns() - before) as f64 / requests as f64
}
