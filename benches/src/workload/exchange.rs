//! One question to a service and its answer, asked in three ways.
//!
//! The three functions do the same: connect, write the question, read until the service closes.
//! They differ only in how they wait: blocking the thread, polling, or suspending the task.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use coroutines::Co;

use crate::Failed;

/// No service takes this much longer than it was asked to; a wait that does is reported instead of endured.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A question, whom to ask, and how to understand the answer.
#[derive(Debug)]
pub struct Exchange {
    /// The service's address.
    pub address: SocketAddr,
    /// The bytes to send.
    pub question: Vec<u8>,
    /// How long to wait for each step of it.
    pub patience: Duration,
    /// Turns the answer's bytes into a checksum, or says what is wrong with them.
    pub understand: fn(&[u8]) -> Result<u64, Failed>,
}

impl Exchange {
    fn failed<E: std::fmt::Display>(&self) -> impl FnOnce(E) -> Failed {
        Failed::at(format!("asking {}", self.address))
    }

    /// Blocks the calling thread until the answer is there.
    pub fn blocking(&self) -> Result<u64, Failed> {
        let answer = self.ask_blocking().map_err(self.failed())?;
        (self.understand)(&answer)
    }

    fn ask_blocking(&self) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&self.address, self.patience)?;
        stream.set_read_timeout(Some(self.patience))?;
        stream.set_write_timeout(Some(self.patience))?;
        stream.write_all(&self.question)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    }

    /// Yields whenever the socket is not ready, and looks again when it is resumed.
    pub async fn polled(&self, co: &mut Co<'_, Turn>) -> Result<u64, Failed> {
        let deadline = Instant::now() + self.patience;
        // On loopback the kernel completes a connection without the service's help, so this does
        // not wait; std cannot begin a connection without waiting.
        let mut stream = TcpStream::connect(self.address).map_err(self.failed())?;
        stream.set_nonblocking(true).map_err(self.failed())?;
        let mut unsent = self.question.as_slice();
        let mut answer = Vec::new();
        let mut buffer = [0; 1024];
        loop {
            let done = if unsent.is_empty() {
                stream.read(&mut buffer)
            } else {
                stream.write(unsent)
            };
            match done {
                Ok(n) if !unsent.is_empty() => unsent = &unsent[n..],
                Ok(0) => return (self.understand)(&answer),
                Ok(n) => answer.extend_from_slice(&buffer[..n]),
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    if Instant::now() > deadline {
                        return Err(self.failed()(ErrorKind::TimedOut));
                    }
                    co.yield_(Turn::Waited).await;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(self.failed()(e)),
            }
        }
    }

    /// Suspends the task until the event loop sees the answer.
    pub async fn awaited(&self) -> Result<u64, Failed> {
        let asked = aio::wait_for(self.ask_awaited(), self.patience).await;
        let answer = asked.map_err(self.failed())?.map_err(self.failed())?;
        (self.understand)(&answer)
    }

    async fn ask_awaited(&self) -> std::io::Result<Vec<u8>> {
        let (mut reader, writer) = aio::open_connection(self.address).await?;
        writer.write(&self.question);
        writer.drain().await?;
        reader.read_to_end().await
    }
}

/// What a coroutine did before it gave others their turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It computed.
    Worked,
    /// It looked at its socket and found nothing.
    Waited,
}
