//! The load: connections that each send a message, wait for it to come back, check it, and send the next.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

const SIZE: usize = 64;
const CONNECTIONS: usize = 50;
/// No server that works is silent for this long.
const PATIENCE_MS: u16 = 10_000;

struct Connection {
    stream: TcpStream,
    sent: [u8; SIZE],
    came: [u8; SIZE],
    filled: usize,
    turn: u64,
}

impl Connection {
    fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            sent: [0; SIZE],
            came: [0; SIZE],
            filled: 0,
            turn: 0,
        })
    }

    /// Sends a message unlike the one before. It always fits the empty socket buffer.
    fn ask(&mut self, number: usize) -> io::Result<()> {
        self.turn += 1;
        let seed = self.turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number as u64;
        for (place, part) in self.sent.chunks_exact_mut(8).enumerate() {
            part.copy_from_slice(&seed.rotate_left(place as u32 * 8).to_le_bytes());
        }
        self.stream.write_all(&self.sent)
    }

    /// True when the whole answer is there and is what was sent.
    fn answered(&mut self) -> io::Result<bool> {
        match self.stream.read(&mut self.came[self.filled..]) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                self.filled += count;
                if self.filled < SIZE {
                    return Ok(false);
                }
                self.filled = 0;
                assert_eq!(self.came, self.sent, "an echo differs from what was sent");
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// All connections to one server.
pub struct Client {
    epoll: Epoll,
    connections: Vec<Connection>,
}

impl Client {
    /// Connects fifty times.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut connections = Vec::new();
        for number in 0..CONNECTIONS {
            let connection = Connection::open(address)?;
            let event = EpollEvent::new(EpollFlags::EPOLLIN, number as u64);
            epoll.add(&connection.stream, event)?;
            connections.push(connection);
        }
        Ok(Self { epoll, connections })
    }

    /// Exchanges about `messages` messages, spread evenly, and gives how many they were.
    pub fn exchange(&mut self, messages: usize) -> io::Result<usize> {
        let each = messages.div_ceil(CONNECTIONS);
        let mut left = vec![each; CONNECTIONS];
        let mut open = CONNECTIONS;
        for (number, connection) in self.connections.iter_mut().enumerate() {
            connection.ask(number)?;
        }
        let mut events = [EpollEvent::empty(); CONNECTIONS];
        while open > 0 {
            let count = self
                .epoll
                .wait(&mut events, EpollTimeout::from(PATIENCE_MS))?;
            assert!(count > 0, "the server is silent");
            for event in &events[..count] {
                let number = event.data() as usize;
                let connection = &mut self.connections[number];
                if !connection.answered()? {
                    continue;
                }
                left[number] -= 1;
                if left[number] > 0 {
                    connection.ask(number)?;
                } else {
                    open -= 1;
                }
            }
        }
        Ok(each * CONNECTIONS)
    }
}
