//! What a new process is to be like.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::error::{SpawnError, SystemError};
use crate::host::child::{SpawnOptions, StartMethod};
use crate::host::monitor::{Monitor, MonitoredProcess};
use crate::host::socket::BufferedSocket;
use crate::host::start;
use crate::process::group::ProcessGroup;
use crate::process::limits::Limit;
use crate::process::stdio::Stdio;
use crate::process::{Process, ProcessState};
use crate::task::Task;
use crate::wire::Role;
use crate::wire::attachments;
use crate::wire::marker;

/// Configuration of a new process. Made by [`Process::builder`].
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing before spawn"]
pub struct ProcessBuilder {
    name: Option<String>,
    daemon: bool,
    options: SpawnOptions,
}

impl ProcessBuilder {
    /// Sets the name that [`current`](crate::current) gives in the process and that tools show (its first 15 bytes).
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Ties the process to its handle: dropping the handle kills it. Without this, dropping the handle detaches it.
    pub fn daemon(mut self, daemon: bool) -> Self {
        self.daemon = daemon;
        self
    }

    /// Sets a variable in the environment of the process.
    ///
    /// [`spawn`](Self::spawn) fails with [`SpawnError::Invalid`] when the name is empty or contains `=` or a NUL byte.
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.options.env.push((key.into(), Some(value.into())));
        self
    }

    /// Removes a variable from the environment that the process inherits.
    pub fn env_remove(mut self, key: impl Into<OsString>) -> Self {
        self.options.env.push((key.into(), None));
        self
    }

    /// Sets the working directory of the process.
    pub fn cwd(mut self, directory: impl Into<PathBuf>) -> Self {
        self.options.cwd = Some(directory.into());
        self
    }

    /// Sets the standard input of the process. Default: empty.
    pub fn stdin(mut self, stdin: Stdio) -> Self {
        self.options.streams.0[0] = Some(stdin);
        self
    }

    /// Sets the standard output of the process. Default: this process's.
    pub fn stdout(mut self, stdout: Stdio) -> Self {
        self.options.streams.0[1] = Some(stdout);
        self
    }

    /// Sets the standard error of the process. Default: this process's.
    pub fn stderr(mut self, stderr: Stdio) -> Self {
        self.options.streams.0[2] = Some(stderr);
        self
    }

    /// Sets a limit to what the process may use; several calls set several limits.
    pub fn limit(mut self, limit: Limit) -> Self {
        self.options.limits.push(limit.into());
        self
    }

    /// Sets the process group of the process. Default: [`ProcessGroup::Own`], so that ctrl-c in a terminal does not reach
    /// the process.
    ///
    /// ```
    /// use procs::{Process, ProcessGroup};
    ///
    /// #[procs::task]
    /// fn group() -> String {
    ///     // The fifth field of the line is the process group.
    ///     let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    ///     let (_, fields) = stat.rsplit_once(") ").unwrap();
    ///     fields.split(' ').nth(2).unwrap().to_owned()
    /// }
    ///
    /// #[procs::main]
    /// fn main() {
    ///     let builder = Process::builder().process_group(ProcessGroup::Inherit);
    ///     let mut process = builder.spawn(group, ()).unwrap();
    ///     assert_eq!(process.join().unwrap(), group());
    /// }
    /// ```
    ///
    /// [`spawn`](Self::spawn) fails with [`SpawnError::System`] when the group has no number here, because its leader
    /// is outside this process-id namespace.
    #[doc(alias = "setpgid")]
    pub fn process_group(mut self, group: ProcessGroup) -> Self {
        self.options.group = group;
        self
    }

    /// Sets the start method. Default: [`StartMethod::ForkServer`].
    pub fn start_method(mut self, method: StartMethod) -> Self {
        self.options.method = method;
        self
    }

    /// Starts `task` with `args` in a new process.
    ///
    /// # Errors
    ///
    /// As [`spawn`](crate::spawn).
    pub fn spawn<T: Task>(
        &self,
        _task: T,
        args: T::Args,
    ) -> Result<Process<T::Output>, SpawnError> {
        static COUNTER: AtomicU64 = AtomicU64::new(1);
        let depth = marker::check_can_spawn()?;
        self.options.check()?;
        let mut encoded = Vec::new();
        let (replaced, mut descriptors, pipes) = self
            .options
            .streams
            .open()
            .map_err(SystemError::new("open the streams of a new process"))?;
        let room = attachments::LIMIT - descriptors.len();
        descriptors.extend(attachments::encode(&args, &mut encoded, room)?);
        drop(args);
        let name = match &self.name {
            Some(name) => name.clone(),
            None => format!("Process-{}", COUNTER.fetch_add(1, Relaxed)),
        };
        let greeting = start::setup(
            &name,
            depth,
            &self.options,
            replaced,
            Role::Once(start::task_name::<T>()?),
        )?;
        // First: a process that was started must be watched.
        let monitor = Monitor::get()?;
        let child = start::start(&self.options, &name)?;
        let mut socket = BufferedSocket::new(child.stream);
        let passed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        let greeted = start::send_handshake(&mut socket, &greeting, &passed, &encoded);
        drop(descriptors);
        let state = ProcessState::new(child.pid, child.pidfd);
        if greeted.is_err() {
            state.kill();
        }
        monitor.track(MonitoredProcess::new(state.clone(), socket));
        greeted?;
        Ok(Process::new(state, name, self.daemon, pipes))
    }
}
