//! What ctrl-c does to `run`: once, the main coroutine is cancelled; twice, the program ends as it does by default.

use std::{cell::Cell, fs, rc::Rc, sync::OnceLock, thread};

use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
};

use super::disposition::Once;
use crate::event_loop::EventLoop;

/// Whether SIGINT came. Hears it as long as it lives.
pub(crate) struct Interrupt {
    came: Rc<Cell<bool>>,
    listener: Option<JoinHandle<()>>,
}

impl Interrupt {
    /// Calls `interrupted` when SIGINT comes, unless somebody else listens for it, or the program was started to ignore
    /// it. As in asyncio, only the main thread's run does so.
    pub(crate) fn listen(event_loop: &EventLoop, interrupted: impl Fn() + 'static) -> Self {
        let came = Rc::new(Cell::new(false));
        let kind = SignalKind::interrupt();
        let is_main_thread = thread::current().name() == Some("main");
        let once = if is_main_thread && !ignored_from_the_start() {
            // A system that refuses the handler leaves ctrl-c what it was.
            Once::begin(kind.as_raw_value()).ok().flatten()
        } else {
            None
        };
        let seen = came.clone();
        let listener = once.and_then(|once| {
            let listener = event_loop.core().beside(|| {
                let mut signals = signal(kind)?;
                Ok(async move {
                    while signals.recv().await.is_some() {
                        if once.holds() {
                            seen.set(true);
                            interrupted();
                        }
                    }
                })
            });
            listener.ok()
        });
        Interrupt { came, listener }
    }

    pub(crate) fn came(&self) -> bool {
        self.came.get()
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
    }
}

/// Whether SIGINT was ignored when this was first asked, as for a shell's background jobs.
fn ignored_from_the_start() -> bool {
    static IGNORED: OnceLock<bool> = OnceLock::new();
    *IGNORED.get_or_init(|| {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        let bit = SignalKind::interrupt().as_raw_value() - 1;
        mask.is_some_and(|mask| mask >> bit & 1 == 1)
    })
}
