//! The entry of a program: tells an ordinary start from that of a child, and turns a child to its duty.
//!
//! A child is recognised by an environment variable *and* by its standard input: a socket that the process named in the
//! variable made. Programs that a task runs inherit the variable, but not the socket, and start as usual.

use std::env;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use crate::error::{SpawnError, SystemError};
use crate::info::{self, ProcessInfo};
use crate::page::Page;
use crate::panic;
use crate::sys;
use crate::task::{self, Entry};
use crate::wire::{Duty, Refusal, Setup, Tag, TaskName};
use crate::worker::{self, Inlet, Worker};

/// Marks a child; holds the pid of its parent.
pub(crate) const MARKER: &str = "PROCS_CHILD_OF";

/// How deep processes may nest. Deeper is a runaway recursion rather than a plan.
pub(crate) const MAX_DEPTH: u32 = 16;

/// What a child exits with when its task panicked, as a Rust program does.
const PANIC_CODE: i32 = 101;

/// Whether this process has passed the entry.
static PASSED: AtomicBool = AtomicBool::new(false);

/// Makes this program able to start processes of itself. Call it first in `main`.
///
/// A process starts by running this same program again. In such a child `init` does not return: it runs the task that
/// the parent asked for and exits. In an ordinary start it only notes that it was called, and returns at once; without
/// that note nothing can be spawned ([`SpawnError::InitMissing`]), so that a forgotten `init` is an error and not an
/// endless chain of programs that start each other.
///
/// What stands before the call is done by every child too: argument parsing, log set-up, threads. It must be called on
/// the main thread; elsewhere it does nothing. [`#[procs::main]`](macro@crate::main) calls it for you, and
/// [`test_support!`](crate::test_support) does the same in a test file, which has no `main` of its own.
///
/// ```
/// #[procs::task]
/// fn double(n: u32) -> u32 {
///     2 * n
/// }
///
/// fn main() {
///     procs::init();
///     let mut process = procs::spawn(double, 21).unwrap();
///     assert_eq!(process.join().unwrap(), 42);
/// }
/// ```
pub fn init() {
    match summons() {
        Some(parent) => process::exit(obey(parent, sys::is_main_thread())),
        None if sys::is_main_thread() => PASSED.store(true, Relaxed),
        None => {}
    }
}

/// What [`test_support!`](crate::test_support) runs before `main`.
///
/// Rust's runtime has not started yet, so it must be done by hand what the runtime does for `main`: SIGPIPE is ignored,
/// and the task runs on a thread of the standard library, which has a name and a guard page.
pub extern "C" fn before_main() {
    let Some(parent) = summons() else {
        PASSED.store(true, Relaxed);
        return;
    };
    sys::ignore_sigpipe();
    let child = thread::Builder::new()
        .name("main".to_owned())
        .stack_size(8 << 20)
        .spawn(move || obey(parent, true));
    let code = child.ok().and_then(|child| child.join().ok());
    process::exit(code.unwrap_or(1));
}

/// The parent that started this process to do a duty, if one did and the duty is still to be done.
fn summons() -> Option<u32> {
    let parent = env::var(MARKER).ok()?.parse().ok()?;
    let stdin = io::stdin();
    let stdin = stdin.as_fd();
    (sys::is_unix_stream(stdin) && sys::peer_pid(stdin) == Some(parent)).then_some(parent)
}

/// May this process start others? Returns how deep they would be.
pub(crate) fn permit() -> Result<u32, SpawnError> {
    if !PASSED.load(Relaxed) {
        return Err(if summons().is_some() {
            SpawnError::InitSkipped
        } else {
            SpawnError::InitMissing
        });
    }
    let depth = info::depth() + 1;
    if depth > MAX_DEPTH {
        Err(SpawnError::TooDeep(MAX_DEPTH))
    } else {
        Ok(depth)
    }
}

/// A number that differs between builds: of the running file, even if it was replaced on disk, and of its tasks.
pub(crate) fn build() -> Result<u64, SystemError> {
    static BUILD: OnceLock<u64> = OnceLock::new();
    if let Some(build) = BUILD.get() {
        return Ok(*build);
    }
    let file = fs::metadata("/proc/self/exe")
        .map_err(SystemError::new("find this program's file in /proc"))?;
    let parts = [
        file.dev(),
        file.ino(),
        file.size(),
        file.mtime().cast_unsigned(),
        file.mtime_nsec().cast_unsigned(),
    ];
    let build = parts.iter().fold(task::table_hash(), |hash, part| {
        (hash.rotate_left(7) ^ part).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    });
    Ok(*BUILD.get_or_init(|| build))
}

/// A child's whole life. Returns its exit code.
fn obey(parent: u32, placed_well: bool) -> i32 {
    let Ok(socket) = sys::release_stdin() else {
        return 1;
    };
    // The parent's keeper thread, which started us, lives as long as the parent; the socket is there for a parent that
    // died before this call, or whose status is not ours to watch.
    sys::die_with_parent();
    if sys::parent_pid() != parent {
        sys::exit_now(1);
    }
    let stream = UnixStream::from(socket);
    match serve(&stream, placed_well) {
        Ok(code) => code,
        // The parent has gone, or speaks another language: there is nobody to tell.
        Err(_) => sys::exit_now(1),
    }
}

fn serve(stream: &UnixStream, placed_well: bool) -> io::Result<i32> {
    if !placed_well {
        return refuse(stream, &Refusal::NotOnMainThread);
    }
    worker::watch_parent(stream)?;
    let mut first = [0; 4096];
    let (count, descriptor) = sys::receive_with_descriptor(stream.as_fd(), &mut first)?;
    let mut inlet = Inlet::new(stream.try_clone()?, &first[..count]);
    let length = inlet.u32()? as usize;
    let setup: Setup = postcard::from_bytes(&inlet.bytes(length)?).map_err(io::Error::other)?;
    let length = inlet.u64()? as usize;
    let args = inlet.bytes(length)?;
    if build().ok() != Some(setup.build) {
        return refuse(stream, &Refusal::BuildDiffers);
    }
    sys::name_thread(&setup.name);
    info::become_child(
        setup.name,
        setup.depth,
        ProcessInfo::new(sys::parent_pid(), setup.parent_name),
    );
    panic::install_hook();
    PASSED.store(true, Relaxed);
    match setup.duty {
        Duty::Once(name) => match lookup(&name) {
            Ok(entry) => once(stream, entry, &args),
            Err(refusal) => refuse(stream, &refusal),
        },
        Duty::Pool(initializer) => {
            let page = descriptor.ok_or(io::ErrorKind::InvalidData)?;
            pool(
                stream,
                inlet,
                &Page::attach(page)?,
                initializer.as_ref(),
                &args,
            )
        }
    }
}

/// Finds a task, and checks that it is the one that the parent means.
fn lookup(wanted: &TaskName) -> Result<&'static Entry, Refusal> {
    task::find(wanted.id)
        .filter(|entry| entry.name == wanted.name && entry.signature == wanted.signature)
        .ok_or_else(|| Refusal::UnknownTask(wanted.name.clone()))
}

fn refuse(stream: &UnixStream, refusal: &Refusal) -> io::Result<i32> {
    let payload = postcard::to_stdvec(refusal).map_err(io::Error::other)?;
    worker::send(stream, Tag::Refused, &payload)?;
    Ok(1)
}

fn once(stream: &UnixStream, entry: &Entry, args: &[u8]) -> io::Result<i32> {
    worker::send(stream, Tag::Ready, &[])?;
    let mut payload = Vec::new();
    let tag = worker::run(entry, args, &mut payload);
    worker::send(stream, tag, &payload)?;
    Ok(match tag {
        Tag::Value => 0,
        Tag::Panicked => PANIC_CODE,
        _ => 1,
    })
}

fn pool(
    stream: &UnixStream,
    inlet: Inlet,
    page: &Page,
    initializer: Option<&TaskName>,
    args: &[u8],
) -> io::Result<i32> {
    let initializer = match initializer.map(lookup).transpose() {
        Ok(initializer) => initializer,
        Err(refusal) => return refuse(stream, &refusal),
    };
    worker::send(stream, Tag::Ready, &[])?;
    let mut payload = Vec::new();
    if let Some(entry) = initializer {
        let tag = worker::run(entry, args, &mut payload);
        if tag != Tag::Value {
            worker::send(stream, tag, &payload)?;
            return Ok(PANIC_CODE);
        }
    }
    worker::send(stream, Tag::Initialized, &[])?;
    // Both records were empty: a tag and a length byte each.
    Worker::new(inlet, stream, page, 4).serve()?;
    Ok(0)
}
