//! Two connected ends, in one process or in two, that send each other values.
//!
//! A message is one packet of the kernel's: either all of it arrives or nothing, whoever dies meanwhile and however many
//! processes share an end. What does not fit into a packet goes into a memory file that travels with it.
//!
//! | bytes | of a packet |
//! |---|---|
//! | 8 | length of the value, whether in the packet or not |
//! | up to [`INLINE`] | the value, or its beginning; the rest is in the last of the descriptors |

use std::cell::Cell;
use std::fmt;
use std::io::{self, ErrorKind};
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{DecodeError, ReceiveError, SendError, SystemError};
use crate::sys::{self, Wait};
use crate::wire::attachments;
use crate::wire::codec::{self, MAX_BYTES};

const HEADER: usize = size_of::<u64>();

/// How much of a value travels in the packet. The kernel lets a sender run ahead by about three packets of this size, so
/// that a large message also waits for its receiver.
const INLINE: usize = 64 * 1024;

thread_local! {
    /// Where packets are received, kept from one call to the next.
    static PACKET: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Makes two connected ends: what one sends, the other receives.
///
/// Each can be given to another process. For two types, one for each direction, see [`Connection::pair`].
///
/// ```
/// use procs::{Connection, ReceiveError};
///
/// #[procs::task]
/// fn answer(caller: Connection<u64>) {
///     while let Ok(n) = caller.receive() {
///         caller.send(&(n * n)).unwrap();
///     }
/// }
///
/// #[procs::main]
/// fn main() {
///     let (here, there) = procs::channel::<u64>().unwrap();
///     let mut process = procs::spawn(answer, there).unwrap();
///     here.send(&7).unwrap();
///     assert_eq!(here.receive(), Ok(49));
///     drop(here);
///     process.join().unwrap();
/// }
/// ```
///
/// # Errors
///
/// When the system refuses: too many open files.
pub fn channel<T>() -> Result<(Connection<T>, Connection<T>), SystemError> {
    Connection::pair()
}

/// One of two connected ends: sends values of type `T`, receives values of type `U`.
///
/// An end can be sent to another process: among the arguments of a process or of a pool's initializer, and in a message
/// of another connection. That duplicates it; drop the one that stays, or else the other side does not see when the
/// process that got it ends. Several processes and threads may share an end: each message goes to one of the receivers,
/// whole.
///
/// Values are encoded when they are sent, so that they are only borrowed. Dropping the end, or the death of the process
/// that holds it, closes it for the other side, which can still receive what was sent.
pub struct Connection<T, U = T> {
    socket: OwnedFd,
    values: PhantomData<fn(T) -> U>,
}

impl<T, U> Connection<T, U> {
    fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            values: PhantomData,
        }
    }

    /// Makes two connected ends that send different types.
    ///
    /// ```
    /// use procs::Connection;
    ///
    /// let (client, server) = Connection::<String, usize>::pair()?;
    /// client.send(&"hello".to_owned())?;
    /// server.send(&server.receive()?.len())?;
    /// assert_eq!(client.receive()?, 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the system refuses: too many open files.
    pub fn pair() -> Result<(Self, Connection<U, T>), SystemError> {
        let (one, other) = sys::packet_pair().map_err(SystemError::new("make a connection"))?;
        Ok((Self::new(one), Connection::new(other)))
    }

    /// Waits until there is something to receive (the end of the connection counts), but no longer than `time`. False: the
    /// time is over.
    ///
    /// Where several receive from this end, another may be faster.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn poll(&self, time: Duration) -> Result<bool, SystemError> {
        self.await_ready(true, Instant::now().checked_add(time))
            .map_err(SystemError::new("wait for a connection"))
    }

    /// Waits until the socket can be read, or written. False: it is too late.
    fn await_ready(&self, read: bool, deadline: Option<Instant>) -> io::Result<bool> {
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let mut polled = [sys::as_poll(self.as_fd(), read, !read)];
            if sys::poll(&mut polled, left)? > 0 {
                return Ok(true);
            }
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(false);
            }
        }
    }
}

impl<T: Serialize, U> Connection<T, U> {
    /// Sends a value; waits while there is no room.
    ///
    /// # Errors
    ///
    /// Nobody holds the other end, the value cannot be encoded, or the system refuses.
    pub fn send(&self, value: &T) -> Result<(), SendError> {
        self.send_until(value, None)
    }

    /// Sends a value; waits for room, but no longer than `time`.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and [`TimedOut`](SendError::TimedOut).
    pub fn send_for(&self, value: &T, time: Duration) -> Result<(), SendError> {
        self.send_until(value, Instant::now().checked_add(time))
    }

    /// Sends a value if there is room.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and [`TimedOut`](SendError::TimedOut) where it would have to wait.
    pub fn try_send(&self, value: &T) -> Result<(), SendError> {
        self.send_until(value, Some(Instant::now()))
    }

    fn send_until(&self, value: &T, deadline: Option<Instant>) -> Result<(), SendError> {
        let refused = |error| SendError::System(SystemError::new("send a message")(error));
        let mut bytes = Vec::new();
        // One place is the memory file's.
        let mut descriptors = attachments::encode(value, &mut bytes, attachments::LIMIT - 1)
            .map_err(SendError::Encode)?;
        let (inline, rest) = bytes.split_at(bytes.len().min(INLINE));
        if !rest.is_empty() {
            descriptors.push(sys::memory_file(rest).map_err(refused)?);
        }
        let passed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        let length = (bytes.len() as u64).to_le_bytes();
        loop {
            match sys::send_packet(self.as_fd(), &[&length, inline], &passed, Wait::No) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if !self.await_ready(false, deadline).map_err(refused)? {
                        return Err(SendError::TimedOut);
                    }
                }
                Err(error) if sys::is_crowded(&error) => {
                    // Too many descriptors are under way, here or in other connections; nothing tells when that ends.
                    if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                        return Err(SendError::TimedOut);
                    }
                    thread::sleep(Duration::from_millis(1));
                }
                Err(error) if is_closed(&error) => return Err(SendError::Closed),
                Err(error) => return Err(refused(error)),
            }
        }
    }
}

impl<T, U: DeserializeOwned> Connection<T, U> {
    /// Receives a value; waits until there is one.
    ///
    /// # Errors
    ///
    /// Nobody holds the other end and everything has been received, a message cannot be decoded, or the system refuses.
    pub fn receive(&self) -> Result<U, ReceiveError> {
        self.receive_until(None)
    }

    /// Receives a value; waits for it, but no longer than `time`.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive), and [`TimedOut`](ReceiveError::TimedOut).
    pub fn receive_for(&self, time: Duration) -> Result<U, ReceiveError> {
        self.receive_until(Instant::now().checked_add(time))
    }

    /// Receives a value if there is one.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive), and [`TimedOut`](ReceiveError::TimedOut) where it would have to wait.
    pub fn try_receive(&self) -> Result<U, ReceiveError> {
        self.receive_until(Some(Instant::now()))
    }

    fn receive_until(&self, deadline: Option<Instant>) -> Result<U, ReceiveError> {
        let mut packet = PACKET.take();
        packet.resize(HEADER + INLINE, 0);
        let result = match self.next_packet(&mut packet, deadline) {
            Ok((0, _)) => Err(ReceiveError::Closed),
            Ok((count, descriptors)) => unpack(&packet[..count], descriptors),
            Err(error) if error.kind() == ErrorKind::TimedOut => Err(ReceiveError::TimedOut),
            Err(error) => Err(refused(error)),
        };
        PACKET.set(packet);
        result
    }

    fn next_packet(
        &self,
        packet: &mut [u8],
        deadline: Option<Instant>,
    ) -> io::Result<(usize, Vec<OwnedFd>)> {
        let wait = if deadline.is_none() {
            Wait::Yes
        } else {
            Wait::No
        };
        loop {
            match sys::receive_packet(self.as_fd(), packet, wait) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if !self.await_ready(true, deadline)? {
                        return Err(ErrorKind::TimedOut.into());
                    }
                }
                // The other side closed its end without having received everything; said once. What it sent is still here.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
                other => return other,
            }
        }
    }
}

fn refused(error: io::Error) -> ReceiveError {
    ReceiveError::System(SystemError::new("receive a message")(error))
}

fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::NotConnected
    )
}

/// The value in a packet.
fn unpack<U: DeserializeOwned>(
    packet: &[u8],
    mut descriptors: Vec<OwnedFd>,
) -> Result<U, ReceiveError> {
    let garbled = |reason: &str| {
        let name = std::any::type_name::<U>();
        ReceiveError::Decode(DecodeError::new(name, reason.to_owned()))
    };
    let (length, inline) = packet
        .split_first_chunk::<HEADER>()
        .ok_or_else(|| garbled("it is no message"))?;
    let length = u64::from_le_bytes(*length);
    let decode = |bytes: &[u8], descriptors| {
        attachments::with(descriptors, || codec::decode(bytes)).map_err(ReceiveError::Decode)
    };
    if length == inline.len() as u64 {
        return decode(inline, descriptors);
    }
    if length > MAX_BYTES as u64 {
        return Err(garbled("it is too long"));
    }
    let file = descriptors
        .pop()
        .ok_or_else(|| garbled("a part is missing"))?;
    let mut bytes = Vec::with_capacity(length as usize);
    bytes.extend_from_slice(inline);
    sys::append_file(file, length as usize - inline.len(), &mut bytes).map_err(refused)?;
    decode(&bytes, descriptors)
}

impl<T, U> AsFd for Connection<T, U> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl<T, U> fmt::Debug for Connection<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

/// Packs a duplicate of the end.
impl<T, U> Serialize for Connection<T, U> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        attachments::pack(self.as_fd(), serializer)
    }
}

impl<'de, T, U> Deserialize<'de> for Connection<T, U> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let socket = attachments::unpack(deserializer)?;
        if !sys::is_unix_packet(socket.as_fd()) {
            return Err(attachments::refuse("a descriptor in it is no connection"));
        }
        Ok(Self::new(socket))
    }
}
