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
//! **Signals**: [`Condition`], [`Semaphore`], [`BoundedSemaphore`], [`Event`], [`Latch`], [`Barrier`].
//!
//! **Queues**: [`Queue`], [`LifoQueue`], [`PriorityQueue`], [`SimpleQueue`], [`TaskGuard`], [`Shutdown`];
//! [`channel`] is crossbeam-channel, for `select!` over several.
//!
//! **The first of several**: [`wait_any`] over queues, events, latches, jobs and threads.
//!
//! **Pools**: [`Pool`], [`PoolBuilder`], [`Job`], [`PoolScope`], [`Map`], [`PoolShutdown`]; several jobs:
//! [`as_completed`], [`wait`] with [`WaitFor`].
//!
//! **Later**: [`Timer`].
//!
//! **Errors**: [`PutError`], [`GetError`], [`TimedOut`], [`TooManyTasksDone`], [`OverRelease`], [`Broken`],
//! [`SpawnError`], [`JoinError`], [`JobError`], [`Panic`].

mod backoff;
mod imp;
mod signal;
mod spin_lock;

mod outcome;

mod registry;
pub use registry::{ThreadInfo, active_count, current, enumerate, main};
mod thread;
pub use thread::{Thread, ThreadBuilder, spawn};
mod run;
pub use run::{Run, join_others_for, run_main, start};
mod scope;
pub use scope::{Scope, ScopedThread, scope};
mod local;
pub use local::Local;
mod exit_thread;
pub use exit_thread::exit_thread;
mod excepthook;
pub use excepthook::{reset_excepthook, set_excepthook};

#[cfg(all(feature = "lockdep", not(loom)))]
pub mod lockdep;
#[cfg(not(all(feature = "lockdep", not(loom))))]
#[path = "lockdep/off.rs"]
mod lockdep;

mod lock;
pub use lock::{Lock, LockGuard};
mod rlock;
pub use rlock::{RLock, RLockGuard};
mod rw_lock;
pub use rw_lock::{ReadGuard, RwLock, WriteGuard};
mod fair_lock;
pub use fair_lock::{FairLock, FairLockGuard};
mod condition;
pub use condition::{Condition, Guard};
mod semaphore;
pub use semaphore::{BoundedSemaphore, Permit, Semaphore};
mod event;
pub use event::Event;
mod latch;
pub use latch::Latch;
mod barrier;
pub use barrier::Barrier;

mod queue;
pub use crossbeam_channel as channel;
pub use queue::{LifoQueue, PriorityQueue, Queue, Report, Shutdown, SimpleQueue, TaskGuard};
mod wait_any;
pub use wait_any::{Waitable, wait_any, wait_any_for};

mod pool;
pub use pool::{
    AsCompleted, Job, JobEnd, Map, MapChunks, MapUnordered, Pool, PoolBuilder, PoolScope,
    PoolShutdown, ScopedJob, WaitFor, as_completed, wait, wait_for,
};

#[cfg(loom)]
#[doc(hidden)]
pub mod model;

mod timer;
pub use timer::Timer;

mod error;
pub use error::{
    Broken, GetError, JobError, JoinError, OverRelease, Panic, PutError, SpawnError, TimedOut,
    TooManyTasksDone,
};
