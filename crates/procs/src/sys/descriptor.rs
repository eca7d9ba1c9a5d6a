//! Descriptors: readiness, wake-ups, sockets.

use std::fs::File;
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::ptr;
use std::time::{Duration, Instant};

/// The first descriptor above the standard streams.
pub(super) const FIRST_OTHER: RawFd = 3;

/// Moves a new descriptor above the standard streams.
///
/// Where a standard stream is closed, the kernel gives its number to the next descriptor. What the program prints would then
/// go there, and a later redirection of the stream would close it.
///
/// # Errors
///
/// When no other descriptor is left. The new one is closed then.
pub(crate) fn above_standard<D: From<OwnedFd> + Into<OwnedFd>>(new: D) -> io::Result<D> {
    let new: OwnedFd = new.into();
    if new.as_raw_fd() >= FIRST_OTHER {
        return Ok(new.into());
    }
    duplicate_above_standard(new.as_fd()).map(D::from)
}

/// Duplicates a descriptor to a number above those of the standard streams.
pub(super) fn duplicate_above_standard(descriptor: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes an integer and touches no memory.
    let raw =
        owned(unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_DUPFD_CLOEXEC, FIRST_OTHER) })?;
    // SAFETY: on success the descriptor is new and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Makes a connected pair of stream sockets.
pub(crate) fn stream_pair() -> io::Result<(UnixStream, UnixStream)> {
    let (one, other) = UnixStream::pair()?;
    Ok((above_standard(one)?, above_standard(other)?))
}

/// Makes a pipe.
pub(crate) fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    Ok((above_standard(reader)?, above_standard(writer)?))
}

/// One descriptor to wait for, in the kernel's own layout.
pub(crate) type PollFd = libc::pollfd;

/// Returns the entry of a poll for reading, writing or neither. Hang-ups and errors are always reported.
pub(crate) fn as_poll(descriptor: BorrowedFd<'_>, read: bool, write: bool) -> PollFd {
    let mut events = 0;
    if read {
        events |= libc::POLLIN;
    }
    if write {
        events |= libc::POLLOUT;
    }
    PollFd {
        fd: descriptor.as_raw_fd(),
        events,
        revents: 0,
    }
}

/// Waits until a descriptor is ready or the timeout has passed. Returns how many are ready: 0 also after a signal.
pub(crate) fn poll(descriptors: &mut [PollFd], timeout: Option<Duration>) -> io::Result<usize> {
    let limit = timeout.map(|time| libc::timespec {
        tv_sec: time.as_secs().try_into().unwrap_or(i32::MAX.into()),
        tv_nsec: time.subsec_nanos().into(),
    });
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the pointer and length describe one live, exclusively borrowed slice of pollfd; `limit` is null or points
    // to a timespec that lives until the end of this function; a null signal mask leaves the mask alone.
    let ready = unsafe {
        libc::ppoll(
            descriptors.as_mut_ptr(),
            descriptors.len() as libc::nfds_t,
            limit,
            ptr::null(),
        )
    };
    match usize::try_from(ready) {
        Ok(ready) => Ok(ready),
        Err(_) => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            error => Err(error),
        },
    }
}

/// Blocks until every copy of the other end of a socket is closed, or the process of a pidfd has ended.
pub(crate) fn await_hang_up(socket: BorrowedFd<'_>, process: Option<BorrowedFd<'_>>) {
    let mut descriptors = vec![as_poll(socket, false, false)];
    descriptors.extend(process.map(|pidfd| as_poll(pidfd, true, false)));
    while !matches!(poll(&mut descriptors, None), Ok(1..)) {}
}

/// Returns whether a descriptor is readable now. A pidfd is readable once its process has ended. Returns false if the
/// kernel has no
/// memory for the poll.
pub(crate) fn is_readable(descriptor: BorrowedFd<'_>) -> bool {
    await_readable(descriptor, Duration::ZERO)
}

/// Waits until a descriptor is readable, at most for `limit`; signals do not end the wait. Returns whether it is readable.
pub(crate) fn await_readable(descriptor: BorrowedFd<'_>, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut polled = [as_poll(descriptor, true, false)];
        match poll(&mut polled, Some(left)) {
            Ok(1..) => return true,
            Ok(0) if !left.is_zero() => {}
            _ => return false,
        }
    }
}

/// An eventfd: a descriptor that becomes readable by [`notify`](Self::notify).
pub(crate) struct EventFd(File);

impl EventFd {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: eventfd takes no pointers.
        let raw = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        // SAFETY: on success the descriptor is new and nobody else owns it.
        let file = owned(raw).map(|raw| unsafe { File::from_raw_fd(raw) })?;
        above_standard(file).map(Self)
    }

    /// Makes the descriptor readable. The only error is that of a full counter, which is already readable.
    pub(crate) fn notify(&self) {
        let _ = (&self.0).write(&1_u64.to_ne_bytes());
    }

    /// Makes the descriptor unreadable again.
    pub(crate) fn clear(&self) {
        let _ = (&self.0).read(&mut [0; 8]);
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Turns the kernel's -1 into an error.
fn owned(raw: RawFd) -> io::Result<RawFd> {
    if raw < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(raw)
    }
}

/// Returns an integer option of a socket. `None`: the descriptor is no socket.
fn socket_option(socket: BorrowedFd<'_>, option: libc::c_int) -> Option<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: `value` is a writable int, and `length` holds its size, as getsockopt demands for these options.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    (result == 0).then_some(value)
}

/// Returns whether a descriptor is a stream socket of the Unix domain.
pub(crate) fn is_unix_stream(descriptor: BorrowedFd<'_>) -> bool {
    is_unix(descriptor, libc::SOCK_STREAM)
}

fn is_unix(descriptor: BorrowedFd<'_>, kind: libc::c_int) -> bool {
    socket_option(descriptor, libc::SO_TYPE) == Some(kind)
        && socket_option(descriptor, libc::SO_DOMAIN) == Some(libc::AF_UNIX)
}

/// Returns the id of the process that made a socket pair, as the kernel has recorded it.
pub(crate) fn peer_pid(socket: BorrowedFd<'_>) -> Option<u32> {
    let mut peer = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: `peer` is a writable ucred, and `length` holds its size, as SO_PEERCRED demands.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut length,
        )
    };
    if result == 0 {
        u32::try_from(peer.pid).ok()
    } else {
        None
    }
}

/// Returns an input at end of file: `/dev/null`, or a pipe without a writer where that is missing.
pub(crate) fn empty_input() -> io::Result<OwnedFd> {
    match File::open("/dev/null") {
        Ok(null) => above_standard(null.into()),
        Err(_) => pipe().map(|(reader, _)| reader.into()),
    }
}

/// Opens the null device for writing.
pub(crate) fn null_output() -> io::Result<OwnedFd> {
    let null = File::options().write(true).open("/dev/null")?;
    above_standard(null.into())
}

/// Takes the socket to the parent from standard input, and replaces standard input by an empty input.
pub(crate) fn release_stdin() -> io::Result<OwnedFd> {
    let stdin = io::stdin();
    let socket = duplicate_above_standard(stdin.as_fd())?;
    let empty = empty_input()?;
    // SAFETY: dup2 takes two integers; descriptor 0 stays open throughout, so every borrow of it stays valid.
    owned(unsafe { libc::dup2(empty.as_raw_fd(), stdin.as_raw_fd()) })?;
    Ok(socket)
}

/// Makes a connected pair of sockets that preserve message boundaries.
pub(crate) fn packet_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut raw = [-1; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: `raw` has room for the two descriptors that the kernel writes.
    owned(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, raw.as_mut_ptr()) })?;
    // SAFETY: on success both descriptors are new and nobody else owns them.
    let (one, other) = unsafe { (OwnedFd::from_raw_fd(raw[0]), OwnedFd::from_raw_fd(raw[1])) };
    Ok((above_standard(one)?, above_standard(other)?))
}

/// Returns whether a descriptor is a socket of the kind that [`packet_pair`] makes.
pub(crate) fn is_unix_packet(descriptor: BorrowedFd<'_>) -> bool {
    is_unix(descriptor, libc::SOCK_SEQPACKET)
}

/// Sets a descriptor to non-blocking.
pub(crate) fn set_nonblocking(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: F_GETFL touches no memory.
    let flags = owned(unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_GETFL) })?;
    // SAFETY: F_SETFL takes an integer and touches no memory.
    owned(unsafe {
        libc::fcntl(
            descriptor.as_raw_fd(),
            libc::F_SETFL,
            flags | libc::O_NONBLOCK,
        )
    })
    .map(drop)
}

/// Makes `target` (0, 1 or 2) a duplicate of an open descriptor.
pub(crate) fn replace_stream(target: RawFd, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: dup2 takes two integers. No value owns a standard stream, so no owned descriptor is closed.
    owned(unsafe { libc::dup2(descriptor.as_raw_fd(), target) }).map(drop)
}

/// Returns whether a standard stream is open.and would be passed on by `execve`.
///
/// One that is close-on-exec counts as closed. Another thread may have just got the number for a descriptor that it is
/// about to move: see [`above_standard`].
pub(crate) fn is_inherited(stream: BorrowedFd<'_>) -> bool {
    // SAFETY: F_GETFD touches no memory.
    let flags = unsafe { libc::fcntl(stream.as_raw_fd(), libc::F_GETFD) };
    flags >= 0 && flags & libc::FD_CLOEXEC == 0
}

/// Connects to a socket in the abstract namespace. Never blocks: a listener whose queue is full is an error of the kind
/// `WouldBlock`. The returned socket is blocking.
pub(crate) fn connect_to_abstract(name: &[u8]) -> io::Result<OwnedFd> {
    // SAFETY: sockaddr_un is plain C data, for which all zeroes is a valid value.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    // The first byte of an abstract name is zero.
    let Some(place) = address.sun_path.get_mut(1..=name.len()) else {
        return Err(ErrorKind::InvalidInput.into());
    };
    for (to, from) in place.iter_mut().zip(name) {
        *to = *from as libc::c_char;
    }
    let length = mem::offset_of!(libc::sockaddr_un, sun_path) + 1 + name.len();
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: socket takes three integers.
    let raw = owned(unsafe { libc::socket(libc::AF_UNIX, kind, 0) })?;
    // SAFETY: on success the descriptor is new and has no other owner.
    let socket = above_standard(unsafe { OwnedFd::from_raw_fd(raw) })?;
    let raw = socket.as_raw_fd();
    let address = ptr::from_ref(&address).cast::<libc::sockaddr>();
    // SAFETY: the pointer is to a live address, of which `length` bytes are set.
    owned(unsafe { libc::connect(raw, address, length as libc::socklen_t) })?;
    // SAFETY: F_SETFL takes an integer and touches no memory. A new socket has no other flags.
    owned(unsafe { libc::fcntl(raw, libc::F_SETFL, 0) })?;
    Ok(socket)
}
