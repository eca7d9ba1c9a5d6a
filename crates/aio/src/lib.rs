//! Python's asyncio and aiohttp for Rust: an event loop, tasks, streams and HTTP on tokio.

mod combine;
mod current;
pub mod echo;
mod error;
mod event_loop;
mod executor;
mod handle;
#[cfg(feature = "http")]
pub mod http;
mod loop_handle;
mod main_future;
mod remote;
mod remote_task;
mod report;
mod runner;
mod signal;
mod sleep;
mod stream;
mod task;
mod timer;

pub use combine::{Gather, GatherSettled, WaitFor, gather, gather_settled, wait_for};
pub use error::{
    Cancelled, LoopClosed, LoopRunning, NoRunningLoop, Panicked, ReadError, RunError, TaskError,
    TimedOut,
};
pub use event_loop::{EventLoop, get_running_loop};
pub use handle::{Handle, TimerHandle};
pub use loop_handle::LoopHandle;
pub use remote_task::RemoteTask;
pub use report::ExceptionContext;
pub use runner::run;
pub use signal::{ShutdownSignal, shutdown_signal};
pub use sleep::{Sleep, YieldNow, sleep, sleep_until, yield_now};
pub use stream::{Outcome, Server, StreamReader, StreamWriter, open_connection, start_server};
pub use task::{Task, TaskRef, create_task, current_task};
