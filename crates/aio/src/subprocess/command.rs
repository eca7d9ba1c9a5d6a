//! What is to be started, and how.

use std::{ffi::OsStr, fmt, io, path::Path, process::Stdio};

use tokio::process::Command;

use super::process::Process;
use crate::current;

/// A program with its arguments, to be started with [`Subprocess::spawn`]. No shell is involved: the arguments arrive as
/// they are.
///
/// ```
/// use aio::create_subprocess_exec;
/// use std::process::Stdio;
///
/// let output = aio::run(async {
///     let mut sort = create_subprocess_exec("sort", ["-r"])
///         .stdin(Stdio::piped())
///         .stdout(Stdio::piped())
///         .spawn()?;
///     sort.communicate(b"a\nc\nb\n").await
/// })??;
/// assert!(output.status.success());
/// assert_eq!(output.stdout, b"c\nb\na\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn create_subprocess_exec<A: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = A>,
) -> Subprocess {
    let mut command = Command::new(program);
    command.args(arguments);
    Subprocess {
        command,
        own_group: false,
        kill_on_drop: false,
    }
}

/// A script for the system's shell, `/bin/sh -c`, to be started with [`Subprocess::spawn`]. Whatever of the script comes
/// from others can run any program: quote it, or better use [`create_subprocess_exec`].
///
/// ```
/// use aio::create_subprocess_shell;
/// use std::process::Stdio;
///
/// let output = aio::run(async {
///     let mut shell = create_subprocess_shell("echo one; exit 3").stdout(Stdio::piped()).spawn()?;
///     shell.communicate(b"").await
/// })??;
/// assert_eq!((output.status.code(), &output.stdout[..]), (Some(3), &b"one\n"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn create_subprocess_shell(script: impl AsRef<OsStr>) -> Subprocess {
    create_subprocess_exec("/bin/sh", [OsStr::new("-c"), script.as_ref()])
}

/// What is to be started, and how; made by [`create_subprocess_exec`] and [`create_subprocess_shell`].
///
/// Unless set otherwise, the program shares this one's input, outputs, surroundings and folder.
#[must_use = "nothing is started before spawn()"]
pub struct Subprocess {
    command: Command,
    own_group: bool,
    kill_on_drop: bool,
}

impl Subprocess {
    /// Where its input comes from: `Stdio::piped()` for [`Process::stdin`], `Stdio::null()` for none, a file.
    pub fn stdin(mut self, from: impl Into<Stdio>) -> Self {
        self.command.stdin(from);
        self
    }

    /// Where its output goes: `Stdio::piped()` for [`Process::stdout`], `Stdio::null()` for nowhere, a file.
    pub fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.command.stdout(to);
        self
    }

    /// Where its errors go, as [`stdout`](Subprocess::stdout).
    pub fn stderr(mut self, to: impl Into<Stdio>) -> Self {
        self.command.stderr(to);
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Takes a variable out of its environment.
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Begins with an empty environment.
    pub fn env_clear(mut self) -> Self {
        self.command.env_clear();
        self
    }

    /// The folder it starts in.
    pub fn current_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Makes it the head of a process group of its own: signals that are sent to it reach what it has started, too, and
    /// the terminal's ctrl-c does not. Without, killing a shell leaves its pipeline running.
    pub fn own_group(mut self, on: bool) -> Self {
        self.own_group = on;
        if on {
            self.command.process_group(0);
        }
        self
    }

    /// Kills it when its [`Process`] is dropped, or the loop closed, before it has ended: also when the task that waits for
    /// it is cancelled or runs out of time. Unless set, it goes on by itself.
    pub fn kill_on_drop(mut self, on: bool) -> Self {
        self.kill_on_drop = on;
        self.command.kill_on_drop(on);
        self
    }

    /// Starts it.
    ///
    /// # Errors
    ///
    /// When there is no such program, or the system refuses to start it: the text names it. Outside a loop, an error that
    /// wraps [`NoRunningLoop`](crate::NoRunningLoop).
    pub fn spawn(mut self) -> io::Result<Process> {
        let core = current::core()?;
        let child = self.command.spawn().map_err(|error| {
            let program = self.command.as_std().get_program();
            let text = format!("cannot start {}: {error}", program.display());
            io::Error::new(error.kind(), text)
        })?;
        Process::watch(&core, child, self.own_group, self.kill_on_drop)
    }
}

impl fmt::Debug for Subprocess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subprocess")
            .field("command", self.command.as_std())
            .field("own_group", &self.own_group)
            .field("kill_on_drop", &self.kill_on_drop)
            .finish()
    }
}
