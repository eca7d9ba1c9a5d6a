//! Configuration and start of a thread.

use super::Thread;
use super::info::ThreadInfo;
use super::packet::{Packet, ScopePanic};
use super::run::Run;
use crate::error::SpawnError;
use crate::unwind::record_locations;
use std::io;
use std::mem;
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
    /// [`SpawnError`], if the system refuses another thread or the name contains a zero byte. `f` is dropped.
    pub fn spawn<F, T>(self, f: F) -> Result<Thread<T>, SpawnError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (packet, system) = self.launch(None, f, |builder, body| builder.spawn(body))?;
        Ok(Thread {
            packet,
            system: Some(system),
        })
    }

    /// Starts the thread with an object whose [`Run::run`] is its body.
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
        let (packet, _) = self.launch(Some(unclaimed), f, |builder, body| {
            builder.spawn_scoped(scope, body)
        })?;
        Ok(packet)
    }

    /// Registers the thread and has `start` start its body.
    fn launch<'a, T: Send + 'a, H>(
        self,
        scope: Option<ScopePanic>,
        f: impl FnOnce() -> T + Send + 'a,
        start: impl FnOnce(std::thread::Builder, Box<dyn FnOnce() + Send + 'a>) -> io::Result<H>,
    ) -> Result<(Arc<Packet<T>>, H), SpawnError> {
        let info = ThreadInfo::register(self.name, self.daemon);
        // Also if the destructor of a refused `f` panics.
        let refused = Unregister(&info);
        let packet = Arc::new(Packet::new(info.clone(), scope));
        let shared = packet.clone();
        let handle = system_builder(&info.name(), self.stack_size)
            .and_then(|builder| start(builder, Box::new(move || shared.run(f))))
            .map_err(|error| SpawnError::new(info.name(), error))?;
        mem::forget(refused);
        Ok((packet, handle))
    }
}

/// Removes a thread from the list that was not started.
struct Unregister<'a>(&'a ThreadInfo);

impl Drop for Unregister<'_> {
    fn drop(&mut self) {
        self.0.unregister();
    }
}

fn system_builder(name: &str, stack_size: Option<usize>) -> io::Result<std::thread::Builder> {
    record_locations();
    if name.contains('\0') {
        // std would panic.
        let kind = io::ErrorKind::InvalidInput;
        return Err(io::Error::new(kind, "the name contains a zero byte"));
    }
    let builder = std::thread::Builder::new().name(name.to_owned());
    Ok(match stack_size {
        Some(bytes) => builder.stack_size(bytes),
        None => builder,
    })
}
