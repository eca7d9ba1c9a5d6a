//! Forks need a process with one thread, which the standard harness is not.

use std::os::unix::process::parent_id;
use std::process;
use std::thread;
use std::time::Duration;

use procs::{Fork, ForkError, ForkedChild};

fn fork_child(child: impl FnOnce() -> i32) -> ForkedChild {
    match procs::fork_checked().expect("this process has one thread") {
        Fork::Child => process::exit(child()),
        Fork::Parent(child) => child,
    }
}

fn sleep_for_ever() -> i32 {
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}

pub fn returns_twice() {
    let parent = process::id();
    let mut child = fork_child(|| if parent_id() == parent { 42 } else { 1 });
    assert_ne!(child.pid(), process::id());
    assert_eq!(child.join().expect("it can be waited for").code(), Some(42));
    assert_eq!(
        child.join().expect("again").code(),
        Some(42),
        "the status stays"
    );
}

pub fn awaited_and_killed() {
    let mut child = fork_child(sleep_for_ever);
    assert!(child.try_join().is_none());
    assert!(matches!(
        child.join_for(Duration::from_millis(1)),
        Err(ForkError::TimedOut)
    ));
    child.terminate().unwrap();
    assert_eq!(
        child.join().expect("it can be waited for").signal(),
        Some(15)
    );
    let mut child = fork_child(sleep_for_ever);
    child.kill().unwrap();
    assert_eq!(
        child
            .join_for(crate::LIMIT)
            .expect("it can be waited for")
            .signal(),
        Some(9)
    );
    // A dropped handle leaves no zombie once another one is dropped.
    let dropped = fork_child(|| 0);
    let pid = dropped.pid();
    drop(dropped);
    crate::eventually("the dropped child is collected", crate::LIMIT, || {
        drop(fork_child(|| 0));
        !crate::counting::zombies_of(process::id()).contains(&pid)
    });
}

pub fn refuses_threads() {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let other = thread::spawn(move || stopped.recv());
    assert!(matches!(
        procs::fork_checked(),
        Err(ForkError::SeveralThreads(2))
    ));
    drop(stop);
    let _ = other.join();
    crate::eventually(
        "the thread has left the system's list",
        crate::LIMIT,
        || match procs::fork_checked() {
            Ok(Fork::Child) => process::exit(0),
            Ok(Fork::Parent(_)) => true,
            Err(_) => false,
        },
    );
}
