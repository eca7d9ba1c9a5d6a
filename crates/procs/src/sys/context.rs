//! Attributes that a process inherits from its parent: credentials, capabilities, limits, priority.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::ptr;

/// The lines of `/proc/self/status` that a process inherits: the mask of new files' modes, ignored signals, capabilities,
/// whether `execve` may grant privileges, system call filters, and the CPUs that may be used.
const INHERITED: [&str; 11] = [
    "Umask:",
    "SigIgn:",
    "CapInh:",
    "CapPrm:",
    "CapEff:",
    "CapBnd:",
    "CapAmb:",
    "NoNewPrivs:",
    "Seccomp:",
    "Seccomp_filters:",
    "Cpus_allowed:",
];

/// `RLIM_NLIMITS` of every Linux.
const LIMITS: usize = 16;

/// The attributes that a process started now inherits from this one.
///
/// The users and groups are those of the calling thread. Attributes that only `/proc` shows are left out where it is not
/// mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Context {
    users: [u32; 3],
    groups: [u32; 3],
    supplementary: Vec<u32>,
    status: String,
    control_groups: Vec<u8>,
    limits: [(u64, u64); LIMITS],
    priority: i32,
    /// A process can join the groups of its own session only.
    session: i32,
    /// The device and the inode of the root directory.
    root: Option<(u64, u64)>,
}

impl Context {
    pub(crate) fn current() -> Self {
        let (users, groups) = users_and_groups();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let is_inherited = |line: &&str| INHERITED.iter().any(|name| line.starts_with(name));
        Self {
            users,
            groups,
            supplementary: supplementary_groups(),
            status: status.lines().filter(is_inherited).collect(),
            control_groups: fs::read("/proc/self/cgroup").unwrap_or_default(),
            limits: limits(),
            priority: priority(),
            session: session(),
            root: fs::metadata("/").ok().map(|root| (root.dev(), root.ino())),
        }
    }
}

fn users_and_groups() -> ([u32; 3], [u32; 3]) {
    let (mut users, mut groups) = ([0; 3], [0; 3]);
    let ([a, b, c], [d, e, f]) = (&mut users, &mut groups);
    // SAFETY: each pointer is to a live number of its own.
    unsafe {
        libc::getresuid(a, b, c);
        libc::getresgid(d, e, f);
    }
    (users, groups)
}

fn supplementary_groups() -> Vec<u32> {
    // SAFETY: with a size of 0 the call counts and writes nothing.
    let count = unsafe { libc::getgroups(0, ptr::null_mut()) };
    let mut groups = vec![0; usize::try_from(count).unwrap_or(0)];
    // SAFETY: the vector has room for `count` numbers.
    let count = unsafe { libc::getgroups(count.max(0), groups.as_mut_ptr()) };
    groups.truncate(usize::try_from(count).unwrap_or(0));
    groups
}

fn limits() -> [(u64, u64); LIMITS] {
    std::array::from_fn(|resource| {
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: the pointer is to a live rlimit. An unknown resource is an error that leaves it alone.
        unsafe { libc::getrlimit(resource as _, &raw mut limit) };
        (limit.rlim_cur, limit.rlim_max)
    })
}

fn priority() -> i32 {
    // SAFETY: the call takes integers and touches no memory. Zero is the calling thread.
    unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }
}

fn session() -> i32 {
    // SAFETY: getsid takes an integer and never fails for the calling process, which is zero.
    unsafe { libc::getsid(0) }
}

/// The capabilities of a thread: effective, permitted and inheritable, the lower 32 of each and then the higher ones.
///
/// A program that root executes gets all capabilities again, also those that the executing thread has given up.
pub(crate) type Capabilities = [u32; 6];

/// `_LINUX_CAPABILITY_VERSION_3`, and 0 for the calling thread.
const CAPABILITY_HEADER: [u32; 2] = [0x2008_0522, 0];

/// Returns the capabilities of the calling thread. `None`: a system call filter forbids the call.
pub(crate) fn capabilities() -> Option<Capabilities> {
    let mut header = CAPABILITY_HEADER;
    let mut sets: Capabilities = [0; 6];
    // SAFETY: the pointers are to a live header and to room for the two groups of three words that version 3 writes.
    let result = unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) };
    (result == 0).then_some(sets)
}

/// Gives up the capabilities that are not among these.
pub(crate) fn limit_capabilities(allowed: Capabilities) -> io::Result<()> {
    let Some(present) = capabilities() else {
        return Err(io::ErrorKind::PermissionDenied.into());
    };
    let lowered: Capabilities = std::array::from_fn(|word| present[word] & allowed[word]);
    if lowered == present {
        return Ok(());
    }
    let mut header = CAPABILITY_HEADER;
    // SAFETY: the pointers are to a live header and to the two groups of three words that version 3 reads.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_mut_ptr(), lowered.as_ptr()) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
