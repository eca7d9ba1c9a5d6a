//! Two connected ends, in one process or in two, that send each other values.
//!
//! A message is one packet of a socket. The kernel delivers a packet whole or not at all, also when a process is killed
//! meanwhile or several processes share an end.
//!
//! | bytes | of a packet |
//! |---|---|
//! | 8 | length of the value, in the packet or not |
//! | 16 | its [`Place`] in the sender's arena, or zeros |
//! | up to [`INLINE`] | the value, or its beginning; empty for a value in the arena |
//!
//! The last of the packet's descriptors is the arena, or the memory file with the rest of the value, where there is one.

use std::cell::Cell;
use std::fmt;
use std::io::{self, ErrorKind};
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::arena::{Incoming, Outgoing, Place, SLOT_SIZE};
use crate::error::{DecodeError, ReceiveError, SendError, SystemError};
use crate::sys::{self, Wait};
use crate::wire::attachments;
use crate::wire::codec::{self, MAX_BYTES};

const LENGTH: usize = size_of::<u64>();
const HEADER: usize = LENGTH + Place::SIZE;

/// Largest part of a value in a packet, in bytes. The kernel queues about three packets of this size, so that a message
/// outside the arena waits for its receiver.
const INLINE: usize = 64 * 1024;

/// Largest size with which a thread's buffer is kept, in bytes. The system takes longer to map fresh pages than to copy.
const KEPT_BUFFER: usize = HEADER + SLOT_SIZE;

/// Pause before a packet is sent again for which the system has too many descriptors in flight. It reports no end of that.
const CROWDED_PAUSE: Duration = Duration::from_millis(1);

thread_local! {
    /// The buffer for received packets, reused by later calls.
    static PACKET: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// The buffer for encoded values, reused by later calls.
    static ENCODED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Makes two connected ends: what one sends, the other receives.
///
/// Each end can be given to another process. For a type of its own in each direction, see [`Connection::pair`].
///
/// ```
/// use procs::{Connection, ReceiveError};
///
/// #[procs::task]
/// fn answer(caller: Connection<u64>) {
///     for n in &caller {
///         let n = n.unwrap();
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
#[doc(alias = "Pipe")]
#[doc(alias = "socketpair")]
pub fn channel<T>() -> Result<(Connection<T>, Connection<T>), SystemError> {
    Connection::pair()
}

/// One of two connected ends: sends values of type `T`, receives values of type `U`.
///
/// An end can be sent to another process: in the arguments of a process or of a pool's initializer, and in a message of
/// another connection. Sending duplicates it. Drop the end that stays, or the other side does not see the end of the
/// process that received the duplicate. Several processes and threads may share an end: each message goes whole to one of
/// the receivers.
///
/// `send` borrows the value and encodes it at once. Dropping the last duplicate of an end, or the death of the process that
/// holds it, closes it. The other side can still receive what was sent before.
///
/// Messages above 64 KiB travel in shared memory. Each end keeps at most 33 MiB of it for messages up to 8 MiB, as much as
/// it has used. Larger messages take a memory file each. The largest value is 1 GiB. Each thread that sends or receives keeps
/// two buffers, as large as its largest message up to 8 MiB.
#[doc(alias = "Pipe")]
#[must_use]
pub struct Connection<T, U = T> {
    socket: OwnedFd,
    outgoing: Outgoing,
    incoming: Incoming,
    values: PhantomData<fn(T) -> U>,
}

impl<T, U> Connection<T, U> {
    fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            outgoing: Outgoing::default(),
            incoming: Incoming::default(),
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

    /// Waits at most `time` until there is a message or the other end is closed. Returns false when the time is over.
    ///
    /// If several receive from this end, another of them may take the message first.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn poll(&self, time: Duration) -> Result<bool, SystemError> {
        self.await_ready(true, Instant::now().checked_add(time))
            .map_err(SystemError::new("wait for a connection"))
    }

    /// Waits until the socket can be read, or written. Returns false when the deadline has passed.
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

    /// Sends one packet. Fails with `TimedOut` where there is no room until the deadline.
    fn transmit(
        &self,
        parts: &[&[u8]],
        descriptors: &[BorrowedFd<'_>],
        deadline: Option<Instant>,
    ) -> io::Result<()> {
        loop {
            match sys::send_packet(self.as_fd(), parts, descriptors, Wait::No) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if !self.await_ready(false, deadline)? {
                        return Err(ErrorKind::TimedOut.into());
                    }
                }
                Err(error) if sys::is_crowded(&error) => {
                    if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                        return Err(ErrorKind::TimedOut.into());
                    }
                    thread::sleep(CROWDED_PAUSE);
                }
                other => return other,
            }
        }
    }

    /// Sends an encoded value: in the packet, in the arena, or in the packet and a memory file.
    fn send_bytes(
        &self,
        bytes: &[u8],
        descriptors: &[OwnedFd],
        deadline: Option<Instant>,
    ) -> io::Result<()> {
        let length = (bytes.len() as u64).to_le_bytes();
        if bytes.len() > INLINE
            && let Some(message) = self.outgoing.put(bytes, deadline)
        {
            let mut passed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
            passed.push(message.as_fd());
            let place = Place::to_bytes(Some(message.place()));
            self.transmit(&[&length, &place], &passed, deadline)?;
            message.commit();
            return Ok(());
        }
        let mut inline = INLINE;
        loop {
            let (beginning, rest) = bytes.split_at(bytes.len().min(inline));
            let file = match rest {
                [] => None,
                rest => Some(sys::memory_file(rest)?),
            };
            let passed: Vec<_> = descriptors.iter().chain(&file).map(AsFd::as_fd).collect();
            let parts: [&[u8]; 3] = [&length, &Place::to_bytes(None), beginning];
            match self.transmit(&parts, &passed, deadline) {
                // The socket's buffer is smaller than the system's usual one.
                Err(error) if sys::is_too_long(&error) && inline > 0 => inline /= 8,
                other => return other,
            }
        }
    }
}

impl<T: Serialize, U> Connection<T, U> {
    /// Sends a value. Blocks while there is no room.
    ///
    /// # Errors
    ///
    /// The other end is closed, the value cannot be encoded, or the system refuses. Nothing of the value was sent then.
    pub fn send(&self, value: &T) -> Result<(), SendError> {
        self.send_by(value, None)
    }

    /// Sends a value. Blocks for room at most for `time`.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and [`TimedOut`](SendError::TimedOut).
    pub fn send_for(&self, value: &T, time: Duration) -> Result<(), SendError> {
        self.send_by(value, Instant::now().checked_add(time))
    }

    /// Sends a value. Blocks for room until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and [`TimedOut`](SendError::TimedOut).
    pub fn send_until(&self, value: &T, deadline: Instant) -> Result<(), SendError> {
        self.send_by(value, Some(deadline))
    }

    /// Sends a value if there is room.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and [`TimedOut`](SendError::TimedOut) where it would block.
    pub fn try_send(&self, value: &T) -> Result<(), SendError> {
        self.send_by(value, Some(Instant::now()))
    }

    fn send_by(&self, value: &T, deadline: Option<Instant>) -> Result<(), SendError> {
        let mut bytes = ENCODED.take();
        bytes.clear();
        // One place is the arena's, or the memory file's.
        let descriptors = attachments::encode(value, &mut bytes, attachments::LIMIT - 1)
            .map_err(SendError::Encode)?;
        let sent = self.send_bytes(&bytes, &descriptors, deadline);
        if bytes.capacity() <= KEPT_BUFFER {
            ENCODED.set(bytes);
        }
        sent.map_err(|error| match error.kind() {
            ErrorKind::TimedOut => SendError::TimedOut,
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::NotConnected => {
                SendError::Closed
            }
            _ => SendError::System(SystemError::new("send a message")(error)),
        })
    }
}

impl<T, U: DeserializeOwned> Connection<T, U> {
    /// Receives a value. Blocks until there is one.
    ///
    /// # Errors
    ///
    /// The other end is closed and everything has been received, a message cannot be decoded, or the system refuses.
    #[doc(alias = "recv")]
    pub fn receive(&self) -> Result<U, ReceiveError> {
        self.receive_by(None)
    }

    /// Receives a value. Blocks at most for `time`.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive), and [`TimedOut`](ReceiveError::TimedOut).
    #[doc(alias = "recv_timeout")]
    pub fn receive_for(&self, time: Duration) -> Result<U, ReceiveError> {
        self.receive_by(Instant::now().checked_add(time))
    }

    /// Receives a value. Blocks until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive), and [`TimedOut`](ReceiveError::TimedOut).
    #[doc(alias = "recv_deadline")]
    pub fn receive_until(&self, deadline: Instant) -> Result<U, ReceiveError> {
        self.receive_by(Some(deadline))
    }

    /// Receives a value if there is one.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive), and [`TimedOut`](ReceiveError::TimedOut) where it would block.
    #[doc(alias = "try_recv")]
    pub fn try_receive(&self) -> Result<U, ReceiveError> {
        self.receive_by(Some(Instant::now()))
    }

    /// Returns an iterator that receives values. It blocks for each, and ends when the other end is closed.
    ///
    /// A message that cannot be decoded is an error in its place; the iterator goes on. It ends after an error of the
    /// system.
    ///
    /// ```
    /// let (here, there) = procs::channel::<u8>()?;
    /// here.send(&1)?;
    /// here.send(&2)?;
    /// drop(here);
    /// let values: Vec<u8> = there.iter().collect::<Result<_, _>>()?;
    /// assert_eq!(values, [1, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn iter(&self) -> ReceiveIter<'_, T, U> {
        ReceiveIter {
            connection: self,
            has_ended: false,
        }
    }

    /// Returns an iterator that receives the values that are there. It does not block; it ends when none is left.
    pub fn try_iter(&self) -> TryReceiveIter<'_, T, U> {
        TryReceiveIter {
            connection: self,
            has_ended: false,
        }
    }

    fn receive_by(&self, deadline: Option<Instant>) -> Result<U, ReceiveError> {
        let mut packet = PACKET.take();
        if packet.len() < HEADER + INLINE {
            packet.resize(HEADER + INLINE, 0);
        }
        let result = match self.next_packet(&mut packet[..HEADER + INLINE], deadline) {
            Ok((0, _)) => Err(ReceiveError::Closed),
            Ok((count, descriptors)) => self.unpack(&mut packet, count, descriptors),
            Err(error) if error.kind() == ErrorKind::TimedOut => Err(ReceiveError::TimedOut),
            Err(error) => Err(refused(error)),
        };
        if packet.capacity() <= KEPT_BUFFER {
            PACKET.set(packet);
        }
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
                // The other side closed its end before it had received everything. The kernel reports that once; what
                // the other side sent can still be received.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
                other => return other,
            }
        }
    }

    /// Decodes the value of a packet of `count` bytes. What is not in the packet is read into the buffer.
    fn unpack(
        &self,
        packet: &mut Vec<u8>,
        count: usize,
        mut descriptors: Vec<OwnedFd>,
    ) -> Result<U, ReceiveError> {
        let (length, place) = parse_header(&packet[..count])
            .ok_or_else(|| garbled::<U>("it is not a message of a connection"))?;
        if length > MAX_BYTES as u64 {
            return Err(garbled::<U>("it is longer than the largest value"));
        }
        let (length, inline) = (length as usize, count - HEADER);
        if let Some(place) = place {
            let file = descriptors
                .pop()
                .ok_or_else(|| garbled::<U>("its arena is missing"))?;
            let arena = self.incoming.arena(file).map_err(refused)?;
            if length > SLOT_SIZE {
                return Err(garbled::<U>("it is longer than its part of the arena"));
            }
            make_room(packet, length);
            if !arena.take(place, &mut packet[HEADER..HEADER + length]) {
                return Err(garbled::<U>("it is not where it is said to be"));
            }
        } else if length < inline {
            return Err(garbled::<U>("it is longer than it states"));
        } else if length > inline {
            let file = descriptors
                .pop()
                .ok_or_else(|| garbled::<U>("a part is missing"))?;
            let mut bytes = Vec::with_capacity(length);
            bytes.extend_from_slice(&packet[HEADER..count]);
            sys::append_file(file, length - inline, &mut bytes).map_err(refused)?;
            return decode(&bytes, descriptors);
        }
        decode(&packet[HEADER..HEADER + length], descriptors)
    }
}

/// Makes room in the packet buffer for a value of the arena.
fn make_room(packet: &mut Vec<u8>, length: usize) {
    if packet.len() < HEADER + length {
        packet.reserve_exact(HEADER + length - packet.len());
        packet.resize(HEADER + length, 0);
    }
}

/// Returns the length and the place of a packet's value.
fn parse_header(packet: &[u8]) -> Option<(u64, Option<Place>)> {
    let (length, rest) = packet.split_first_chunk::<LENGTH>()?;
    let (place, _) = rest.split_first_chunk::<{ Place::SIZE }>()?;
    Some((u64::from_le_bytes(*length), Place::from_bytes(*place)))
}

fn decode<U: DeserializeOwned>(bytes: &[u8], descriptors: Vec<OwnedFd>) -> Result<U, ReceiveError> {
    attachments::with(descriptors, || codec::decode(bytes)).map_err(ReceiveError::Decode)
}

fn garbled<U>(reason: &str) -> ReceiveError {
    let name = std::any::type_name::<U>();
    ReceiveError::Decode(DecodeError::new(name, reason.to_owned()))
}

fn refused(error: io::Error) -> ReceiveError {
    ReceiveError::System(SystemError::new("receive a message")(error))
}

/// Iterator over the values that a [`Connection`] receives; see [`Connection::iter`].
#[derive(Debug)]
#[must_use = "iterators receive nothing unless consumed"]
pub struct ReceiveIter<'a, T, U> {
    connection: &'a Connection<T, U>,
    has_ended: bool,
}

/// Iterator over the values that have reached a [`Connection`]; see [`Connection::try_iter`].
#[derive(Debug)]
#[must_use = "iterators receive nothing unless consumed"]
pub struct TryReceiveIter<'a, T, U> {
    connection: &'a Connection<T, U>,
    has_ended: bool,
}

/// Returns the item for a result of `receive`, and whether no other follows.
fn item<U>(result: Result<U, ReceiveError>) -> (Option<Result<U, ReceiveError>>, bool) {
    match result {
        Err(ReceiveError::Closed | ReceiveError::TimedOut) => (None, true),
        Err(ReceiveError::System(_)) => (Some(result), true),
        _ => (Some(result), false),
    }
}

impl<T, U: DeserializeOwned> Iterator for ReceiveIter<'_, T, U> {
    type Item = Result<U, ReceiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let (next, has_ended) = item(self.connection.receive());
        self.has_ended = has_ended;
        next
    }
}

impl<T, U: DeserializeOwned> FusedIterator for ReceiveIter<'_, T, U> {}

impl<T, U: DeserializeOwned> Iterator for TryReceiveIter<'_, T, U> {
    type Item = Result<U, ReceiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let (next, has_ended) = item(self.connection.try_receive());
        self.has_ended = has_ended;
        next
    }
}

impl<T, U: DeserializeOwned> FusedIterator for TryReceiveIter<'_, T, U> {}

impl<'a, T, U: DeserializeOwned> IntoIterator for &'a Connection<T, U> {
    type Item = Result<U, ReceiveError>;
    type IntoIter = ReceiveIter<'a, T, U>;

    fn into_iter(self) -> ReceiveIter<'a, T, U> {
        self.iter()
    }
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

/// Sends a duplicate of the end.
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
