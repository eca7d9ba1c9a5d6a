//! Configuration and start of a thread.

use super::Thread;
use super::info::ThreadInfo;
use super::packet::{Packet, ScopePanic};
use super::run::Run;
use crate::error::SpawnError;
use std::io;
use std::sync::Arc;

/// The properties of a thread to be started. Made by [`Thread::builder`].
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing before spawn"]
pub struct ThreadBuilder {
    name: Option<String>,
    stack_size: Option<usize>,
    daemon: Option<bool>,
}

impl ThreadBuilder {
    /// Names the thread. The system's tools show the first 15 bytes.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the size of the thread's stack in bytes; without it, it is 2 MiB. The system rounds up.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Says whether the thread is a daemon: one that [`run_main`](crate::run_main) does not wait for.
    /// Without it, the thread is what its maker is; the main thread is none.
    pub fn daemon(mut self, daemon: bool) -> Self {
        self.daemon = Some(daemon);
        self
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// [`SpawnError`], if the system refuses another thread or the name contains a zero byte.
    pub fn spawn<F, T>(self, f: F) -> Result<Thread<T>, SpawnError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let info = ThreadInfo::register(self.name, self.daemon);
        let packet = Arc::new(Packet::new(info, None));
        let shared = packet.clone();
        let builder = system_builder(packet.info(), self.stack_size)?;
        match builder.spawn(move || shared.run(f)) {
            Ok(system) => Ok(Thread {
                packet,
                system: Some(system),
            }),
            Err(error) => Err(refused(packet.info(), error)),
        }
    }

    /// Starts the thread with an object that knows what to do.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    pub fn start<R: Run>(self, runner: R) -> Result<Thread<R::Output>, SpawnError> {
        self.spawn(move || runner.run())
    }

    /// Starts a thread of a scope.
    pub(crate) fn spawn_scoped<'scope, T: Send + 'scope>(
        self,
        scope: &'scope std::thread::Scope<'scope, '_>,
        unclaimed: ScopePanic,
        f: impl FnOnce() -> T + Send + 'scope,
    ) -> Result<Arc<Packet<T>>, SpawnError> {
        let info = ThreadInfo::register(self.name, self.daemon);
        let packet = Arc::new(Packet::new(info, Some(unclaimed)));
        let shared = packet.clone();
        let builder = system_builder(packet.info(), self.stack_size)?;
        match builder.spawn_scoped(scope, move || shared.run(f)) {
            Ok(_) => Ok(packet),
            Err(error) => Err(refused(packet.info(), error)),
        }
    }
}

fn system_builder(
    info: &ThreadInfo,
    stack_size: Option<usize>,
) -> Result<std::thread::Builder, SpawnError> {
    let name = info.name();
    if name.contains('\0') {
        // std would panic.
        let error = io::Error::new(io::ErrorKind::InvalidInput, "the name contains a zero byte");
        return Err(refused(info, error));
    }
    let builder = std::thread::Builder::new().name(name.to_owned());
    Ok(match stack_size {
        Some(bytes) => builder.stack_size(bytes),
        None => builder,
    })
}

fn refused(info: &ThreadInfo, error: io::Error) -> SpawnError {
    info.unregister();
    SpawnError::new(info.name(), error)
}
