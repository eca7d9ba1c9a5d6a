//! The thread that watches a program's processes.

use std::process;
use std::thread;

use procs::sync::Event;
use procs::{ProcessError, active_children};

use crate::counting::zombies_of;
use crate::{LIMIT, double, eventually};

#[procs::task]
fn stay(begun: Event) {
    begun.set();
    thread::sleep(LIMIT);
}

/// A panic of the thread ends its processes and every wait for them; the next process has a new thread.
pub fn panicked() {
    procs::init();
    let begun = Event::new().unwrap();
    for _ in 0..3 {
        let mut waited = procs::spawn(stay, begun.clone()).expect("it starts");
        let mut looked_at = procs::spawn(stay, begun.clone()).expect("it starts");
        begun.wait_for(LIMIT).unwrap();
        begun.clear();
        let joined = thread::spawn(move || waited.join_for(LIMIT / 2));
        procs::__private::fail_monitor();
        let error = joined.join().expect("it does not panic");
        assert_eq!(error, Err(ProcessError::MonitorPanicked));
        eventually("the other one has ended", LIMIT, || !looked_at.is_alive());
        assert_eq!(
            looked_at.try_join(),
            Some(Err(ProcessError::MonitorPanicked))
        );
        let mut next = procs::spawn(double, 4).expect("it starts");
        assert_eq!(next.join_for(LIMIT), Ok(8));
    }
    assert_eq!(active_children(), []);
    eventually("everything is collected", LIMIT, || {
        zombies_of(process::id()).is_empty()
    });
}
