//! The fork server's own side: one thread that duplicates itself on request.

use std::env;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;

use crate::child::bootstrap;
use crate::child::worker;
use crate::sys;
use crate::task;
use crate::wire::codec;
use crate::wire::fork_request::{EAGER, ForkRequest, OURS};
use crate::wire::{Refusal, Tag, marker};

/// A duplicate of the server, right after its birth.
pub(crate) struct ForkedFromServer {
    stream: UnixStream,
    outputs: [Option<OwnedFd>; 2],
    request: ForkRequest,
}

/// The server's life: it returns only in its duplicates. An error means that the asking process has gone.
///
/// It is called on the one thread of a fresh process, and is back on it whenever it duplicates itself.
pub(crate) fn serve(stream: UnixStream) -> io::Result<ForkedFromServer> {
    // What is looked up, made or linked here need not be in each duplicate: also the first thread's stack, which the C
    // library keeps for the next.
    let _ = (marker::build(), task::find(0));
    if env::var_os(EAGER).is_some_and(|value| value == OURS) {
        // SAFETY: this process has one thread.
        unsafe { env::remove_var(EAGER) };
    }
    bootstrap::rehearse();
    sys::name_thread("procs-forks");
    worker::send(&stream, Tag::Ready, &[])?;
    loop {
        let forked = receive(&stream)?;
        // SAFETY: this process has one thread, and the caller runs what follows in the copy on a new one.
        let answer = match unsafe { sys::clone_sibling() } {
            // The server's socket is not the copy's: as its holder it would hide the server's death.
            Ok(0) => return Ok(forked),
            Ok(pid) => pid.cast_signed(),
            Err(error) => -error.raw_os_error().unwrap_or(libc::EAGAIN),
        };
        drop(forked);
        (&stream).write_all(&answer.to_le_bytes())?;
    }
}

/// Receives a request with its descriptors.
fn receive(mut stream: &UnixStream) -> io::Result<ForkedFromServer> {
    let mut length = [0; 4];
    let (count, descriptors) = sys::receive_with_descriptors(stream.as_fd(), &mut length)?;
    stream.read_exact(&mut length[count..])?;
    let mut body = vec![0; u32::from_le_bytes(length) as usize];
    stream.read_exact(&mut body)?;
    let request: ForkRequest = codec::decode(&body).map_err(io::Error::other)?;
    let mut descriptors = descriptors.into_iter();
    let socket = descriptors.next().ok_or(io::ErrorKind::InvalidData)?;
    let outputs = request
        .outputs
        .map(|passed| if passed { descriptors.next() } else { None });
    Ok(ForkedFromServer {
        stream: socket.into(),
        outputs,
        request,
    })
}

impl ForkedFromServer {
    /// Takes on the options that were wished for. Called on the only thread of the process.
    pub(crate) fn settle(self) -> Result<UnixStream, (UnixStream, Refusal)> {
        let Self {
            stream,
            outputs,
            request,
        } = self;
        sys::name_thread(&request.name);
        for (key, value) in request.env {
            let key = OsString::from_vec(key);
            match value {
                // SAFETY: no other thread of this process could read or write the environment meanwhile: there is none.
                Some(value) => unsafe { env::set_var(key, OsString::from_vec(value)) },
                // SAFETY: as above.
                None => unsafe { env::remove_var(key) },
            }
        }
        let outputs = outputs.iter().zip(1..);
        let set = outputs
            .filter_map(|(output, target)| {
                Some(sys::replace_stream(target, output.as_ref()?.as_fd()))
            })
            .collect::<io::Result<()>>();
        let set = set.and_then(|()| match request.cwd {
            Some(cwd) => env::set_current_dir(OsString::from_vec(cwd)),
            None => Ok(()),
        });
        match set {
            Ok(()) => Ok(stream),
            Err(error) => Err((
                stream,
                Refusal::SetupFailed(error.raw_os_error().unwrap_or(0)),
            )),
        }
    }
}
