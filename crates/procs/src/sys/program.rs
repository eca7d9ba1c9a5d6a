//! Execution of programs: a child that shares this process's memory until `execve`, as in `posix_spawn`.
//!
//! `posix_spawn` itself cannot set what a child needs before `execve`: death with its parent, subreaper, close-on-exec on all
//! descriptors. `fork` can, but copies the page tables, which takes milliseconds in a large process.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use super::descriptor::{FIRST_OTHER, duplicate_above_standard};
use super::process::{SIGKILL, parent_pid};

/// The child's stack. It calls a dozen system calls, a few frames deep.
const STACK_SIZE: usize = 64 * 1024;

/// Signal numbers are 1 to 64 on every Linux that Rust supports, except MIPS (127), where the higher ones have no handlers.
const LAST_SIGNAL: c_int = 64;

/// A program with everything that `execve` needs, and the attributes of its process.
#[derive(Debug)]
pub(crate) struct Execution {
    /// The paths to try, in this order.
    pub(crate) paths: Vec<CString>,
    /// The arguments, of which the first is the program's name.
    pub(crate) args: Vec<CString>,
    /// The environment, as `KEY=value`.
    pub(crate) env: Vec<CString>,
    /// The working directory, if it is not the one of this process.
    pub(crate) cwd: Option<CString>,
    /// Whether the process leads a process group of its own.
    pub(crate) own_group: bool,
    /// What happens to the process when this one is killed.
    pub(crate) on_parent_death: ParentDeath,
}

/// What happens to a process when its parent is killed.
#[derive(Debug)]
pub(crate) enum ParentDeath {
    /// Nothing. The process watches its parent itself.
    Ignore,
    /// The kernel kills the process when the thread that started it ends. The descendants stay.
    Signal,
    /// Another process kills the process and its descendants. If the guard cannot be reached, as [`Signal`](Self::Signal).
    Guard(Guard),
}

/// How a new process registers with its guard: by a message with its pidfd.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) socket: OwnedFd,
    /// The message. The process id takes the place of its last four bytes.
    pub(crate) message: [u8; 5],
}

/// The step of an execution that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailedStep {
    /// Making the process, or setting its attributes.
    Process,
    /// Entering the working directory.
    Cwd,
    /// `execve` itself, on every path.
    Exec,
}

/// Starts a program with the given standard streams. Returns its process id and its pidfd.
///
/// The child becomes a subreaper, so that all its descendants stay below it while it lives. It has no descriptors but its
/// standard streams, and blocks no signal. SIGPIPE and SIGXFSZ, which Rust's runtime and this crate ignore, have their
/// default dispositions.
pub(crate) fn start_program(
    execution: &Execution,
    streams: [BorrowedFd<'_>; 3],
) -> Result<(u32, OwnedFd), (FailedStep, io::Error)> {
    let in_process = |error| (FailedStep::Process, error);
    // Duplicates above the standard streams, so that `dup2` overwrites none of them.
    let streams = streams.into_iter().map(duplicate_above_standard);
    let streams = streams
        .collect::<io::Result<Vec<_>>>()
        .map_err(in_process)?;
    let args = pointers(&execution.args);
    let env = pointers(&execution.env);
    let mut task = ChildTask {
        execution,
        args: args.as_ptr(),
        env: env.as_ptr(),
        streams: [0, 1, 2].map(|index| streams[index].as_raw_fd()),
        parent: std::process::id(),
        failure: None,
    };
    let (pid, pidfd) = clone_and_wait(&mut task).map_err(in_process)?;
    match task.failure.take() {
        None => Ok((pid, pidfd)),
        Some((step, number)) => {
            await_end(pidfd.as_fd());
            Err((step, io::Error::from_raw_os_error(number)))
        }
    }
}

/// Returns pointers to strings, with a null pointer at the end, as `execve` takes them.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    let strings = strings.iter().map(|string| string.as_ptr());
    strings.chain([ptr::null()]).collect()
}

/// Input and output of the child's code. The parent's thread is suspended while the child uses it.
struct ChildTask<'a> {
    execution: &'a Execution,
    args: *const *const c_char,
    env: *const *const c_char,
    streams: [RawFd; 3],
    parent: u32,
    failure: Option<(FailedStep, i32)>,
}

/// Makes the child and waits until it has called `execve` or has ended.
///
/// All signals are blocked meanwhile: a handler that ran in the child would change the parent's memory.
fn clone_and_wait(task: &mut ChildTask<'_>) -> io::Result<(u32, OwnedFd)> {
    let mut stack = Box::<[u128]>::new_uninit_slice(STACK_SIZE / size_of::<u128>());
    let top = stack.as_mut_ptr_range().end;
    let mut pidfd: c_int = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    let mask = set_signal_mask(u64::MAX);
    // SAFETY: `top` is the aligned end of a stack that the parent does not use and that lives until the child has left this
    // memory, because CLONE_VFORK suspends this thread until then. `child` gets the task, which is borrowed exclusively and
    // outlives the child's use of it for the same reason. With CLONE_PIDFD the kernel writes one int to the last argument.
    let pid = unsafe {
        libc::clone(
            child,
            top.cast::<c_void>(),
            flags,
            ptr::from_mut(task).cast::<c_void>(),
            &raw mut pidfd,
        )
    };
    let error = io::Error::last_os_error();
    set_signal_mask(mask);
    let Ok(pid) = u32::try_from(pid) else {
        return Err(error);
    };
    // SAFETY: clone succeeded, so the kernel has made this descriptor for this call.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    // Without a free descriptor it keeps its number: the process runs already.
    let moved = (pidfd.as_raw_fd() < FIRST_OTHER)
        .then(|| duplicate_above_standard(pidfd.as_fd()).ok())
        .flatten();
    Ok((pid, moved.unwrap_or(pidfd)))
}

/// Sets the signal mask of this thread and returns the previous one. Bit n - 1 is signal n.
fn set_signal_mask(mask: u64) -> u64 {
    change_signal_mask(libc::SIG_SETMASK, mask)
}

fn change_signal_mask(how: c_int, mask: u64) -> u64 {
    let mut previous = 0_u64;
    // SAFETY: both pointers are to live masks of the size that is passed. The raw call also blocks the signals that the C
    // library keeps for itself.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::c_long::from(how),
            &raw const mask,
            &raw mut previous,
            size_of::<u64>() as libc::c_long,
        )
    };
    previous
}

/// Returns the child's code. It allocates nothing, locks nothing and does not unwind.
extern "C" fn child(task: *mut c_void) -> c_int {
    // SAFETY: the pointer is to the parent's task, which nothing else uses until this function has ended.
    let task = unsafe { &mut *task.cast::<ChildTask<'_>>() };
    let step = match set_attributes(task) {
        Ok(()) => exec_first(task),
        Err(step) => step,
    };
    let number = io::Error::last_os_error().raw_os_error().unwrap_or(0);
    task.failure = Some((step, number));
    super::exit_now(127)
}

/// Sets everything that the program inherits. An error is in `errno`.
fn set_attributes(task: &ChildTask<'_>) -> Result<(), FailedStep> {
    let execution = task.execution;
    let check = |result: c_int, step| if result < 0 { Err(step) } else { Ok(()) };
    reset_signals();
    for (target, source) in (0..).zip(task.streams) {
        // SAFETY: dup2 takes two integers. The child's table of descriptors is its own.
        check(unsafe { libc::dup2(source, target) }, FailedStep::Process)?;
    }
    if execution.own_group {
        // SAFETY: setpgid takes two integers.
        check(unsafe { libc::setpgid(0, 0) }, FailedStep::Process)?;
    }
    set_flag(libc::PR_SET_CHILD_SUBREAPER, 1);
    match &execution.on_parent_death {
        ParentDeath::Ignore => {}
        ParentDeath::Signal => set_parent_death_signal(task.parent),
        ParentDeath::Guard(guard) => {
            // The signal stays set until the guard has the pidfd, so that one of the two is in effect at every moment.
            set_parent_death_signal(task.parent);
            if register(guard) {
                set_flag(libc::PR_SET_PDEATHSIG, 0);
            }
        }
    }
    close_on_exec();
    if let Some(cwd) = &execution.cwd {
        // SAFETY: chdir reads a zero-terminated string.
        check(unsafe { libc::chdir(cwd.as_ptr()) }, FailedStep::Cwd)?;
    }
    set_signal_mask(0);
    Ok(())
}

/// Sets the signal with which the kernel kills this process when the thread that made it ends.
fn set_parent_death_signal(parent: u32) {
    set_flag(libc::PR_SET_PDEATHSIG, SIGKILL);
    // Zero is a parent in another process id namespace.
    if ![parent, 0].contains(&parent_pid()) {
        // The parent has ended before the line above.
        super::exit_now(127);
    }
}

/// Sends the message with this process's pidfd to the guard. Returns whether it was sent.
fn register(guard: &Guard) -> bool {
    let pid = std::process::id();
    let Ok(pidfd) = super::pidfd_open(pid) else {
        return false;
    };
    let mut message = guard.message;
    message[1..].copy_from_slice(&pid.to_le_bytes());
    super::message::send_at_once(guard.socket.as_fd(), &message, pidfd.as_fd())
}

/// Sets an attribute of the calling process that takes one number.
fn set_flag(attribute: c_int, value: c_int) {
    let zero: libc::c_ulong = 0;
    // SAFETY: both attributes that are passed here take an integer and touch no memory.
    unsafe { libc::prctl(attribute, value as libc::c_ulong, zero, zero, zero) };
}

/// Replaces handlers by the default disposition, so that none of them runs in the child once signals are unblocked. Ignored
/// signals stay ignored, except the two that Rust's runtime and this crate ignore.
fn reset_signals() {
    for signal in 1..=LAST_SIGNAL {
        // SAFETY: sigaction consists of integers and an optional pointer, for which all zeroes is a valid value.
        let mut action: libc::sigaction = unsafe { mem::zeroed() };
        // SAFETY: the null pointer leaves the action alone; the other one is to a live value.
        let known = unsafe { libc::sigaction(signal, ptr::null(), &raw mut action) };
        let ours = signal == libc::SIGPIPE || signal == libc::SIGXFSZ;
        let stays =
            action.sa_sigaction == libc::SIG_DFL || (action.sa_sigaction == libc::SIG_IGN && !ours);
        if known < 0 || stays {
            continue;
        }
        action.sa_sigaction = libc::SIG_DFL;
        // SAFETY: the action is a copy of a valid one with the default disposition. Without CLONE_SIGHAND the child's
        // dispositions are its own.
        unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
    }
}

/// Sets close-on-exec on every descriptor but the standard streams.
fn close_on_exec() {
    // SAFETY: close_range takes three integers.
    let result = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            libc::c_long::from(FIRST_OTHER),
            libc::c_long::from(c_int::MAX),
            libc::CLOSE_RANGE_CLOEXEC as libc::c_long,
        )
    };
    if result == 0 {
        return;
    }
    // The call is missing in kernels before 5.11, and forbidden by some system call filters.
    // SAFETY: sysconf takes an integer.
    let limit = unsafe { libc::sysconf(libc::_SC_OPEN_MAX) };
    for descriptor in FIRST_OTHER..limit.clamp(0, 65_536) as RawFd {
        // SAFETY: F_SETFD takes an integer and touches no memory.
        unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// Calls `execve` on each path until one succeeds, by the rules of execvp(3): EACCES is the error only if no other path
/// exists. Returns only on failure, with the error in `errno`.
fn exec_first(task: &ChildTask<'_>) -> FailedStep {
    let mut forbidden = false;
    for path in &task.execution.paths {
        // SAFETY: the path is a zero-terminated string; both arrays hold such strings and end with a null pointer.
        unsafe { libc::execve(path.as_ptr(), task.args, task.env) };
        match io::Error::last_os_error().raw_os_error() {
            Some(libc::EACCES) => forbidden = true,
            Some(libc::ENOENT | libc::ENOTDIR | libc::ESTALE | libc::ENODEV | libc::ETIMEDOUT) => {}
            _ => return FailedStep::Exec,
        }
    }
    if forbidden {
        // SAFETY: the pointer is to this thread's errno.
        unsafe { *libc::__errno_location() = libc::EACCES };
    }
    FailedStep::Exec
}

/// Collects a child that has called `_exit` already.
fn await_end(pidfd: BorrowedFd<'_>) {
    while let Ok(None) = super::reap(pidfd) {
        let mut ended = [super::as_poll(pidfd, true, false)];
        let _ = super::poll(&mut ended, None);
    }
}

/// Returns the paths at which execvp(3) looks for a program: the name itself if it contains a slash or is empty, and the
/// name in each folder of `path` otherwise.
pub(crate) fn search_paths(program: &CStr, path: &[u8]) -> Vec<CString> {
    let name = program.to_bytes();
    if name.is_empty() || name.contains(&b'/') {
        return vec![program.to_owned()];
    }
    let folders = path.split(|byte| *byte == b':');
    let join = |folder: &[u8]| {
        let folder = if folder.is_empty() { b"." } else { folder };
        CString::new([folder, b"/", name].concat())
    };
    folders.filter_map(|folder| join(folder).ok()).collect()
}

/// Writes to a pipe. Suppresses the SIGPIPE that the kernel sends when the pipe has no reader, which would end this process
/// if its disposition is the default one.
pub(crate) fn write_without_sigpipe(pipe: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let bit = 1_u64 << (libc::SIGPIPE - 1);
    let mask = change_signal_mask(libc::SIG_BLOCK, bit);
    let was_pending = pending_signals() & bit != 0;
    // SAFETY: the pointer and the length are those of a live slice.
    let count = unsafe { libc::write(pipe.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
    let result = usize::try_from(count).map_err(|_| io::Error::last_os_error());
    if result.is_err() && !was_pending {
        take_signal(bit);
    }
    set_signal_mask(mask);
    result
}

/// Returns the signals that are pending for this thread and for the process.
fn pending_signals() -> u64 {
    let mut pending = 0_u64;
    // SAFETY: the pointer is to a live mask of the size that is passed.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigpending,
            &raw mut pending,
            size_of::<u64>() as libc::c_long,
        )
    };
    pending
}

/// Consumes a blocked signal, if it is pending.
fn take_signal(bit: u64) {
    let now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the mask has the size that is passed, the null pointer asks for no details, and the time is a live value.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigtimedwait,
            &raw const bit,
            ptr::null_mut::<libc::siginfo_t>(),
            &raw const now,
            size_of::<u64>() as libc::c_long,
        )
    };
}

/// Returns the number of bytes that a pipe holds.
pub(crate) fn readable_bytes(pipe: BorrowedFd<'_>) -> usize {
    let mut count: c_int = 0;
    // SAFETY: FIONREAD writes one int to the pointer.
    let result = unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &raw mut count) };
    if result < 0 {
        return 0;
    }
    usize::try_from(count).unwrap_or(0)
}
