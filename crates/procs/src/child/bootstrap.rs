//! The run of a child: from its marker in the environment to its exit code.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;

use crate::child::fork_server;
use crate::child::panic;
use crate::child::worker::{self, FrameReader, Worker};
use crate::process::descendants;
use crate::process::info::{self, ProcessInfo};
use crate::sys;
use crate::task::{self, Entry};
use crate::wire::attachments;
use crate::wire::codec;
use crate::wire::journal::Journal;
use crate::wire::marker::{self, ChildMarker};
use crate::wire::spare::SPARE_NAME;
use crate::wire::{Refusal, Role, Setup, Tag, TaskName};

/// Exit code of a child whose task panicked: that of a Rust program whose `main` panics.
const PANIC_CODE: i32 = 101;

/// Where the crate's entry was called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryPoint {
    /// In `main` or a function that it calls, on the main thread.
    InMain,
    /// On another thread than the main one.
    OnOtherThread,
    /// Before `main`.
    BeforeMain,
}

/// Runs a child from its start to its end. Returns its exit code.
pub(crate) fn run_child(child_marker: &ChildMarker, entry_point: EntryPoint) -> i32 {
    let Ok(stream) = sys::release_stdin().map(UnixStream::from) else {
        return 1;
    };
    let parent = open_parent(child_marker.parent);
    if !child_marker.fork_server {
        lead_process_tree();
    }
    let result = if entry_point == EntryPoint::OnOtherThread {
        refuse(&stream, &Refusal::NotOnMainThread)
    } else if child_marker.fork_server {
        fork_server::serve(stream, parent.as_ref()).and_then(|stream| {
            sys::name_thread(SPARE_NAME);
            exit_if_orphaned(child_marker.parent);
            lead_process_tree();
            // The C library's record of the first thread has the server's thread id here too. The kernel would not release
            // the robust locks that this thread holds when it dies.
            serve_on_new_thread(stream, parent, serve_as_spare)
        })
    } else if entry_point == EntryPoint::BeforeMain {
        serve_on_new_thread(stream, parent, serve)
    } else {
        match watch_on_new_thread(&stream, parent) {
            Ok(()) => serve(&stream),
            Err(error) => report_os_error(&stream, &error),
        }
    };
    exit_code(result)
}

/// Returns the exit code of a child. An I/O error means that the parent has ended or that the stream is corrupt. It cannot
/// be reported, so the process ends at once.
fn exit_code(result: io::Result<i32>) -> i32 {
    result.unwrap_or_else(|_| end_at_once())
}

/// Ends this process and what its tasks have started, without exit handlers.
fn end_at_once() -> ! {
    end_descendants();
    sys::exit_now(1)
}

/// Serves on a new thread of the standard library, which has a name and a guard page. The calling thread watches the parent
/// and does not return.
fn serve_on_new_thread(
    stream: UnixStream,
    parent: Option<OwnedFd>,
    serve: fn(&UnixStream) -> io::Result<i32>,
) -> io::Result<i32> {
    let stream = Arc::new(stream);
    let lifeline = Arc::clone(&stream);
    match fork_server::thread().spawn(move || process::exit(exit_code(serve(&stream)))) {
        Ok(_) => watch(&lifeline, parent.as_ref()),
        Err(error) => report_os_error(&lifeline, &error),
    }
}

/// Watches the parent on a new thread, so that the calling one can serve.
fn watch_on_new_thread(stream: &UnixStream, parent: Option<OwnedFd>) -> io::Result<()> {
    let lifeline = stream.try_clone()?;
    let watcher = thread::Builder::new()
        .name("procs-lifeline".to_owned())
        .stack_size(64 * 1024);
    watcher
        .spawn(move || watch(&lifeline, parent.as_ref()))
        .map(drop)
}

/// Refuses to serve because of an error of the system.
fn report_os_error(stream: &UnixStream, error: &io::Error) -> io::Result<i32> {
    refuse(
        stream,
        &Refusal::SetupFailed(error.raw_os_error().unwrap_or(0)),
    )
}

/// Waits until the parent ends or closes its end of the socket. Then ends all descendants and this process, also in the
/// middle of a task.
fn watch(lifeline: &UnixStream, parent: Option<&OwnedFd>) -> ! {
    sys::await_hang_up(lifeline.as_fd(), parent.map(AsFd::as_fd));
    end_at_once()
}

/// Opens a pidfd of the parent: a forked copy of the parent would keep the socket open beyond the parent's end. `None`:
/// this process has no descriptor left. Ends this process if its parent ended first.
fn open_parent(parent: u32) -> Option<OwnedFd> {
    let pidfd = sys::pidfd_open(parent).ok();
    // Checked after the call, so the number was the parent's during it.
    exit_if_orphaned(parent);
    pidfd
}

/// Ends this process if its parent has ended.
fn exit_if_orphaned(parent: u32) {
    if sys::parent_pid() != parent {
        sys::exit_now(1);
    }
}

/// Makes this process the leader of a process group and a subreaper, and ends its descendants when it exits.
///
/// Signals of the terminal do not reach its group: only the program receives them. A subreaper keeps descendants whose own
/// parents have ended. This process kills them when it exits. Its parent kills them when it kills this process. When this
/// process dies in another way, its parent kills the rest of the group.
fn lead_process_tree() {
    sys::lead_group();
    sys::become_subreaper();
    TREE_LEADER.store(process::id(), Relaxed);
    sys::at_exit(end_descendants);
}

/// The process whose descendants are killed at its exit. A forked copy has another id, so it kills none.
static TREE_LEADER: AtomicU32 = AtomicU32::new(0);

extern "C" fn end_descendants() {
    // Most processes have no children, and a scan of /proc takes longer than the rest of an exit.
    if TREE_LEADER.load(Relaxed) == process::id() && sys::has_children() {
        descendants::kill_descendants(process::id());
    }
}

/// Takes the hand-over of the process that starts this one, and serves it. The other thread only waits for the end of the
/// socket.
fn serve_as_spare(stream: &UnixStream) -> io::Result<i32> {
    match fork_server::take_over(stream)? {
        Ok(()) => serve(stream),
        Err(refusal) => refuse(stream, &refusal),
    }
}

/// The handshake as it has arrived.
struct Handshake {
    setup: Setup,
    /// The encoded arguments of the task or of the initializer.
    args: Vec<u8>,
    descriptors: Vec<OwnedFd>,
    /// Reads what follows the handshake.
    reader: FrameReader,
}

impl Handshake {
    fn receive(stream: &UnixStream) -> io::Result<Self> {
        let mut first = [0; 4096];
        let (count, descriptors) = sys::receive_with_descriptors(stream.as_fd(), &mut first)?;
        let mut reader = FrameReader::new(stream.try_clone()?, &first[..count]);
        let length = reader.u32()? as usize;
        let setup = codec::decode(&reader.bytes(length)?).map_err(io::Error::other)?;
        let length = reader.u64()? as usize;
        Ok(Self {
            setup,
            args: reader.bytes(length)?,
            descriptors,
            reader,
        })
    }
}

/// Serves the parent: applies its handshake, and then runs its tasks. Returns the exit code.
fn serve(stream: &UnixStream) -> io::Result<i32> {
    let mut handshake = Handshake::receive(stream)?;
    let setup = handshake.setup;
    if marker::build().ok() != Some(setup.build) {
        return refuse(stream, &Refusal::BuildDiffers);
    }
    if let Err(error) = apply(&setup, &mut handshake.descriptors) {
        return report_os_error(stream, &error);
    }
    sys::name_thread(&setup.name);
    let parent = ProcessInfo::new(sys::parent_pid(), setup.parent_name);
    info::become_child(setup.name, setup.depth, parent);
    panic::install_hook();
    worker::report_aborts(stream)?;
    marker::mark_initialized();
    let Handshake {
        args,
        descriptors,
        reader,
        ..
    } = handshake;
    match setup.role {
        Role::Once(task) => match lookup(&task) {
            Ok(entry) => run_once(stream, entry, &args, descriptors),
            Err(refusal) => refuse(stream, &refusal),
        },
        Role::Pool(initializer) => match initializer.as_ref().map(lookup).transpose() {
            Ok(initializer) => serve_pool(stream, reader, initializer, &args, descriptors),
            Err(refusal) => refuse(stream, &refusal),
        },
    }
}

/// Applies the process group, limits, standard streams and capabilities of a set-up to this process.
fn apply(setup: &Setup, descriptors: &mut Vec<OwnedFd>) -> io::Result<()> {
    if let Some(group) = setup.group {
        sys::join_group(group)?;
    }
    setup.limits.iter().try_for_each(|limit| limit.apply())?;
    replace_streams(setup.replaced, descriptors)?;
    match setup.capabilities {
        Some(capabilities) => sys::limit_capabilities(capabilities),
        None => Ok(()),
    }
}

/// Runs the initializer, if there is one, and then the tasks of a pool. Returns the exit code.
fn serve_pool(
    stream: &UnixStream,
    reader: FrameReader,
    initializer: Option<&Entry>,
    args: &[u8],
    descriptors: Vec<OwnedFd>,
) -> io::Result<i32> {
    let mut descriptors = descriptors.into_iter();
    let journal = Journal::attach(descriptors.next().ok_or(io::ErrorKind::InvalidData)?)?;
    // The panic hook uses it until the process ends.
    let journal: &'static Journal = Box::leak(Box::new(journal));
    worker::send(stream, Tag::Ready, &[])?;
    if let Some(entry) = initializer
        && let Some(code) = initialize(stream, entry, args, descriptors.collect())?
    {
        return Ok(code);
    }
    worker::send(stream, Tag::Initialized, &[])?;
    Worker::new(reader, stream, journal).serve()?;
    Ok(0)
}

/// Replaces the standard streams that `replaced` names by the first descriptors.
fn replace_streams(replaced: [bool; 3], descriptors: &mut Vec<OwnedFd>) -> io::Result<()> {
    let targets: Vec<_> = (0..).zip(replaced).filter(|(_, is)| *is).collect();
    if targets.len() > descriptors.len() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    targets
        .iter()
        .zip(descriptors.drain(..targets.len()))
        .try_for_each(|((target, _), descriptor)| sys::replace_stream(*target, descriptor.as_fd()))
}

/// Finds a task, and checks that its name and signature are those that the parent sent.
fn lookup(wanted: &TaskName) -> Result<&'static Entry, Refusal> {
    task::find(wanted.id)
        .filter(|entry| entry.name == wanted.name && entry.signature == wanted.signature)
        .ok_or_else(|| Refusal::UnknownTask(wanted.name.clone()))
}

fn refuse(stream: &UnixStream, refusal: &Refusal) -> io::Result<i32> {
    let payload = codec::to_vec(refusal).map_err(io::Error::other)?;
    worker::send(stream, Tag::Refused, &payload)?;
    Ok(1)
}

fn run_once(
    stream: &UnixStream,
    entry: &Entry,
    args: &[u8],
    descriptors: Vec<OwnedFd>,
) -> io::Result<i32> {
    worker::send(stream, Tag::Ready, &[])?;
    let mut payload = Vec::new();
    let tag = attachments::with(descriptors, || worker::run(entry, args, &mut payload));
    worker::send(stream, tag, &payload)?;
    Ok(match tag {
        Tag::Value => 0,
        Tag::Panicked => PANIC_CODE,
        _ => 1,
    })
}

/// Runs a pool's initializer. Returns the exit code if it fails.
fn initialize(
    stream: &UnixStream,
    entry: &Entry,
    args: &[u8],
    descriptors: Vec<OwnedFd>,
) -> io::Result<Option<i32>> {
    let mut payload = Vec::new();
    let tag = attachments::with(descriptors, || worker::run(entry, args, &mut payload));
    if tag == Tag::Value {
        return Ok(None);
    }
    worker::send(stream, tag, &payload)?;
    Ok(Some(PANIC_CODE))
}
