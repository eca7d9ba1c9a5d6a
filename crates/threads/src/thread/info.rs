//! Who runs: an entry for each live thread that the crate knows of.

use crate::park::WaitQueue;
use parking_lot::Mutex;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

/// What is known about a thread. A clone tells of the same thread.
///
/// # Examples
///
/// ```
/// let mut thread = threads::Thread::builder()
///     .name("reader")
///     .spawn(|| threads::current().name())?;
/// assert_eq!(thread.join()?, "reader");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ThreadInfo {
    entry: Arc<Entry>,
}

struct Entry {
    /// Locked also where the thread's end is noted, so that no other thread is renamed in the system.
    name: Mutex<String>,
    ident: u64,
    /// 0 until the thread runs.
    native_id: AtomicU64,
    alive: AtomicBool,
    daemon: bool,
    /// Threads that wait for the end of this one.
    joiners: WaitQueue,
}

impl ThreadInfo {
    /// Returns the thread's name. Threads need not have different ones.
    #[must_use]
    pub fn name(&self) -> String {
        self.entry.name.lock().clone()
    }

    /// Renames the thread. On Linux the system's tools show the first 15 bytes, up to a zero byte.
    ///
    /// Of the main thread they go on showing the name of the process.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut thread = threads::spawn(|| {
    ///     threads::current().set_name("parser");
    ///     threads::current().name()
    /// })?;
    /// assert_eq!(thread.join()?, "parser");
    /// assert_eq!(thread.name(), "parser");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_name(&self, name: impl Into<String>) {
        let name = name.into();
        let mut current = self.entry.name.lock();
        if let Some(id) = self
            .native_id()
            .filter(|_| self.is_alive() && !self.is_main())
        {
            set_system_name(id, &name);
        }
        *current = name;
    }

    /// The thread's number in this process; it is never used again for another thread.
    #[must_use]
    pub fn ident(&self) -> u64 {
        self.entry.ident
    }

    /// The kernel's number of the thread, as `top` and `strace` show it. `None`: it does not run yet, or
    /// this system does not tell.
    #[must_use]
    pub fn native_id(&self) -> Option<u64> {
        let id = self.entry.native_id.load(Ordering::Acquire);
        (id != 0).then_some(id)
    }

    /// Whether the thread has been started and has not ended.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.entry.alive.load(Ordering::Acquire)
    }

    /// Whether [`run_main`](crate::run_main) does not wait for the thread.
    #[must_use]
    pub fn is_daemon(&self) -> bool {
        self.entry.daemon
    }

    /// Whether this is the thread that runs `main`.
    #[must_use]
    pub fn is_main(&self) -> bool {
        self.ident() == MAIN_IDENT
    }
}

impl PartialEq for ThreadInfo {
    /// Whether both tell of the same thread.
    fn eq(&self, other: &Self) -> bool {
        self.ident() == other.ident()
    }
}

impl Eq for ThreadInfo {}

impl fmt::Debug for ThreadInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadInfo")
            .field("name", &self.name())
            .field("ident", &self.ident())
            .field("native_id", &self.native_id())
            .field("alive", &self.is_alive())
            .finish()
    }
}

const MAIN_IDENT: u64 = 1;

/// The threads that are alive.
struct Registry {
    /// By ident, so that a listing is in the order of creation.
    threads: BTreeMap<u64, ThreadInfo>,
    /// The number of listed threads that `run_main` waits for.
    awaited: usize,
}

static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(|| {
    let main = ThreadInfo::new(MAIN_IDENT, "MainThread".to_owned(), main_native_id(), false);
    Mutex::new(Registry {
        threads: BTreeMap::from([(MAIN_IDENT, main)]),
        awaited: 0,
    })
});
/// Threads that wait until no other one is awaited.
static UNAWAITED: LazyLock<WaitQueue> = LazyLock::new(WaitQueue::new);
static NEXT_IDENT: AtomicU64 = AtomicU64::new(MAIN_IDENT + 1);
static NEXT_DEFAULT: AtomicUsize = AtomicUsize::new(1);
static NEXT_FOREIGN: AtomicUsize = AtomicUsize::new(1);

impl ThreadInfo {
    fn new(ident: u64, name: String, native_id: u64, daemon: bool) -> Self {
        let entry = Entry {
            name: Mutex::new(name),
            ident,
            native_id: AtomicU64::new(native_id),
            alive: AtomicBool::new(true),
            daemon,
            joiners: WaitQueue::new(),
        };
        Self {
            entry: Arc::new(entry),
        }
    }

    fn list(name: String, native_id: u64, daemon: bool) -> Self {
        let ident = NEXT_IDENT.fetch_add(1, Ordering::Relaxed);
        let info = Self::new(ident, name, native_id, daemon);
        let mut registry = REGISTRY.lock();
        registry.threads.insert(info.ident(), info.clone());
        registry.awaited += usize::from(info.is_awaited());
        drop(registry);
        info
    }

    /// Makes the entry of a thread that is about to start.
    pub(crate) fn register(name: Option<String>, daemon: Option<bool>) -> Self {
        let inherited = |current: &Current| current.0.get().is_some_and(Self::is_daemon);
        let daemon = daemon.unwrap_or_else(|| CURRENT.try_with(inherited).unwrap_or(false));
        let name = name
            .unwrap_or_else(|| format!("Thread-{}", NEXT_DEFAULT.fetch_add(1, Ordering::Relaxed)));
        Self::list(name, 0, daemon)
    }

    /// Makes this the entry of the calling thread, until its thread-local values are dropped.
    ///
    /// It is the first thread-local value with a destructor in a thread that this crate starts. They are
    /// dropped in the opposite order, so the thread counts as alive until the others are gone.
    pub(crate) fn set_current(&self) {
        self.entry.native_id.store(native_id(), Ordering::Release);
        let _ = CURRENT.try_with(|current| current.0.set(self.clone()));
        let name = self.entry.name.lock();
        if std::thread::current().name() != Some(name.as_str()) {
            // Renamed before it ran.
            set_system_name(native_id(), &name);
        }
    }

    /// Returns whether this is the calling thread's entry. Makes no entry.
    pub(crate) fn is_current(&self) -> bool {
        let same = |current: &Current| current.0.get() == Some(self);
        CURRENT.try_with(same).unwrap_or(false)
    }

    /// Removes the thread from the list, as one that has ended.
    pub(crate) fn unregister(&self) {
        let mut registry = REGISTRY.lock();
        let listed = registry.threads.remove(&self.ident()).is_some();
        registry.awaited -= usize::from(listed && self.is_awaited());
        // One may be the waiting thread itself.
        let ended = registry.awaited <= 1;
        drop(registry);
        let name = self.entry.name.lock();
        // Release pairs with the Acquire in `is_alive`: the thread's result is written.
        self.entry.alive.store(false, Ordering::Release);
        drop(name);
        self.joiners().notify(usize::MAX);
        if ended {
            UNAWAITED.notify(usize::MAX);
        }
    }

    /// Returns the threads that wait for the end of this one.
    pub(crate) fn joiners(&self) -> &WaitQueue {
        &self.entry.joiners
    }

    /// Waits for the end of the thread. `false`: the deadline has passed.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> bool {
        let poll = || (!self.is_alive()).then_some(());
        poll()
            .or_else(|| self.joiners().wait(deadline, poll))
            .is_some()
    }

    fn is_awaited(&self) -> bool {
        !self.is_daemon() && !self.is_main()
    }
}

/// The calling thread's entry.
struct Current(OnceCell<ThreadInfo>);

impl Drop for Current {
    fn drop(&mut self) {
        // The main thread stays listed: its thread-locals go while the process still runs.
        if let Some(info) = self.0.get().filter(|info| !info.is_main()) {
            info.unregister();
        }
    }
}

thread_local! {
    static CURRENT: Current = const { Current(OnceCell::new()) };
}

/// Tells of the calling thread.
///
/// A thread that this crate did not start gets an entry, which lasts until it ends: its name is the one it
/// was given, or `Dummy-N`. Once that entry is dropped with the thread's other thread-local values, each call
/// makes an entry of its own that is not listed.
///
/// # Examples
///
/// ```
/// let mut thread = threads::spawn(|| threads::current().name())?;
/// assert!(thread.join()?.starts_with("Thread-"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn current() -> ThreadInfo {
    CURRENT
        .try_with(|current| current.0.get_or_init(find_or_register).clone())
        .unwrap_or_else(|_| {
            ThreadInfo::new(
                NEXT_IDENT.fetch_add(1, Ordering::Relaxed),
                foreign_name(),
                native_id(),
                true,
            )
        })
}

/// The calling thread's name, for a report: makes no entry.
#[cfg(all(feature = "lockdep", not(loom)))]
pub(crate) fn current_name() -> String {
    let known = |current: &Current| Some(current.0.get()?.name());
    match CURRENT.try_with(known) {
        Ok(Some(name)) => name,
        _ if is_main() => main().name(),
        _ => match std::thread::current().name() {
            Some(name) => name.to_owned(),
            None => format!("{:?}", std::thread::current().id()),
        },
    }
}

fn find_or_register() -> ThreadInfo {
    if is_main() {
        main()
    } else {
        // Nobody can wait for it, so it is a daemon.
        ThreadInfo::list(foreign_name(), native_id(), true)
    }
}

fn foreign_name() -> String {
    match std::thread::current().name() {
        Some(name) => name.to_owned(),
        None => format!("Dummy-{}", NEXT_FOREIGN.fetch_add(1, Ordering::Relaxed)),
    }
}

/// Tells of the thread that runs `main`.
///
/// # Examples
///
/// ```
/// assert_eq!(threads::main().name(), "MainThread");
/// ```
#[must_use]
pub fn main() -> ThreadInfo {
    REGISTRY.lock().threads[&MAIN_IDENT].clone()
}

/// Lists the threads that are alive, oldest first: the main thread, those that this crate started, and
/// foreign ones that called [`current`].
///
/// # Examples
///
/// ```
/// assert!(threads::enumerate().contains(&threads::main()));
/// ```
#[must_use]
pub fn enumerate() -> Vec<ThreadInfo> {
    REGISTRY.lock().threads.values().cloned().collect()
}

/// How many threads [`enumerate`] would list.
#[must_use]
pub fn active_count() -> usize {
    REGISTRY.lock().threads.len()
}

/// Waits until no thread but the caller, the main thread and daemons is listed.
pub(crate) fn wait_for_others(deadline: Option<Instant>) -> bool {
    let own = |current: &Current| current.0.get().is_some_and(ThreadInfo::is_awaited);
    let own = usize::from(CURRENT.try_with(own).unwrap_or(false));
    let poll = || (REGISTRY.lock().awaited <= own).then_some(());
    poll().or_else(|| UNAWAITED.wait(deadline, poll)).is_some()
}

/// Names a thread of this process in the system, as far as the system does that.
#[cfg(target_os = "linux")]
fn set_system_name(native_id: u64, name: &str) {
    let bytes = name.as_bytes();
    let end = bytes.iter().position(|byte| *byte == 0);
    let bytes = &bytes[..end.unwrap_or(bytes.len()).min(15)];
    // Without /proc the system keeps the former name, which only its tools show.
    let _ = std::fs::write(format!("/proc/self/task/{native_id}/comm"), bytes);
}

#[cfg(not(target_os = "linux"))]
fn set_system_name(_native_id: u64, _name: &str) {}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn native_id() -> u64 {
    // SAFETY: gettid takes nothing and cannot fail.
    let id = unsafe { libc::gettid() };
    u64::from(id.unsigned_abs())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn main_native_id() -> u64 {
    u64::from(std::process::id())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_main() -> bool {
    native_id() == main_native_id()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn native_id() -> u64 {
    0
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn main_native_id() -> u64 {
    0
}

/// std names the thread that runs `main` so.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_main() -> bool {
    std::thread::current().name() == Some("main")
}
