//! Signals and locks that nobody waits for make no system call.
//!
//! The kernel is the witness: a child process gives up every system call but a few that the code under test
//! does not use (seccomp's strict mode), goes through the operations, and ends well only if it lived. Without
//! libtest's harness, since such a process cannot report, nor end with more than one thread.

#[cfg(target_os = "linux")]
fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("child-uncontended") => child::run(child::uncontended),
        Some("child-waiting") => child::run(child::waiting),
        _ => watch_children(),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("not tested: only Linux can forbid system calls in this way");
}

#[cfg(target_os = "linux")]
fn watch_children() {
    use std::os::unix::process::ExitStatusExt;

    let status_of = |role: &str| {
        let program = std::env::current_exe().expect("the path of this program");
        let mut command = std::process::Command::new(program);
        command.arg(role).status().expect("a child process")
    };
    let uncontended = status_of("child-uncontended");
    if uncontended.code() == Some(child::NO_SECCOMP) {
        println!("NOT TESTED: this system does not let a process give up its system calls");
        return;
    }
    assert!(uncontended.success(), "a system call: {uncontended}");
    // The witness is awake: a wait that goes to sleep is seen.
    let waiting = status_of("child-waiting");
    assert_eq!(waiting.signal(), Some(libc::SIGKILL), "{waiting}");
    println!("signals that nobody waits for stay out of the kernel ... ok");
}

#[cfg(target_os = "linux")]
mod child {
    use std::time::Duration;
    use threads::{BoundedSemaphore, Event, Latch, Semaphore};

    pub const NO_SECCOMP: i32 = 77;

    /// All that the primitives can do without waiting threads.
    pub fn uncontended() {
        let (semaphore, bounded) = (Semaphore::new(2), BoundedSemaphore::new(1));
        let (event, latch) = (Event::new(), Latch::new(1_000));
        for _ in 0..1_000 {
            drop(semaphore.acquire());
            drop(semaphore.try_acquire_many(2).ok());
            drop(semaphore.acquire_for(Duration::from_secs(1)).ok());
            bounded.acquire();
            let _ = bounded.release(1);
            event.set();
            event.wait();
            let _ = event.wait_for(Duration::from_secs(1));
            event.clear();
            latch.count_down();
        }
        // A watched lock may ask for memory to remember its place in the order.
        #[cfg(not(feature = "lockdep"))]
        locks();
    }

    #[cfg(not(feature = "lockdep"))]
    fn locks() {
        let (lock, shared) = (threads::Lock::new(0), threads::RwLock::new(0));
        for _ in 0..1_000 {
            *lock.lock() += 1;
            *shared.write() += *lock.lock();
        }
    }

    pub fn waiting() {
        let _ = Semaphore::new(0)
            .acquire_for(Duration::from_millis(1))
            .is_ok();
    }

    /// Runs `f` without system calls and ends the process.
    pub fn run(f: fn()) -> ! {
        // SAFETY: the call takes no pointers, and touches nothing but the calling thread's rights.
        let refused = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_STRICT) };
        if refused != 0 {
            std::process::exit(NO_SECCOMP);
        }
        f();
        // std's exit ends a process by a call that is forbidden now. This one ends the only thread.
        // SAFETY: the call takes a number and does not return; nothing is left to be done in the process.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
        unreachable!("the thread has ended")
    }
}
