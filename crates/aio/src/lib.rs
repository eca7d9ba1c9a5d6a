//! Python's asyncio and aiohttp for Rust: an event loop, tasks, streams and HTTP on tokio.
//!
//! ```
//! use std::time::Duration;
//!
//! async fn say_after(delay: Duration, what: &'static str) -> &'static str {
//!     aio::sleep(delay).await;
//!     what
//! }
//!
//! let said = aio::run(async {
//!     let hello = aio::create_task(say_after(Duration::from_millis(20), "hello"));
//!     let world = aio::create_task(say_after(Duration::from_millis(10), "world"));
//!     aio::gather([hello, world]).await
//! })??;
//! assert_eq!(said, ["hello", "world"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - **The loop**: [`run`] for a program's main coroutine; [`EventLoop`] ([`LoopBuilder`]) with [`Handle`] and [`TimerHandle`] for
//!   callbacks, [`LoopHandle`] and [`RemoteTask`] for other threads; [`get_running_loop`], [`ExceptionContext`].
//! - **Several loops**: [`run_per_core`], [`run_loops`], [`Core`]; [`SharedListener`] for an address that all of them serve.
//! - **Tasks**: [`create_task`], [`spawn_eager`], [`Task`], [`TaskRef`], [`Outcome`], [`current_task`],
//!   [`on_cancel`], [`shield`]; [`task_group`] and [`TaskGroup`] for tasks that fail together, [`scope`] for children
//!   that borrow.
//! - **Waiting**: [`sleep`], [`yield_now`], [`create_future`], [`gather`], [`gather_settled`], [`as_completed`], [`wait`],
//!   [`wait_for`], [`timeout`].
//! - **Async generators**: [`async_generator`], [`AsyncGenerator`], [`Yielder`]; a `Stream` with the feature `stream`.
//! - **Off the loop**: [`to_thread`]; [`EventLoop::run_in_executor`] with [`Threads`] or any [`Executor`].
//! - **Sync**: [`sync`]'s `Lock`, `Event`, `Condition`, `Semaphore`, `Barrier`, and its queues.
//! - **Streams**: [`open_connection`], [`start_server`], [`StreamReader`], [`StreamWriter`], [`Server`], [`echo`];
//!   [`open_unix_connection`], [`start_unix_server`], [`UCred`]; [`DatagramEndpoint`].
//! - **Protocols**: [`Protocol`] and [`Transport`], with [`create_connection`], [`create_server`],
//!   [`create_unix_connection`], [`create_unix_server`].
//! - **Other programs**: [`create_subprocess_exec`], [`create_subprocess_shell`], [`Subprocess`], [`Process`].
//! - **Signals**: [`shutdown_signal`], [`EventLoop::add_signal_handler`], [`SignalKind`]; ctrl-c cancels [`run`].
//! - **TLS** (feature `tls`): the module `tls`.
//! - **HTTP** (features `http`, `client`, `ws` and others): the module `http`.
//!
//! Everything stays on one thread, so nothing need be `Send`. Libraries for tokio work inside a loop: it runs within
//! tokio's `LocalRuntime`.

mod alarm;
mod catch;
mod clock;
mod current;
mod debug;
mod executor;
mod loop_core;
mod main_future;
mod recurring;
mod remote;
mod timer;
mod watch;

mod error;
#[cfg(feature = "tls")]
pub use error::TlsError;
pub use error::{
    Abandoned, Broken, Cancelled, FailureCause, Full, GetError, GroupError, GroupFailure,
    LoopClosed, LoopFailure, LoopRunning, NoRunningLoop, Panicked, PerCoreError, PutError,
    ReadError, RunError, TaskError, TimedOut, TooManyDone, WouldBlock,
};

mod event_loop;
pub use event_loop::{EventLoop, get_running_loop};

mod handle;
pub use handle::{Handle, TimerHandle};

mod loop_builder;
pub use loop_builder::LoopBuilder;

mod loop_handle;
pub use loop_handle::LoopHandle;

mod remote_task;
pub use remote_task::RemoteTask;

mod report;
pub use report::ExceptionContext;

mod runner;
pub use runner::run;

mod per_core;
pub use per_core::{Core, run_loops, run_per_core};

mod task;
pub use task::{
    CancelGuard, Scope, ScopedTask, Shield, Task, TaskGroup, TaskRef, create_task, current_task,
    on_cancel, scope, shield, spawn_eager, task_group,
};

mod sleep;
pub use sleep::{Sleep, YieldNow, sleep, sleep_until, yield_now};

mod future;
pub use future::{Awaited, Setter, create_future};

mod combine;
pub use combine::{
    AsCompleted, Deadline, Gather, GatherSettled, Until, WaitFor, as_completed, gather,
    gather_settled, timeout, wait, wait_for,
};

mod async_generator;
pub use async_generator::{AsyncGenerator, CloseGuard, Yielder, async_generator};

pub mod sync;

mod outcome;
pub use outcome::Outcome;

mod stream;
pub use stream::{
    DatagramEndpoint, Protocol, Server, SharedListener, StreamReader, StreamWriter, Transport,
    create_connection, create_server, create_unix_connection, create_unix_server, open_connection,
    open_unix_connection, start_server, start_unix_server,
};
/// Whose process is at the other end of a Unix socket. It is tokio's.
pub use tokio::net::unix::UCred;

pub mod echo;

mod hook;
pub use hook::{Done, Executor, InExecutor, Threads};

mod subprocess;
pub use subprocess::{Process, Subprocess, create_subprocess_exec, create_subprocess_shell};

mod thread;
pub use thread::{OnThread, to_thread};

mod signal;
pub use signal::{ShutdownSignal, SignalKind, shutdown_signal};

#[cfg(feature = "tls")]
pub mod tls;

#[cfg(feature = "http")]
pub mod http;
