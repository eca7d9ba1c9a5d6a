//! Datagrams.

use std::{fmt, io, net::SocketAddr};

use tokio::net::{ToSocketAddrs, UdpSocket};

use super::connect::{explain, resolve};

/// The most that a datagram holds, in bytes.
const LARGEST: usize = 65_535;

/// A UDP socket: what `create_datagram_endpoint` gives in asyncio, with methods to await in place of callbacks.
///
/// Datagrams may be lost, doubled, or come in another order; one that is received is whole. What nobody receives in time
/// the system drops. Every method is safe to cancel.
///
/// ```
/// use aio::DatagramEndpoint;
///
/// aio::run(async {
///     let server = DatagramEndpoint::bind("127.0.0.1:0").await?;
///     let client = DatagramEndpoint::connect(server.local_addr()?).await?;
///     client.send(b"ping").await?;
///     let (bytes, sender) = server.receive_from().await?;
///     assert_eq!((&bytes[..], sender), (&b"ping"[..], client.local_addr()?));
///     server.send_to(b"pong", sender).await?;
///     assert_eq!(client.receive().await?, b"pong");
///     Ok::<(), std::io::Error>(())
/// })??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct DatagramEndpoint {
    socket: UdpSocket,
}

impl DatagramEndpoint {
    /// An endpoint that receives from everybody at `address`. Port 0 picks a free port.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound: the text names it. Outside a loop, an error that wraps
    /// [`NoRunningLoop`](crate::NoRunningLoop).
    pub async fn bind<A>(address: A) -> io::Result<Self>
    where
        A: ToSocketAddrs + fmt::Debug,
    {
        let what = format!("{address:?}");
        let mut failure = None;
        for candidate in resolve(address).await? {
            match UdpSocket::bind(candidate).await {
                Ok(socket) => return Ok(DatagramEndpoint { socket }),
                Err(error) => {
                    let advice = "is it an address of this machine, and free?";
                    failure = Some(explain("receive on", candidate, error, advice));
                }
            }
        }
        Err(failure.unwrap_or_else(|| no_address(&what)))
    }

    /// An endpoint that sends to `address` and receives from it alone.
    ///
    /// # Errors
    ///
    /// When there is no way to the address. Outside a loop, an error that wraps
    /// [`NoRunningLoop`](crate::NoRunningLoop). Whether anybody receives there is not known before something is sent.
    pub async fn connect<A>(address: A) -> io::Result<Self>
    where
        A: ToSocketAddrs + fmt::Debug,
    {
        let what = format!("{address:?}");
        let mut failure = None;
        for candidate in resolve(address).await? {
            match connected(candidate).await {
                Ok(socket) => return Ok(DatagramEndpoint { socket }),
                Err(error) => {
                    let advice = "is there a way to it?";
                    failure = Some(explain("send to", candidate, error, advice));
                }
            }
        }
        Err(failure.unwrap_or_else(|| no_address(&what)))
    }

    /// Takes over a socket that was made and set up otherwise, with options that have no method here.
    ///
    /// # Errors
    ///
    /// When the system refuses to watch it. Outside a loop, an error that wraps
    /// [`NoRunningLoop`](crate::NoRunningLoop).
    pub fn from_std(socket: std::net::UdpSocket) -> io::Result<Self> {
        crate::current::engine()?;
        socket.set_nonblocking(true)?;
        Ok(DatagramEndpoint {
            socket: UdpSocket::from_std(socket)?,
        })
    }

    /// Sends one datagram to the address that it was [connected](DatagramEndpoint::connect) to; waits while the system
    /// has no room for it.
    ///
    /// # Errors
    ///
    /// When it is not connected, when `bytes` are too many for one datagram, and when an earlier one found nobody there.
    pub async fn send(&self, bytes: &[u8]) -> io::Result<()> {
        self.socket.send(bytes).await.map(drop)
    }

    /// Sends one datagram to `address`; waits while the system has no room for it.
    ///
    /// # Errors
    ///
    /// When `bytes` are too many for one datagram, or there is no way to the address.
    pub async fn send_to(&self, bytes: &[u8], address: SocketAddr) -> io::Result<()> {
        self.socket.send_to(bytes, address).await.map(drop)
    }

    /// As [`send_to`](DatagramEndpoint::send_to), without waiting.
    ///
    /// # Errors
    ///
    /// As `send_to`, and [`WouldBlock`](io::ErrorKind::WouldBlock) when the system has no room just now.
    pub fn try_send_to(&self, bytes: &[u8], address: SocketAddr) -> io::Result<()> {
        self.socket.try_send_to(bytes, address).map(drop)
    }

    /// Waits for a datagram and gives it.
    ///
    /// # Errors
    ///
    /// When the system reports what became of an earlier one: nobody received it.
    pub async fn receive(&self) -> io::Result<Vec<u8>> {
        self.receive_from().await.map(|(bytes, _)| bytes)
    }

    /// Waits for a datagram and gives it with its sender's address.
    ///
    /// # Errors
    ///
    /// As [`receive`](DatagramEndpoint::receive).
    pub async fn receive_from(&self) -> io::Result<(Vec<u8>, SocketAddr)> {
        let mut buffer = Vec::with_capacity(LARGEST);
        let (_, sender) = self.socket.recv_buf_from(&mut buffer).await?;
        buffer.shrink_to_fit();
        Ok((buffer, sender))
    }

    /// As [`receive_from`](DatagramEndpoint::receive_from), into a buffer that can be used again. Gives how many bytes
    /// came; what the buffer has no room for is dropped.
    ///
    /// # Errors
    ///
    /// As [`receive`](DatagramEndpoint::receive).
    pub async fn receive_into(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.recv_from(buffer).await
    }

    /// Allows to send to everybody in a network, which is off at first.
    ///
    /// # Errors
    ///
    /// When the system refuses it.
    pub fn set_broadcast(&self, on: bool) -> io::Result<()> {
        self.socket.set_broadcast(on)
    }

    /// This side's address.
    ///
    /// # Errors
    ///
    /// When the system does not tell it.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The address it was [connected](DatagramEndpoint::connect) to.
    ///
    /// # Errors
    ///
    /// When it was not.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.peer_addr()
    }

    /// The socket as tokio, and libraries for it, have it.
    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }
}

async fn connected(address: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0u16; 8], 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(address).await?;
    Ok(socket)
}

fn no_address(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{what} has no address"))
}
