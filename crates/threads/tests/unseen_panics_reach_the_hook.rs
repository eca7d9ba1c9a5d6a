//! A panic of a thread that nobody joins goes to the hook; a process of its own, since there is one hook.

#[path = "behaviours/common.rs"]
mod common;

use common::{LONG, SHORT, within_limit};
use std::time::Duration;
use threads::{GetError, Queue, Thread, TimedOut, join_others_for, run_main, spawn};

#[test]
fn the_hook_and_the_end_of_the_program() {
    within_limit(|| {
        the_hook_hears_of_panics_that_nobody_joined();
        the_program_waits_for_all_but_daemons();
    });
}

fn the_hook_hears_of_panics_that_nobody_joined() {
    let heard = Queue::unbounded();
    let sink = heard.clone();
    threads::set_excepthook(move |thread, panic| {
        sink.put(format!("{} {}", thread.name(), panic.message()))
            .unwrap();
        // Reported on standard error, and nothing else.
        panic!("in the hook");
    });
    let failing = |name: &str| {
        Thread::builder()
            .name(name)
            .spawn(|| panic!("failed"))
            .unwrap()
    };

    let mut joined = failing("joined");
    assert!(joined.join().is_err());
    drop(joined);

    let ended = failing("dropped");
    while ended.is_alive() {
        std::thread::yield_now();
    }
    drop(ended);
    assert_eq!(heard.get_for(LONG).as_deref(), Ok("dropped failed"));

    drop(failing("detached"));
    assert_eq!(heard.get_for(LONG).as_deref(), Ok("detached failed"));

    threads::reset_excepthook();
    drop(failing("unheard"));
    assert_eq!(heard.get_for(SHORT), Err(GetError::TimedOut));
}

fn the_program_waits_for_all_but_daemons() {
    let (gate, ended) = (Queue::<()>::bounded(1), Queue::unbounded());
    let (opened, log) = (gate.clone(), ended.clone());
    let daemon_gate = Queue::<()>::bounded(1);
    let daemon_waits = daemon_gate.clone();
    let value = run_main(|| {
        drop(spawn(move || {
            opened.get().unwrap();
            log.put("thread").unwrap();
        }));
        let daemon = Thread::builder().daemon(true);
        drop(daemon.spawn(move || daemon_waits.get()).unwrap());
        assert_eq!(join_others_for(SHORT), Err(TimedOut));
        gate.put(()).unwrap();
        7
    });
    assert_eq!((value, ended.try_get()), (7, Ok("thread")));
    assert_eq!(join_others_for(Duration::ZERO), Ok(()));
    daemon_gate.put(()).unwrap();
}
