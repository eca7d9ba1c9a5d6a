//! A panic that no join took goes to the hook; a process of its own, since there is one hook.

#[path = "behaviours/common.rs"]
mod common;

use common::{LONG, SHORT, within_limit};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use threads::{
    GetError, JoinError, Local, Queue, Thread, TimedOut, exit_thread, join_others_for, run_main,
    spawn,
};

#[test]
fn the_hook_and_the_end_of_the_program() {
    within_limit(|| {
        the_hook_is_called_for_panics_that_no_join_took();
        the_program_waits_for_all_but_daemons();
        the_program_waits_for_thread_local_values();
    });
}

fn the_hook_is_called_for_panics_that_no_join_took() {
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

    a_thread_that_ends_itself_is_silent();
    assert_eq!(heard.try_get(), Err(GetError::Empty));

    threads::reset_excepthook();
    drop(failing("unheard"));
    assert_eq!(heard.get_for(SHORT), Err(GetError::TimedOut));
}

fn a_thread_that_ends_itself_is_silent() {
    static PRINTED: AtomicUsize = AtomicUsize::new(0);
    let printing = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| _ = PRINTED.fetch_add(1, Ordering::Relaxed)));

    let mut joined = spawn(|| exit_thread()).unwrap();
    assert!(matches!(joined.join(), Err::<(), _>(JoinError::Exited)));
    assert!(matches!(joined.join(), Err(JoinError::AlreadyJoined)));
    let dropped = spawn(|| exit_thread()).unwrap();
    while dropped.is_alive() {
        std::thread::yield_now();
    }
    drop::<Thread<()>>(dropped);

    std::panic::set_hook(printing);
    assert_eq!(PRINTED.load(Ordering::Relaxed), 0);
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

/// A value whose destructor, at the end of its thread, waits for the gate.
struct Lingering {
    gate: Queue<()>,
    dropped: Queue<()>,
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let _ = self.gate.get();
        let _ = self.dropped.put(());
    }
}

fn the_program_waits_for_thread_local_values() {
    let (gate, dropped) = (Queue::unbounded(), Queue::unbounded());
    let (opened, log) = (gate.clone(), dropped.clone());
    run_main(|| {
        let local = Arc::new(Local::new(move || Lingering {
            gate: opened.clone(),
            dropped: log.clone(),
        }));
        drop(spawn(move || local.with(|_| ())).unwrap());
        assert_eq!(join_others_for(SHORT), Err(TimedOut));
        gate.put(()).unwrap();
    });
    assert_eq!(dropped.try_get(), Ok(()));
}
