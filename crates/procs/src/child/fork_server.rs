//! The fork server's own process: one thread that clones its process on request, and the first steps of a clone.

use std::env;
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use crate::child::worker;
use crate::process::descendants;
use crate::sys::{self, Cloned, SIGSTOP};
use crate::task;
use crate::wire::codec;
use crate::wire::spare::{BIND_NOW, HandOver, ORDER_SIZE, Order, SERVER_NAME, SET_BY_PROCS};
use crate::wire::{Refusal, Tag, marker};

/// Serves orders. Returns only in clones of this process, the spares, with their end of a socket to the ordering process.
/// An error means that the ordering process has ended.
///
/// The caller is the only thread of this process. In a spare, the copy of that thread returns.
pub(crate) fn serve(stream: UnixStream, parent: Option<&OwnedFd>) -> io::Result<UnixStream> {
    // Computed once here, these values are inherited by every spare.
    let _ = (marker::build(), task::find(0));
    if env::var_os(BIND_NOW).is_some_and(|value| value == SET_BY_PROCS) {
        // SAFETY: this process has one thread.
        unsafe { env::remove_var(BIND_NOW) };
    }
    prewarm_thread_stack();
    sys::name_thread(SERVER_NAME);
    worker::send(&stream, Tag::Ready, &[])?;
    let mut guard = Guard::default();
    loop {
        match await_order(&stream, parent).and_then(|()| receive_order(&stream)) {
            Ok((Order::Spare, _)) => {
                if let Some(spare) = make_spare(&stream) {
                    // Returning drops the server's socket: a spare that held it would hide the server's death.
                    return Ok(spare);
                }
            }
            Ok((Order::Guard { pid }, passed)) => guard.add(pid, passed),
            Ok((Order::Retire, _)) => {
                guard.wait(&stream, parent);
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Err(error) => {
                guard.end_programs(parent);
                return Err(error);
            }
        }
    }
}

/// Returns the builder of the thread that serves in a spare.
pub(crate) fn thread() -> thread::Builder {
    thread::Builder::new()
        .name("main".to_owned())
        .stack_size(8 << 20)
}

/// Spawns and joins a thread like that of a spare, so that spares inherit the cached stack and the resolved symbols.
/// A failure only makes their start slower.
fn prewarm_thread_stack() {
    if let Ok(thread) = thread().spawn(|| ()) {
        let _ = thread.join();
    }
}

/// Waits for an order. An error means that the ordering process has ended and left no order unread.
fn await_order(stream: &UnixStream, parent: Option<&OwnedFd>) -> io::Result<()> {
    let mut polled = vec![sys::as_poll(stream.as_fd(), true, false)];
    polled.extend(parent.map(|pidfd| sys::as_poll(pidfd.as_fd(), true, false)));
    loop {
        // If the kernel has no memory for the poll, the caller's blocking receive waits.
        if sys::poll(&mut polled, None).is_err() || polled[0].revents != 0 {
            return Ok(());
        }
        if polled[1..].iter().any(|parent| parent.revents != 0) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Receives an order. An error means that the ordering process has ended.
fn receive_order(mut stream: &UnixStream) -> io::Result<(Order, Vec<OwnedFd>)> {
    let mut bytes = [0; ORDER_SIZE];
    let (count, passed) = sys::receive_with_descriptors(stream.as_fd(), &mut bytes)?;
    stream.read_exact(&mut bytes[count..])?;
    let order = Order::from_bytes(bytes).ok_or(io::ErrorKind::InvalidData)?;
    Ok((order, passed))
}

/// Time limit of the ordering process from the close of its socket to its end.
const EXIT_TIMEOUT: Duration = Duration::from_secs(1);

/// Programs that are ended when the ordering process ends.
#[derive(Default)]
struct Guard {
    programs: Vec<(u32, OwnedFd)>,
    /// Number of programs from which on those that have ended are removed: twice what remained last time.
    bound: usize,
}

impl Guard {
    fn add(&mut self, pid: u32, passed: Vec<OwnedFd>) {
        if self.programs.len() >= self.bound {
            self.remove_ended();
            self.bound = 2 * self.programs.len() + 16;
        }
        self.programs
            .extend(passed.into_iter().map(|pidfd| (pid, pidfd)));
    }

    fn remove_ended(&mut self) {
        self.programs
            .retain(|(_, pidfd)| !sys::is_readable(pidfd.as_fd()));
    }

    /// Waits until all programs have ended. If the ordering process ends first, ends them.
    fn wait(&mut self, stream: &UnixStream, parent: Option<&OwnedFd>) {
        loop {
            self.remove_ended();
            if self.programs.is_empty() {
                return;
            }
            let mut polled = vec![sys::as_poll(stream.as_fd(), false, false)];
            polled.extend(parent.map(|pidfd| sys::as_poll(pidfd.as_fd(), true, false)));
            let ends = polled.len();
            let programs = self.programs.iter();
            polled.extend(programs.map(|(_, pidfd)| sys::as_poll(pidfd.as_fd(), true, false)));
            if sys::poll(&mut polled, None).is_ok()
                && polled[..ends].iter().any(|end| end.revents != 0)
            {
                return self.end_programs(parent);
            }
        }
    }

    /// Kills the programs and what they have started.
    ///
    /// A process that ends closes its sockets first. Then the kernel sends SIGHUP and SIGCONT to the stopped process groups
    /// that it orphans. A program stopped between the two would end before its descendants are found, so this waits.
    fn end_programs(&self, parent: Option<&OwnedFd>) {
        if let Some(parent) = parent {
            sys::await_readable(parent.as_fd(), EXIT_TIMEOUT);
        }
        for (pid, pidfd) in &self.programs {
            // A stopped process does not end, so its id stays its own.
            if sys::signal(pidfd.as_fd(), SIGSTOP).is_ok() {
                // A process that this one may not signal is left alone.
                let _ = descendants::kill_tree(*pid, pidfd.as_fd());
            }
        }
    }
}

/// Makes a spare, and sends its process id and descriptors, or the error. In the spare, returns its end of its socket.
fn make_spare(stream: &UnixStream) -> Option<UnixStream> {
    // The error of a send to a process that has ended is ignored: its unread orders may name programs to end.
    let send = |answer: i32, passed: &[BorrowedFd<'_>]| {
        let _ = sys::send_with_descriptors(stream.as_fd(), &answer.to_le_bytes(), passed);
    };
    match clone_spare() {
        Ok(Side::Spare(socket)) => return Some(socket),
        Ok(Side::Server { pid, passed }) => {
            send(pid.cast_signed(), &passed.each_ref().map(AsFd::as_fd));
        }
        Err(error) => send(-error.raw_os_error().unwrap_or(libc::EAGAIN), &[]),
    }
    None
}

/// The two returns of [`clone_spare`].
enum Side {
    Server { pid: u32, passed: [OwnedFd; 2] },
    Spare(UnixStream),
}

/// Clones this process, with a socket to the clone.
fn clone_spare() -> io::Result<Side> {
    let (theirs, ours) = sys::stream_pair()?;
    theirs.set_nonblocking(true)?;
    // SAFETY: this process has one thread, and in the copy the caller of `serve` runs everything else on a new one.
    match unsafe { sys::clone_sibling() }? {
        Cloned::Copy => Ok(Side::Spare(ours)),
        Cloned::Original { pid, pidfd } => Ok(Side::Server {
            pid,
            passed: [pidfd, theirs.into()],
        }),
    }
}

/// Waits for the hand-over and applies it to this process. The outer error means that the parent has ended.
///
/// The other threads of this process must not access the environment.
pub(crate) fn take_over(stream: &UnixStream) -> io::Result<Result<(), Refusal>> {
    let (hand_over, descriptors) = receive(stream)?;
    sys::name_process(&hand_over.name);
    Ok(apply(hand_over, descriptors)
        .map_err(|error| Refusal::SetupFailed(error.raw_os_error().unwrap_or(0))))
}

/// Receives a hand-over with its descriptors.
fn receive(mut stream: &UnixStream) -> io::Result<(HandOver, Vec<OwnedFd>)> {
    let mut length = [0; 4];
    let (count, descriptors) = sys::receive_with_descriptors(stream.as_fd(), &mut length)?;
    stream.read_exact(&mut length[count..])?;
    let mut body = vec![0; u32::from_le_bytes(length) as usize];
    stream.read_exact(&mut body)?;
    let hand_over = codec::decode(&body).map_err(io::Error::other)?;
    Ok((hand_over, descriptors))
}

fn apply(hand_over: HandOver, descriptors: Vec<OwnedFd>) -> io::Result<()> {
    for (key, value) in hand_over.env {
        let key = OsString::from_vec(key);
        match value {
            // SAFETY: the other thread of this process waits for the end of a socket and does not access the environment.
            Some(value) => unsafe { env::set_var(key, OsString::from_vec(value)) },
            // SAFETY: as above.
            None => unsafe { env::remove_var(key) },
        }
    }
    let mut descriptors = descriptors.into_iter();
    for (target, passed) in (1..).zip(hand_over.outputs) {
        let output = if passed {
            descriptors.next().ok_or(io::ErrorKind::InvalidData)?
        } else {
            // It is closed there. Here it may still be what the server was started with.
            sys::null_output()?
        };
        sys::replace_stream(target, output.as_fd())?;
    }
    match hand_over.cwd {
        Some(cwd) => env::set_current_dir(OsString::from_vec(cwd)),
        None => Ok(()),
    }
}
