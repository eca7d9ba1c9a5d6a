//! Starts a child by either method, and makes its handshake.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use crate::error::{SpawnError, StartError, SystemError};
use crate::host::child::{self, Child, SpawnOptions, StartMethod};
use crate::host::fork_server;
use crate::process::info;
use crate::sys::{self};
use crate::task::{self, Task};
use crate::wire::codec;
use crate::wire::marker;
use crate::wire::{Role, Setup, TaskName};

/// Starts a child.
pub(crate) fn start(options: &SpawnOptions, name: &str) -> Result<Child, StartError> {
    let child = match options.method {
        StartMethod::ForkServer => fork_server::start(options, name)?,
        StartMethod::Spawn => child::execute(options, marker::of_child(false))?,
    };
    info::child_started(child.pid, name);
    Ok(child)
}

/// A task as it is named on the wire, if the name is unambiguous.
pub(crate) fn name_of<T: Task>() -> Result<TaskName, SpawnError> {
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

/// The first bytes to a child: its set-up. `replaced`: the standard streams whose descriptors come with it.
pub(crate) fn setup(
    name: &str,
    depth: u32,
    options: &SpawnOptions,
    replaced: [bool; 3],
    duty: Role,
) -> Result<Vec<u8>, SystemError> {
    let setup = Setup {
        build: marker::build()?,
        depth,
        name: name.to_owned(),
        parent_name: info::current().name().to_owned(),
        capabilities: sys::capabilities(),
        limits: options.limits.clone(),
        replaced,
        duty,
    };
    let body = codec::to_vec(&setup)
        .map_err(io::Error::other)
        .map_err(SystemError::new("encode a new process's set-up"))?;
    let mut bytes = (body.len() as u32).to_le_bytes().to_vec();
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// Sends a child the descriptors in its arguments, if there are some, with the first bytes of its set-up. Returns how many
/// bytes that were.
pub(crate) fn pass(
    child: &Child,
    greeting: &[u8],
    descriptors: &[OwnedFd],
) -> (usize, Result<(), SystemError>) {
    if descriptors.is_empty() {
        return (0, Ok(()));
    }
    // So few bytes find room in an empty socket.
    let first = &greeting[..size_of::<u32>()];
    let passed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
    match sys::send_with_descriptors(child.stream.as_fd(), first, &passed) {
        Ok(()) => (first.len(), Ok(())),
        // It has ended already; its end says more.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => (0, Ok(())),
        Err(error) => {
            let error = SystemError::new("send descriptors to a new process")(error);
            (0, Err(error))
        }
    }
}

/// The arguments that follow the set-up.
pub(crate) fn put_args(bytes: &mut Vec<u8>, args: &[u8]) {
    bytes.extend_from_slice(&(args.len() as u64).to_le_bytes());
    bytes.extend_from_slice(args);
}
