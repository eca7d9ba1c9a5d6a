//! What a loop is made of.

use std::{cell::RefCell, io, rc::Rc, time::Duration};

use tokio::{
    runtime::{Builder, Handle as TokioHandle, LocalOptions, LocalRuntime},
    task::JoinHandle,
};

use crate::{
    error::{LoopClosed, LoopRunning},
    executor::Engine,
    signal::Handlers,
    watch::Watches,
};

/// How long `close` waits for work on the blocking pool before it lets go of it.
const BLOCKING_PATIENCE: Duration = Duration::from_secs(5);

/// The engine and the tokio runtime it runs in. Tasks hold the engine alone, so a loop whose handles are gone closes.
pub(crate) struct LoopCore {
    pub(crate) engine: Rc<Engine>,
    /// Borrowed for as long as the loop runs; `None` once it is closed.
    pub(crate) runtime: RefCell<Option<LocalRuntime>>,
    pub(crate) signal_handlers: Handlers,
    pub(crate) watches: Watches,
}

impl LoopCore {
    pub(crate) fn new(virtual_clock: bool) -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())?;
        Ok(LoopCore {
            engine: Engine::new(virtual_clock),
            runtime: RefCell::new(Some(runtime)),
            signal_handlers: Handlers::default(),
            watches: Watches::default(),
        })
    }

    pub(crate) fn engine(&self) -> &Rc<Engine> {
        &self.engine
    }

    /// Calls `f` within the runtime, where tokio's functions find it.
    pub(crate) fn within<R>(&self, f: impl FnOnce() -> R) -> Result<R, LoopClosed> {
        let runtime = self.runtime.try_borrow().map_err(|_| LoopClosed)?;
        let _entered = runtime.as_ref().ok_or(LoopClosed)?.enter();
        Ok(f())
    }

    /// Spawns a future on tokio's side, so that it is no task of the loop. `make` may register sockets and signals.
    pub(crate) fn beside<F>(
        &self,
        make: impl FnOnce() -> io::Result<F>,
    ) -> io::Result<JoinHandle<()>>
    where
        F: Future<Output = ()> + 'static,
    {
        let runtime = self.runtime.try_borrow().map_err(|_| LoopClosed)?;
        let runtime = runtime.as_ref().ok_or(LoopClosed)?;
        let guard = runtime.enter();
        let future = make()?;
        drop(guard);
        Ok(runtime.spawn_local(future))
    }

    pub(crate) fn close(&self) -> Result<(), LoopRunning> {
        let Ok(mut runtime) = self.runtime.try_borrow_mut() else {
            return Err(LoopRunning);
        };
        let Some(runtime) = runtime.take() else {
            return Ok(());
        };
        // Destructors may still use tokio; and within a foreign runtime, waiting for the blocking pool would panic.
        let within_foreign_runtime = TokioHandle::try_current().is_ok();
        let guard = runtime.enter();
        self.signal_handlers.clear();
        self.watches.clear();
        self.engine.close();
        drop(guard);
        if within_foreign_runtime {
            runtime.shutdown_background();
        } else {
            runtime.shutdown_timeout(BLOCKING_PATIENCE);
        }
        Ok(())
    }
}

impl Drop for LoopCore {
    fn drop(&mut self) {
        // It cannot be running: a run holds a clone of it.
        let _ = self.close();
    }
}
