//! How a loop is to be.

use std::{env, io, time::Duration};

use crate::event_loop::EventLoop;

/// Makes an [`EventLoop`] that is not as usual: in debug mode, or on a virtual clock.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// let event_loop = aio::EventLoop::builder().virtual_clock(true).build()?;
/// let begin = Instant::now();
/// event_loop.run_until_complete(aio::sleep(Duration::from_secs(3600)))?;
/// assert!(begin.elapsed() < Duration::from_secs(60), "an hour on the loop's clock only");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is made before build()"]
pub struct LoopBuilder {
    debug: bool,
    slow_step: Option<Duration>,
    virtual_clock: bool,
}

impl LoopBuilder {
    pub(crate) fn new() -> Self {
        let debug = env::var_os("AIO_DEBUG").is_some_and(|value| !value.is_empty() && value != "0");
        LoopBuilder {
            debug,
            slow_step: None,
            virtual_clock: false,
        }
    }

    /// In debug mode steps that take 100 ms or longer are reported with the place that created their task, a step that
    /// lasts longer than a second is named on standard error while it lasts, and
    /// [`task_tree`](EventLoop::task_tree) knows who waits for whom, which SIGUSR1 prints. Off, unless the environment
    /// has `AIO_DEBUG=1`.
    pub fn debug(mut self, on: bool) -> Self {
        self.debug = on;
        self
    }

    /// How long a step may take in debug mode before it is reported: 100 ms unless set otherwise.
    pub fn slow_step(mut self, limit: Duration) -> Self {
        self.slow_step = Some(limit);
        self
    }

    /// For tests: time stands still while anything is ready, and jumps to the next timer when nothing is. Sockets are
    /// looked at before each jump, but nothing waits for them.
    pub fn virtual_clock(mut self, on: bool) -> Self {
        self.virtual_clock = on;
        self
    }

    /// Makes the loop.
    ///
    /// # Errors
    ///
    /// As [`EventLoop::new`].
    pub fn build(self) -> io::Result<EventLoop> {
        let event_loop = EventLoop::with_clock(self.virtual_clock)?;
        event_loop.set_debug(self.debug);
        if let Some(limit) = self.slow_step {
            event_loop.set_slow_step(limit);
        }
        Ok(event_loop)
    }
}
