//! Messages with descriptors (`SCM_RIGHTS`).

use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use super::descriptor::above_standard;

/// The largest number of descriptors of one message (`SCM_MAX_FD`).
pub(crate) const MAX_PASSED: usize = 253;

/// Room for one control message with [`MAX_PASSED`] descriptors, aligned as the kernel demands.
#[repr(align(8))]
struct ControlBuffer([MaybeUninit<u8>; CONTROL_SIZE]);

// SAFETY: CMSG_SPACE only computes.
const CONTROL_SIZE: usize =
    unsafe { libc::CMSG_SPACE((MAX_PASSED * size_of::<RawFd>()) as libc::c_uint) as usize };

impl ControlBuffer {
    fn new() -> Self {
        Self([MaybeUninit::zeroed(); CONTROL_SIZE])
    }
}

/// Makes a message header of data buffers and a control buffer with room for a number of descriptors.
fn header(
    data: &mut [libc::iovec],
    control: &mut ControlBuffer,
    descriptors: usize,
) -> libc::msghdr {
    // SAFETY: msghdr consists of integers and pointers, for which all zeroes is a valid value.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_iov = data.as_mut_ptr();
    header.msg_iovlen = data.len() as _;
    if descriptors > 0 {
        // SAFETY: CMSG_SPACE only computes.
        let space = unsafe { libc::CMSG_SPACE((descriptors * size_of::<RawFd>()) as libc::c_uint) };
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = space as _;
    }
    header
}

/// Whether a call waits, or fails with [`WouldBlock`](io::ErrorKind::WouldBlock) instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Yes,
    No,
}

impl Wait {
    fn flag(self) -> libc::c_int {
        match self {
            Self::Yes => 0,
            Self::No => libc::MSG_DONTWAIT,
        }
    }
}

/// Sends all bytes in one message, with up to [`MAX_PASSED`] descriptors attached. Blocks until there is room.
pub(crate) fn send_with_descriptors(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    passed: &[BorrowedFd<'_>],
) -> io::Result<()> {
    send_packet(socket, &[bytes], passed, Wait::Yes)
}

/// Sends all parts in one message, with up to [`MAX_PASSED`] descriptors attached.
pub(crate) fn send_packet(
    socket: BorrowedFd<'_>,
    parts: &[&[u8]],
    passed: &[BorrowedFd<'_>],
    wait: Wait,
) -> io::Result<()> {
    assert!(
        passed.len() <= MAX_PASSED,
        "at most {MAX_PASSED} descriptors"
    );
    let mut data: Vec<_> = parts
        .iter()
        .map(|part| libc::iovec {
            iov_base: part.as_ptr().cast_mut().cast(),
            iov_len: part.len(),
        })
        .collect();
    let mut control = ControlBuffer::new();
    let message = header(&mut data, &mut control, passed.len());
    put_descriptors(&message, passed);
    let flags = libc::MSG_NOSIGNAL | wait.flag();
    loop {
        // SAFETY: `message` points to the live buffers above; sendmsg only reads them.
        let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, flags) };
        match usize::try_from(sent) {
            Ok(sent) if sent == parts.iter().map(|part| part.len()).sum::<usize>() => return Ok(()),
            Ok(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::WriteZero,
                    "the socket took only part of a message",
                ));
            }
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
    }
}

/// Sends bytes with one descriptor in one message, without waiting and without allocating. Returns whether they were sent.
pub(super) fn send_at_once(socket: BorrowedFd<'_>, bytes: &[u8], passed: BorrowedFd<'_>) -> bool {
    let mut data = [libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    }];
    let mut control = ControlBuffer::new();
    let message = header(&mut data, &mut control, 1);
    put_descriptors(&message, &[passed]);
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    // SAFETY: `message` points to the live buffers above; sendmsg only reads them.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, flags) };
    usize::try_from(sent) == Ok(bytes.len())
}

/// Returns whether the kernel refuses a message because too many descriptors are in flight (`ETOOMANYREFS`).
pub(crate) fn is_crowded(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ETOOMANYREFS)
}

/// Returns whether the kernel had no memory for a message. The same call may succeed a little later.
pub(crate) fn is_out_of_memory(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::ENOMEM))
}

/// Returns whether a packet is too long for its socket's buffer.
pub(crate) fn is_too_long(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EMSGSIZE)
}

/// Fills the control buffer of a message header that has room for these descriptors.
fn put_descriptors(message: &libc::msghdr, passed: &[BorrowedFd<'_>]) {
    if passed.is_empty() {
        return;
    }
    // SAFETY: CMSG_LEN only computes.
    let length = unsafe { libc::CMSG_LEN(size_of_val(passed) as libc::c_uint) };
    // SAFETY: the control buffer is aligned and has CMSG_SPACE of all descriptors, so that the header and all its data
    // lie inside. No other reference to it exists.
    unsafe {
        let first = libc::CMSG_FIRSTHDR(message);
        (*first).cmsg_level = libc::SOL_SOCKET;
        (*first).cmsg_type = libc::SCM_RIGHTS;
        (*first).cmsg_len = length as _;
        let room = libc::CMSG_DATA(first).cast::<RawFd>();
        for (index, descriptor) in passed.iter().enumerate() {
            room.add(index).write_unaligned(descriptor.as_raw_fd());
        }
    }
}

/// Receives bytes, and the descriptors that came with them. Blocks; zero bytes mean that the peer has closed its end.
pub(crate) fn receive_with_descriptors(
    socket: BorrowedFd<'_>,
    bytes: &mut [u8],
) -> io::Result<(usize, Vec<OwnedFd>)> {
    receive_packet(socket, bytes, Wait::Yes)
}

/// Receives bytes, and the descriptors that came with them. Zero bytes mean that the peer has closed its end.
pub(crate) fn receive_packet(
    socket: BorrowedFd<'_>,
    bytes: &mut [u8],
    wait: Wait,
) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut control = ControlBuffer::new();
    let mut data = [libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    }];
    let mut message = header(&mut data, &mut control, MAX_PASSED);
    let flags = libc::MSG_CMSG_CLOEXEC | wait.flag();
    let received = loop {
        // SAFETY: `message` points to live, exclusively borrowed buffers of the lengths it states.
        let received = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
        match usize::try_from(received) {
            Ok(received) => break received,
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
    };
    let passed = take_descriptors(&message);
    // Some descriptors were dropped: this process is at its limit.
    if message.msg_flags & libc::MSG_CTRUNC != 0 {
        return Err(io::Error::from_raw_os_error(libc::EMFILE));
    }
    // The kernel gives out the numbers of closed standard streams here too.
    let passed = passed.into_iter().map(above_standard);
    Ok((received, passed.collect::<io::Result<_>>()?))
}

/// Returns the descriptors of every control message of a message that recvmsg has just filled.
fn take_descriptors(message: &libc::msghdr) -> Vec<OwnedFd> {
    let mut descriptors = Vec::new();
    // SAFETY: CMSG_FIRSTHDR returns null or a header inside the control buffer, which the kernel has filled.
    let mut control = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !control.is_null() {
        // SAFETY: the pointer was checked; the kernel wrote a whole header there.
        let header = unsafe { control.read() };
        if header.cmsg_level == libc::SOL_SOCKET && header.cmsg_type == libc::SCM_RIGHTS {
            take_rights(control, header.cmsg_len as usize, &mut descriptors);
        }
        // SAFETY: `control` is a header inside the control buffer of `message`; the result is null or the next one.
        control = unsafe { libc::CMSG_NXTHDR(message, control) };
    }
    descriptors
}

/// Appends the descriptors of one control message of this length.
fn take_rights(control: *const libc::cmsghdr, length: usize, descriptors: &mut Vec<OwnedFd>) {
    // SAFETY: CMSG_LEN only computes.
    let size = length - unsafe { libc::CMSG_LEN(0) as usize };
    for index in 0..size / size_of::<RawFd>() {
        // SAFETY: the header states that these bytes follow it, and all lie inside the control buffer.
        let raw = unsafe {
            libc::CMSG_DATA(control)
                .cast::<RawFd>()
                .add(index)
                .read_unaligned()
        };
        // SAFETY: the kernel has just installed this descriptor for this process; nothing else owns it.
        descriptors.push(unsafe { OwnedFd::from_raw_fd(raw) });
    }
}
