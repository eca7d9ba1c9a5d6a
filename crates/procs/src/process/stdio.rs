//! Standard streams of a process.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use crate::sys;

/// The source of a process's standard input, or the target of its standard output or error. See
/// [`ProcessBuilder::stdout`](crate::ProcessBuilder::stdout).
///
/// ```
/// use std::io::Read;
///
/// use procs::{Process, Stdio};
///
/// #[procs::task]
/// fn greet() {
///     println!("hello");
/// }
///
/// #[procs::main]
/// fn main() {
///     let builder = Process::builder().stdout(Stdio::piped());
///     let mut process = builder.spawn(greet, ()).unwrap();
///     let mut text = String::new();
///     process.take_stdout().unwrap().read_to_string(&mut text).unwrap();
///     assert_eq!(text, "hello\n");
///     process.join().unwrap();
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a stream does nothing unless it is given to a builder"]
pub struct Stdio(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Inherit,
    Null,
    Piped,
    File(Arc<OwnedFd>),
}

impl Stdio {
    /// Uses the stream that this process has at the moment of the start. If it is closed, uses the null device.
    pub fn inherit() -> Self {
        Self(Kind::Inherit)
    }

    /// Uses the null device: reads return end of file, writes are discarded.
    pub fn null() -> Self {
        Self(Kind::Null)
    }

    /// Makes a pipe, whose other end is on the handle: [`Process::take_stdin`](crate::Process::take_stdin) and the
    /// like.
    ///
    /// The process blocks once the pipe (64 KiB) is full: read to end of file before joining.
    pub fn piped() -> Self {
        Self(Kind::Piped)
    }

    /// Uses a file, a socket or another owner of a descriptor. Processes that are made with it share its position.
    pub fn file(owner: impl Into<OwnedFd>) -> Self {
        Self(Kind::File(Arc::new(owner.into())))
    }
}

/// The streams of a new process; `None`: the default, an empty input and this process's outputs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streams(pub(crate) [Option<Stdio>; 3]);

/// This side's ends of the pipes.
#[derive(Debug, Default)]
pub(crate) struct Pipes {
    pub(crate) stdin: Option<PipeWriter>,
    pub(crate) stdout: Option<PipeReader>,
    pub(crate) stderr: Option<PipeReader>,
}

impl Streams {
    /// Opens the streams. Returns which of the three are replaced, and by what.
    pub(crate) fn open(&self) -> io::Result<([bool; 3], Vec<OwnedFd>, Pipes)> {
        let mut pipes = Pipes::default();
        let mut replaced = [false; 3];
        let mut descriptors = Vec::new();
        for (number, stdio) in self.0.iter().enumerate() {
            let Some(Stdio(kind)) = stdio else { continue };
            let descriptor = match kind {
                // The outputs are inherited by default.
                Kind::Inherit if number > 0 => continue,
                Kind::Inherit => inherited_input()?,
                Kind::Null => null(number > 0)?,
                Kind::File(file) => file.try_clone()?,
                Kind::Piped => pipe(number, &mut pipes)?,
            };
            replaced[number] = true;
            descriptors.push(descriptor);
        }
        Ok((replaced, descriptors, pipes))
    }
}

fn null(write: bool) -> io::Result<OwnedFd> {
    let file = File::options()
        .read(!write)
        .write(write)
        .open("/dev/null")?;
    sys::above_standard(file.into())
}

/// Returns the standard input of this process, or an empty one if it is closed.
fn inherited_input() -> io::Result<OwnedFd> {
    let stdin = io::stdin();
    if sys::is_inherited(stdin.as_fd()) {
        stdin.as_fd().try_clone_to_owned()
    } else {
        sys::empty_input()
    }
}

/// Makes a pipe. Returns the child's end.
fn pipe(number: usize, pipes: &mut Pipes) -> io::Result<OwnedFd> {
    let (reader, writer) = sys::pipe()?;
    if number == 0 {
        pipes.stdin = Some(writer);
        return Ok(reader.into());
    }
    let ours = if number == 1 {
        &mut pipes.stdout
    } else {
        &mut pipes.stderr
    };
    *ours = Some(reader);
    Ok(writer.into())
}
