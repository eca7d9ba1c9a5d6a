//! `enumerate` lists exactly the threads that live; a process of its own, since the list is the process's.

#[path = "behaviours/common.rs"]
mod common;

use common::{SHORT, within_limit};
use threads::{Queue, Thread, active_count, current, enumerate, main, spawn};

fn names() -> Vec<String> {
    enumerate().iter().map(|info| info.name()).collect()
}

#[test]
fn threads_come_and_go_on_the_list() {
    within_limit(|| {
        let before = active_count();
        let gate = Queue::<()>::bounded(1);
        let opened = gate.clone();
        let mut thread = Thread::builder()
            .name("listed")
            .spawn(move || {
                let _ = opened.get();
                current()
            })
            .unwrap();
        assert!(names().contains(&"listed".to_owned()));
        assert!(thread.join_for(SHORT).is_err());
        assert!(thread.is_alive() && thread.info().is_alive());
        assert_eq!(active_count(), before + 1);

        gate.put(()).unwrap();
        let seen = thread.join().unwrap();
        assert_eq!(seen, *thread.info());
        assert_eq!(seen.ident(), thread.ident());
        assert_eq!(seen.native_id(), thread.native_id());
        assert!(!seen.is_alive());
        assert!(!names().contains(&"listed".to_owned()));

        the_main_thread_is_always_listed();
        default_names_count_up();
        a_foreign_thread_is_listed_after_its_first_look();
    });
}

fn the_main_thread_is_always_listed() {
    assert_eq!(enumerate()[0], main());
    assert!(main().is_main() && main().is_alive());
    // The harness runs tests on threads of its own.
    assert!(!current().is_main());
    #[cfg(target_os = "linux")]
    assert_eq!(main().native_id(), Some(u64::from(std::process::id())));
}

fn default_names_count_up() {
    let number = |name: &str| {
        name.strip_prefix("Thread-")
            .and_then(|n| n.parse::<u32>().ok())
    };
    let first = spawn(|| ()).unwrap();
    let second = spawn(|| ()).unwrap();
    assert!(number(&first.name()).unwrap() < number(&second.name()).unwrap());
    assert!(first.ident() < second.ident());
}

fn a_foreign_thread_is_listed_after_its_first_look() {
    let builder = std::thread::Builder::new().name("foreign".to_owned());
    let foreign = builder
        .spawn(|| {
            let before = names().contains(&"foreign".to_owned());
            let me = current();
            (
                before,
                me.name(),
                names().contains(&"foreign".to_owned()),
                me,
            )
        })
        .unwrap();
    let (before, name, after, info) = foreign.join().unwrap();
    assert!(!before && after);
    assert_eq!(name, "foreign");
    assert!(!info.is_alive());
    assert!(!names().contains(&"foreign".to_owned()));
    let unnamed = std::thread::spawn(|| current().name());
    assert!(unnamed.join().unwrap().starts_with("Dummy-"));
}
