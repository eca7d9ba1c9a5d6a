//! Starts of children by either method, and their handshake.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use crate::error::{SpawnError, StartError, SystemError};
use crate::host::child::{self, Child, SpawnOptions, StartMethod};
use crate::host::fork_server;
use crate::host::socket::{ALWAYS_FITS, BufferedSocket};
use crate::process::group::ProcessGroup;
use crate::process::info;
use crate::sys;
use crate::task::{self, Task};
use crate::wire::codec;
use crate::wire::marker;
use crate::wire::{Role, Setup, TaskName};

/// Starts a child.
pub(crate) fn start(options: &SpawnOptions, name: &str) -> Result<Child, StartError> {
    match options.method {
        StartMethod::ForkServer => fork_server::start(options, name),
        StartMethod::Spawn => {
            let child = child::execute(options, marker::of_child(false))?;
            info::child_started(child.pid, name);
            Ok(child)
        }
    }
}

/// Returns the name of a task on the wire.
///
/// # Errors
///
/// When two tasks of the program have the name.
pub(crate) fn task_name<T: Task>() -> Result<TaskName, SpawnError> {
    let id = task::id_of::<T>();
    if task::is_ambiguous(id) {
        return Err(SpawnError::AmbiguousTask(T::NAME));
    }
    Ok(TaskName {
        id,
        name: T::NAME.to_owned(),
        signature: T::SIGNATURE.to_owned(),
    })
}

/// Encodes the first bytes to a child: its set-up. `replaced`: the standard streams whose descriptors come with it.
pub(crate) fn setup(
    name: &str,
    depth: u32,
    options: &SpawnOptions,
    replaced: [bool; 3],
    role: Role,
) -> Result<Vec<u8>, SystemError> {
    let group = match options.group {
        ProcessGroup::Own => None,
        ProcessGroup::Inherit => Some(
            sys::process_group()
                .map_err(SystemError::new("find the process group of this process"))?,
        ),
    };
    let setup = Setup {
        build: marker::build()?,
        depth,
        name: name.to_owned(),
        parent_name: info::current().name().to_owned(),
        capabilities: sys::capabilities(),
        limits: options.limits.clone(),
        group,
        replaced,
        role,
    };
    let body = codec::to_vec(&setup)
        .map_err(io::Error::other)
        .map_err(SystemError::new("encode a new process's set-up"))?;
    let mut bytes = (body.len() as u32).to_le_bytes().to_vec();
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// Sends a child its handshake with the descriptors that belong to it, and queues the rest of the arguments.
pub(crate) fn send_handshake(
    socket: &mut BufferedSocket,
    handshake: &[u8],
    descriptors: &[BorrowedFd<'_>],
    args: &[u8],
) -> Result<(), SystemError> {
    let mut message = handshake.to_vec();
    message.extend_from_slice(&(args.len() as u64).to_le_bytes());
    let room = ALWAYS_FITS.saturating_sub(message.len()).min(args.len());
    message.extend_from_slice(&args[..room]);
    let (first, rest) = message.split_at(message.len().min(ALWAYS_FITS));
    match sys::send_with_descriptors(socket.as_fd(), first, descriptors) {
        // The child has already ended: its exit status says more than this error.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(SystemError::new("send a new process its handshake")(error));
        }
        _ => {}
    }
    let out = socket.write_buffer();
    out.extend_from_slice(rest);
    out.extend_from_slice(&args[room..]);
    socket.flush();
    Ok(())
}
