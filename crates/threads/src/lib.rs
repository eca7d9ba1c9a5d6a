//! Python's `threading`, `queue` and `ThreadPoolExecutor` for Rust: time limits everywhere, panics as values,
//! and a queue that keeps pace with crossbeam-channel.
//!
//! ```
//! use threads::{Pool, Queue, Shutdown};
//!
//! let jobs = Queue::bounded(16);
//! let source = jobs.clone();
//! let mut writer = threads::spawn(move || (1..=10).try_for_each(|n| source.put(n)))?;
//! writer.join()??;
//! jobs.shutdown(Shutdown::Drain);
//!
//! let pool = Pool::new(2)?;
//! let squares = pool.map(|n: u32| n * n, std::iter::from_fn(move || jobs.get().ok()));
//! assert_eq!(squares.sum::<Result<u32, _>>()?, 385);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Threads**: [`spawn`], [`Thread`], [`ThreadBuilder`], [`scope()`], [`start`] with [`Run`], [`Local`];
//! who runs: [`current`], [`main`], [`enumerate`], [`active_count`], [`ThreadInfo`]; their end:
//! [`run_main`], [`join_others_for`], [`exit_thread`], [`set_excepthook`].
//!
//! **Locks**: [`Lock`], [`RLock`], [`RwLock`], [`FairLock`]; the feature `lockdep` reports orders of taking
//! them that may deadlock.
//!
//! **Synchronization primitives**: [`Condition`], [`Semaphore`], [`BoundedSemaphore`], [`Event`], [`Latch`], [`Barrier`].
//!
//! **Queues**: [`Queue`], [`LifoQueue`], [`PriorityQueue`], [`SimpleQueue`], [`TaskGuard`], [`Shutdown`];
//! [`channel`] is crossbeam-channel, for `select!` over several.
//!
//! **The first of several**: [`wait_any`] over queues, events, latches, jobs and threads.
//!
//! **Pools**: [`Pool`], [`PoolBuilder`], [`Job`], [`PoolScope`], [`Map`], [`PoolShutdown`]; several jobs:
//! [`as_completed`], [`wait`] with [`WaitFor`]; a job without a pool: [`promise`].
//!
//! **Later**: [`Timer`].
//!
//! **Errors**: [`PutError`], [`GetError`], [`TimedOut`], [`TooManyTasksDone`], [`OverRelease`], [`BarrierError`],
//! [`SpawnError`], [`JoinError`], [`SubmitError`], [`JobError`], [`Panic`].

mod park;
mod unwind;

mod thread;
pub use thread::{
    Local, Run, Scope, ScopedThread, Thread, ThreadBuilder, ThreadInfo, active_count, current,
    enumerate, exit_thread, join_others_for, main, reset_excepthook, run_main, scope,
    set_excepthook, spawn, start,
};

#[cfg(all(feature = "lockdep", not(loom)))]
pub mod lockdep;
#[cfg(not(all(feature = "lockdep", not(loom))))]
#[path = "lockdep/off.rs"]
mod lockdep;

mod lock;
pub use lock::{
    Condition, FairLock, FairLockGuard, Guard, Lock, LockGuard, RLock, RLockGuard, ReadGuard,
    RwLock, WriteGuard,
};
mod sync;
pub use sync::{
    Barrier, BoundedSemaphore, Event, Latch, Permit, Semaphore, Waitable, wait_any, wait_any_for,
    wait_any_until,
};

mod queue;
pub use crossbeam_channel as channel;
pub use queue::{LifoQueue, PriorityQueue, Queue, Report, Shutdown, SimpleQueue, TaskGuard};

mod pool;
pub use pool::{
    AsCompleted, Job, JobEnd, Map, MapChunks, MapUnordered, Pool, PoolBuilder, PoolScope, Promise,
    ScopedJob, Shutdown as PoolShutdown, WaitFor, as_completed, promise, wait, wait_for,
    wait_until,
};

#[cfg(loom)]
#[doc(hidden)]
pub mod model;

mod timer;
pub use timer::Timer;

mod error;
pub use error::{
    BarrierError, GetError, JobError, JoinError, OverRelease, Panic, PutError, SpawnError,
    SubmitError, TimedOut, TooManyTasksDone, WouldBlock,
};
