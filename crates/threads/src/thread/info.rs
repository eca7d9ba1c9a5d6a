//! Who runs: an entry for each live thread that the crate knows of.

use crate::park::WaitQueue;
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
///     .spawn(|| threads::current().name().to_owned())?;
/// assert_eq!(thread.join()?, "reader");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ThreadInfo {
    entry: Arc<Entry>,
}

struct Entry {
    name: String,
    ident: u64,
    /// 0 until the thread runs.
    native_id: AtomicU64,
    alive: AtomicBool,
    daemon: bool,
}

impl ThreadInfo {
    /// The thread's name. Threads need not have different ones.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.entry.name
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

/// The live threads by ident, so that a listing is in the order of creation.
static REGISTRY: LazyLock<parking_lot::Mutex<BTreeMap<u64, ThreadInfo>>> = LazyLock::new(|| {
    let main = ThreadInfo::new(MAIN_IDENT, "MainThread".to_owned(), main_native_id(), false);
    parking_lot::Mutex::new(BTreeMap::from([(MAIN_IDENT, main)]))
});
/// Those who wait for threads to end.
static UNREGISTERED: LazyLock<WaitQueue> = LazyLock::new(WaitQueue::new);
static NEXT_IDENT: AtomicU64 = AtomicU64::new(MAIN_IDENT + 1);
static NEXT_DEFAULT: AtomicUsize = AtomicUsize::new(1);
static NEXT_FOREIGN: AtomicUsize = AtomicUsize::new(1);

impl ThreadInfo {
    fn new(ident: u64, name: String, native_id: u64, daemon: bool) -> Self {
        let entry = Entry {
            name,
            ident,
            native_id: AtomicU64::new(native_id),
            alive: AtomicBool::new(true),
            daemon,
        };
        Self {
            entry: Arc::new(entry),
        }
    }

    fn list(name: String, native_id: u64, daemon: bool) -> Self {
        let ident = NEXT_IDENT.fetch_add(1, Ordering::Relaxed);
        let info = Self::new(ident, name, native_id, daemon);
        REGISTRY.lock().insert(info.ident(), info.clone());
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

    /// Makes this the entry of the calling thread.
    pub(crate) fn set_current(&self) {
        self.entry.native_id.store(native_id(), Ordering::Release);
        let _ = CURRENT.try_with(|current| current.0.set(self.clone()));
    }

    /// Whether this is the calling thread's entry. Makes no entry.
    pub(crate) fn is_current(&self) -> bool {
        let same = |current: &Current| current.0.get() == Some(self);
        CURRENT.try_with(same).unwrap_or(false)
    }

    /// Takes the thread off the list.
    pub(crate) fn unregister(&self) {
        REGISTRY.lock().remove(&self.ident());
        self.entry.alive.store(false, Ordering::Release);
        UNREGISTERED.notify(usize::MAX);
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
/// was given, or `Dummy-N`. While a thread's thread-local values are being dropped, each call makes an
/// entry of its own that is not listed.
///
/// # Examples
///
/// ```
/// let mut thread = threads::spawn(|| threads::current().name().to_owned())?;
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
    let known = |current: &Current| Some(current.0.get()?.name().to_owned());
    match CURRENT.try_with(known) {
        Ok(Some(name)) => name,
        _ if is_main() => main().name().to_owned(),
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
    REGISTRY.lock()[&MAIN_IDENT].clone()
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
    REGISTRY.lock().values().cloned().collect()
}

/// How many threads [`enumerate`] would list.
#[must_use]
pub fn active_count() -> usize {
    REGISTRY.lock().len()
}

/// Waits until no thread but the caller, the main thread and daemons is listed.
pub(crate) fn wait_for_others(deadline: Option<Instant>) -> bool {
    let counts = |info: &ThreadInfo| !info.is_daemon() && !info.is_main() && !info.is_current();
    let poll = || (!REGISTRY.lock().values().any(counts)).then_some(());
    poll()
        .or_else(|| UNREGISTERED.wait(deadline, poll))
        .is_some()
}

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
