//! Processes: pidfds, signals, collection, cloning, limits, names.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use crate::process::status::ResourceUsage;

use super::descriptor::above_standard;

pub(crate) const SIGKILL: i32 = libc::SIGKILL;
pub(crate) const SIGSTOP: i32 = libc::SIGSTOP;
pub(crate) const SIGTERM: i32 = libc::SIGTERM;

/// Opens a pidfd, which becomes readable when the process ends. The caller ensures that the pid is not recycled.
pub(crate) fn pidfd_open(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two integers; the kernel sets close-on-exec itself.
    let raw = unsafe {
        libc::syscall(
            libc::SYS_pidfd_open,
            libc::c_long::from(pid.cast_signed()),
            0,
        )
    };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: on success the descriptor is new and nobody else owns it.
    above_standard(unsafe { OwnedFd::from_raw_fd(raw as i32) })
}

/// Sends a signal through a pidfd, so that it cannot reach a process with a recycled pid.
pub(crate) fn signal(pidfd: BorrowedFd<'_>, number: i32) -> io::Result<()> {
    let null = ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo lets the kernel fill in what kill(2) would; the rest are integers.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            libc::c_long::from(number),
            null,
            0,
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Collects a child that has ended. `None`: it still runs. The error ECHILD means that other code has collected it.
pub(crate) fn reap(pidfd: BorrowedFd<'_>) -> io::Result<Option<(Result<i32, i32>, ResourceUsage)>> {
    // SAFETY: siginfo_t and rusage are plain C data, for which all zeroes is a valid value.
    let (mut info, mut usage) = unsafe {
        (
            mem::zeroed::<libc::siginfo_t>(),
            mem::zeroed::<libc::rusage>(),
        )
    };
    let options = libc::c_long::from(libc::WEXITED | libc::WNOHANG);
    // SAFETY: both pointers are to live values of the types that waitid(2) writes; the raw call is the only one that
    // also returns the resource usage.
    let result = unsafe {
        libc::syscall(
            libc::SYS_waitid,
            libc::c_long::from(libc::P_PIDFD),
            libc::c_long::from(pidfd.as_raw_fd()),
            &raw mut info,
            options,
            &raw mut usage,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: waitid succeeded, so these fields are either filled or, with WNOHANG and no end yet, still zero.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    if pid == 0 {
        return Ok(None);
    }
    let end = if info.si_code == libc::CLD_EXITED {
        Ok(status)
    } else {
        Err(status)
    };
    Ok(Some((
        end,
        ResourceUsage {
            user: duration(usage.ru_utime),
            system: duration(usage.ru_stime),
            peak_memory: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
        },
    )))
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let micros = u64::try_from(time.tv_usec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}

/// The two returns of [`clone_sibling`].
pub(crate) enum Cloned {
    /// The call has returned in the original, with the id of the copy.
    Original { pid: u32, pidfd: OwnedFd },
    /// The call has returned in the copy.
    Copy,
}

/// Clones this process. The copy is a sibling: a child of this process's parent, which alone can wait for it.
///
/// # Safety
///
/// The caller is the only thread of this process. In the copy, the C library's record of the main thread has the original's
/// thread id. The copy must run everything else on a new thread, whose record is correct.
pub(crate) unsafe fn clone_sibling() -> io::Result<Cloned> {
    let mut pidfd: libc::c_int = -1;
    let flags = libc::c_long::from(libc::CLONE_PARENT | libc::CLONE_PIDFD | libc::SIGCHLD);
    // SAFETY: without CLONE_VM the copy has a memory and a stack of its own, so that a null stack means "as here". With
    // CLONE_PIDFD the kernel writes one int to the third argument, which is a live one; the other arguments are unused with
    // these flags. The rest is the caller's promise.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, &raw mut pidfd, 0, 0) };
    match u32::try_from(pid) {
        Ok(0) => Ok(Cloned::Copy),
        Ok(pid) => {
            // SAFETY: clone succeeded, so the kernel has made this descriptor for this call.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Cloned::Original { pid, pidfd })
        }
        Err(_) => Err(io::Error::last_os_error()),
    }
}

/// Kills and collects a child of this process for which there is no pidfd. Does nothing if no uncollected child has this id:
/// the id may be that of another process.
pub(crate) fn discard(pid: u32) {
    let pid = pid.cast_signed();
    let mut options = libc::WNOHANG;
    loop {
        // SAFETY: waitpid takes two integers; a null status is allowed.
        match unsafe { libc::waitpid(pid, ptr::null_mut(), options) } {
            // It runs, and is a child of this process.
            0 => {
                // SAFETY: kill takes two integers.
                unsafe { libc::kill(pid, libc::SIGKILL) };
                options = 0;
            }
            -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            _ => return,
        }
    }
}

/// Sets the soft and the hard limit of a resource of this process. A lower limit stays.
pub(crate) fn set_limit(resource: i64, value: u64) -> io::Result<()> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a live rlimit; an unknown resource is an error.
    if unsafe { libc::getrlimit(resource as _, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let value = value.min(limit.rlim_max);
    limit = libc::rlimit {
        rlim_cur: value,
        rlim_max: value,
    };
    // SAFETY: as above; setrlimit only reads.
    if unsafe { libc::setrlimit(resource as _, &raw const limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Returns the id of this process's current parent.
pub(crate) fn parent_pid() -> u32 {
    // SAFETY: getppid has no preconditions and never fails.
    unsafe { libc::getppid() }.cast_unsigned()
}

/// Makes this process the leader of a process group of its own. A session leader already is one.
pub(crate) fn lead_group() {
    // SAFETY: setpgid takes two integers. An error means that the process leads a session, and so its group.
    unsafe { libc::setpgid(0, 0) };
}

/// Returns the process group of this process. The error ESRCH means that its leader is outside this process's id namespace, so
/// that the group has no number here.
pub(crate) fn process_group() -> io::Result<u32> {
    // SAFETY: getpgrp has no preconditions and never fails.
    match unsafe { libc::getpgrp() } {
        0 => Err(io::Error::from_raw_os_error(libc::ESRCH)),
        group => Ok(group.cast_unsigned()),
    }
}

/// Makes this process a member of an existing process group of its session.
pub(crate) fn join_group(group: u32) -> io::Result<()> {
    // SAFETY: setpgid takes two integers.
    if unsafe { libc::setpgid(0, group.cast_signed()) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Makes this process the parent of its descendants whose own parents end.
pub(crate) fn become_subreaper() {
    let (one, zero): (libc::c_ulong, libc::c_ulong) = (1, 0);
    // SAFETY: PR_SET_CHILD_SUBREAPER takes an integer and touches no memory. Every kernel that has pidfds knows it.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, one, zero, zero, zero) };
}

/// Returns whether this process has children, including those that have ended and were not collected.
pub(crate) fn has_children() -> bool {
    // SAFETY: siginfo_t is plain C data, for which all zeroes is a valid value.
    let mut info: libc::siginfo_t = unsafe { mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: the pointer is to a live value of the type that waitid(2) writes.
    let result = unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, options) };
    result == 0 || io::Error::last_os_error().raw_os_error() != Some(libc::ECHILD)
}

/// Registers a function that the C library calls when this process or a forked copy of it exits normally.
pub(crate) fn at_exit(function: extern "C" fn()) {
    // SAFETY: the function lives until the process ends. Without memory it is not registered.
    unsafe { libc::atexit(function) };
}

/// Kills the rest of the process group of which a child was the leader. Does nothing while the child runs, or if other code
/// has collected it: its id may then belong to another process.
pub(crate) fn kill_group_of_ended(pid: u32, pidfd: BorrowedFd<'_>) {
    /// `PIDFD_SIGNAL_PROCESS_GROUP` of Linux 6.9.
    const WHOLE_GROUP: libc::c_long = 1 << 2;
    if !has_ended_uncollected(pidfd) {
        return;
    }
    // SAFETY: a null siginfo lets the kernel fill in what kill(2) would; the rest are integers.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            libc::c_long::from(pidfd.as_raw_fd()),
            libc::c_long::from(libc::SIGKILL),
            ptr::null::<libc::siginfo_t>(),
            WHOLE_GROUP,
        )
    };
    if result < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::EINVAL) {
        // SAFETY: kill takes two integers. The child is a zombie, which keeps its number from other processes and groups.
        unsafe { libc::kill(-pid.cast_signed(), libc::SIGKILL) };
    }
}

/// Returns whether a child has ended and still waits for its collection.
fn has_ended_uncollected(pidfd: BorrowedFd<'_>) -> bool {
    // SAFETY: siginfo_t is plain C data, for which all zeroes is a valid value.
    let mut info: libc::siginfo_t = unsafe { mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: the pointer is to a live value of the type that waitid(2) writes.
    let result = unsafe {
        libc::waitid(
            libc::P_PIDFD,
            pidfd.as_raw_fd().cast_unsigned(),
            &raw mut info,
            options,
        )
    };
    // SAFETY: the call succeeded, so the fields of a child's end are set; all are zero if it runs.
    result == 0 && unsafe { info.si_pid() } != 0
}

/// Sets the name of the calling thread that tools show. The kernel keeps its first fifteen bytes.
pub(crate) fn name_thread(name: &str) {
    let mut bytes = [0_u8; 16];
    let length = name.len().min(15);
    bytes[..length].copy_from_slice(&name.as_bytes()[..length]);
    // SAFETY: PR_SET_NAME reads a zero-terminated string of at most sixteen bytes, which `bytes` is.
    unsafe { libc::prctl(libc::PR_SET_NAME, bytes.as_ptr(), 0, 0, 0) };
}

/// Sets the name of the process that tools show, from any of its threads. Without `/proc` the name stays.
pub(crate) fn name_process(name: &str) {
    let _ = std::fs::write("/proc/self/comm", &name.as_bytes()[..name.len().min(15)]);
}

/// Returns whether the calling thread is the main thread of the process.
pub(crate) fn is_main_thread() -> bool {
    // SAFETY: gettid has no preconditions and never fails.
    let thread = unsafe { libc::gettid() };
    thread.cast_unsigned() == std::process::id()
}

/// Ends this process at once: no destructors, no exit handlers, no flushing.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Ignores SIGPIPE, as Rust's runtime does before `main`, so that a write to a closed pipe is an error.
pub(crate) fn ignore_sigpipe() {
    // SAFETY: SIG_IGN is a valid disposition; no handler is replaced, because nothing has run before.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// Returns the time of the monotonic clock, which all processes of a machine share, in nanoseconds.
pub(crate) fn monotonic_nanos() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a live timespec; CLOCK_MONOTONIC exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

/// Fills a slice with random bytes of cryptographic quality.
pub(crate) fn fill_random(bytes: &mut [u8]) -> io::Result<()> {
    // SAFETY: the pointer and the length are those of the slice. The kernel fills up to 256 bytes completely or not at all.
    let count = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if count == bytes.len() as isize {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
