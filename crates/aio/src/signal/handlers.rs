//! Callbacks for signals.

use std::{cell::RefCell, collections::BTreeMap, io, rc::Rc};

use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
};

use super::disposition::Listening;
use crate::{event_loop::EventLoop, handle::Call, recurring::Recurring};

/// A loop's callbacks, by the number of their signal.
#[derive(Default)]
pub(crate) struct Handlers(RefCell<BTreeMap<i32, Handler>>);

struct Handler {
    call: Rc<Recurring>,
    listener: JoinHandle<()>,
    _listening: Listening,
}

impl Drop for Handler {
    fn drop(&mut self) {
        self.call.cancel();
        self.listener.abort();
    }
}

impl Handlers {
    pub(crate) fn clear(&self) {
        let handlers = self.0.take();
        drop(handlers);
    }
}

impl EventLoop {
    /// Calls `callback` in the loop each time the signal comes; several that come at once count as one. It takes the
    /// place of an earlier callback for the same signal, of what the signal does by default, and for SIGINT of what
    /// [`run`](crate::run) does. What comes while the loop does not run waits for the next run.
    ///
    /// A callback that holds the loop keeps it alive until it is removed or the loop is closed.
    ///
    /// # Errors
    ///
    /// For a signal that cannot be handled, such as SIGKILL, and when the loop is closed.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// use aio::SignalKind;
    ///
    /// let event_loop = aio::EventLoop::new()?;
    /// let seen = Rc::new(Cell::new(false));
    /// let flag = seen.clone();
    /// event_loop.add_signal_handler(SignalKind::window_change(), move || flag.set(true))?;
    /// event_loop.run_until_complete(async { aio::yield_now().await })?;
    /// assert!(!seen.get(), "the window keeps its size");
    /// assert!(event_loop.remove_signal_handler(SignalKind::window_change()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn add_signal_handler(
        &self,
        kind: SignalKind,
        callback: impl FnMut() + 'static,
    ) -> io::Result<()> {
        let call = Recurring::new(callback);
        let (engine, called) = (self.core().engine().clone(), call.clone());
        let listener = self.core().beside(|| {
            let mut signals = signal(kind)?;
            Ok(async move {
                while signals.recv().await.is_some() {
                    called.call_soon(&engine);
                }
            })
        })?;
        let number = kind.as_raw_value();
        let handler = Handler {
            call,
            listener,
            _listening: Listening::begin(number),
        };
        let before = self
            .core()
            .signal_handlers
            .0
            .borrow_mut()
            .insert(number, handler);
        drop(before);
        Ok(())
    }

    /// Calls nothing more for the signal; it does again what it does by default. False when there was no callback.
    pub fn remove_signal_handler(&self, kind: SignalKind) -> bool {
        let mut handlers = self.core().signal_handlers.0.borrow_mut();
        let removed = handlers.remove(&kind.as_raw_value());
        drop(handlers);
        removed.is_some()
    }
}
