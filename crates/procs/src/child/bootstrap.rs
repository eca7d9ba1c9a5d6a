//! A child's life: from its child_marker to its exit code.

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
use crate::wire::{Refusal, Role, Setup, Tag, TaskName};

/// What a child exits with when its task panicked, as a Rust program does.
const PANIC_CODE: i32 = 101;

/// Where the entry was called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryPoint {
    /// In `main` or below; on the main thread or not.
    InMain(bool),
    /// Before `main`.
    BeforeMain,
}

/// A child's whole life. Returns its exit code.
pub(crate) fn live(child_marker: &ChildMarker, place: EntryPoint) -> i32 {
    let Ok(stream) = sys::release_stdin().map(UnixStream::from) else {
        return 1;
    };
    let parent = open_parent(child_marker.parent);
    if !child_marker.fork_server {
        head_tree();
    }
    let result = if place == EntryPoint::InMain(false) {
        refuse(&stream, &Refusal::NotOnMainThread)
    } else if child_marker.fork_server {
        fork_server::serve(stream, parent.as_ref()).and_then(|stream| {
            sys::name_thread("procs-spare");
            exit_if_orphaned(child_marker.parent);
            head_tree();
            // The C library takes the first thread of a duplicate for that of the server: it has the server's thread id, and
            // the kernel does not release the robust locks that it holds when it dies.
            serve_on_new_thread(stream, parent, serve_as_spare)
        })
    } else if place == EntryPoint::BeforeMain {
        serve_on_new_thread(stream, parent, serve)
    } else {
        match watch_on_new_thread(&stream, parent) {
            Ok(()) => serve(&stream),
            Err(error) => refuse_for_want(&stream, &error),
        }
    };
    exit_code(result)
}

/// The exit code of a child. An I/O error means that the parent has ended or that the stream is corrupt: it cannot be
/// reported, and the process ends at once.
fn exit_code(result: io::Result<i32>) -> i32 {
    result.unwrap_or_else(|_| end_at_once())
}

/// Ends this process and what its tasks have started, without the handlers of an ordinary exit.
fn end_at_once() -> ! {
    end_descendants();
    sys::exit_now(1)
}

/// Serves on a thread that the standard library has made, with its name and its guard page. This thread watches the
/// parent meanwhile: it does not return.
fn serve_on_new_thread(
    stream: UnixStream,
    parent: Option<OwnedFd>,
    serve: fn(&UnixStream) -> io::Result<i32>,
) -> io::Result<i32> {
    let stream = Arc::new(stream);
    let lifeline = Arc::clone(&stream);
    match fork_server::thread().spawn(move || process::exit(exit_code(serve(&stream)))) {
        Ok(_) => watch(&lifeline, parent.as_ref()),
        Err(error) => refuse_for_want(&lifeline, &error),
    }
}

/// Watches the parent on another thread: this one serves.
fn watch_on_new_thread(stream: &UnixStream, parent: Option<OwnedFd>) -> io::Result<()> {
    let lifeline = stream.try_clone()?;
    let watcher = thread::Builder::new()
        .name("procs-lifeline".to_owned())
        .stack_size(64 * 1024);
    watcher
        .spawn(move || watch(&lifeline, parent.as_ref()))
        .map(drop)
}

/// The system does not let this process have a thread, or a limit.
fn refuse_for_want(stream: &UnixStream, error: &io::Error) -> io::Result<i32> {
    refuse(
        stream,
        &Refusal::SetupFailed(error.raw_os_error().unwrap_or(0)),
    )
}

/// Waits until the parent ends or closes its end of the socket. Ends all descendants and this process then, also in the middle of a
/// task.
fn watch(lifeline: &UnixStream, parent: Option<&OwnedFd>) -> ! {
    sys::await_hang_up(lifeline.as_fd(), parent.map(AsFd::as_fd));
    end_at_once()
}

/// Opens the parent: a forked copy of it keeps the socket open when it ends. `None`: this process has no descriptor left.
/// Ends this process if its parent ended before it began.
fn open_parent(parent: u32) -> Option<OwnedFd> {
    let pidfd = sys::pidfd_open(parent).ok();
    // After the call: the number was the parent's at that moment.
    exit_if_orphaned(parent);
    pidfd
}

/// Ends this process if its parent ended before it began.
fn exit_if_orphaned(parent: u32) {
    if sys::parent_pid() != parent {
        sys::exit_now(1);
    }
}

/// Keeps what the tasks start below this process, and ends it with this process.
///
/// The process heads a process group, so that signals of the terminal do not reach it: the program decides first. It is a
/// subreaper, so that descendants stay below it whose own parents end. It kills them when it exits; its parent kills them
/// when it kills this process, and what is left in the group when this process dies in another way.
fn head_tree() {
    sys::lead_group();
    sys::become_subreaper();
    HEAD.store(process::id(), Relaxed);
    sys::at_exit(end_descendants);
}

/// The id of the process that heads its tree. A forked copy has another one.
static HEAD: AtomicU32 = AtomicU32::new(0);

extern "C" fn end_descendants() {
    // Most have none, and a look at /proc takes longer than the rest of an exit.
    if HEAD.load(Relaxed) == process::id() && sys::has_children() {
        descendants::kill_descendants(process::id());
    }
}

/// Serves a process that starts this one by a hand-over. The other thread only waits for the end of the socket.
fn serve_as_spare(stream: &UnixStream) -> io::Result<i32> {
    match fork_server::take_over(stream)? {
        Ok(()) => serve(stream),
        Err(refusal) => refuse(stream, &refusal),
    }
}

fn serve(stream: &UnixStream) -> io::Result<i32> {
    let mut first = [0; 4096];
    let (count, mut descriptors) = sys::receive_with_descriptors(stream.as_fd(), &mut first)?;
    let mut reader = FrameReader::new(stream.try_clone()?, &first[..count]);
    let length = reader.u32()? as usize;
    let setup: Setup = codec::decode(&reader.bytes(length)?).map_err(io::Error::other)?;
    let length = reader.u64()? as usize;
    let args = reader.bytes(length)?;
    if marker::build().ok() != Some(setup.build) {
        return refuse(stream, &Refusal::BuildDiffers);
    }
    if let Err(error) = setup.limits.iter().try_for_each(|limit| limit.apply()) {
        return refuse_for_want(stream, &error);
    }
    if let Err(error) = replace_streams(setup.replaced, &mut descriptors) {
        return refuse_for_want(stream, &error);
    }
    if let Some(Err(error)) = setup.capabilities.map(sys::limit_capabilities) {
        return refuse_for_want(stream, &error);
    }
    sys::name_thread(&setup.name);
    let parent = ProcessInfo::new(sys::parent_pid(), setup.parent_name);
    info::become_child(setup.name, setup.depth, parent);
    panic::install_hook();
    worker::report_aborts(stream)?;
    marker::pass();
    match setup.duty {
        Role::Once(name) => match lookup(&name) {
            Ok(entry) => once(stream, entry, &args, descriptors),
            Err(refusal) => refuse(stream, &refusal),
        },
        Role::Pool(initializer) => {
            let mut descriptors = descriptors.into_iter();
            let page = Journal::attach(descriptors.next().ok_or(io::ErrorKind::InvalidData)?)?;
            // It is used until the process ends, also by the panic hook.
            let page: &'static Journal = Box::leak(Box::new(page));
            let initializer = match initializer.as_ref().map(lookup).transpose() {
                Ok(initializer) => initializer,
                Err(refusal) => return refuse(stream, &refusal),
            };
            worker::send(stream, Tag::Ready, &[])?;
            if let Some(entry) = initializer
                && let Some(code) = initialize(stream, entry, &args, descriptors.collect())?
            {
                return Ok(code);
            }
            worker::send(stream, Tag::Initialized, &[])?;
            Worker::new(reader, stream, page).serve()?;
            Ok(0)
        }
    }
}

/// Puts the first descriptors where the standard streams are.
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

/// Finds a task, and checks that it is the one that the parent means.
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

fn once(
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

/// Runs a pool's initializer. Where that fails, returns the code to exit with.
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
