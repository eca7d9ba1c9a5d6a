//! Each example does what its header says.

use std::path::PathBuf;
use std::process::Command;

fn program(name: &str) -> PathBuf {
    // Test programs are in target/PROFILE/deps, examples in target/PROFILE/examples.
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.join("examples").join(name)
}

fn shown(name: &str, arguments: &[&str]) -> String {
    let ran = Command::new(program(name))
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success(), "{name}: {said}");
    String::from_utf8(ran.stdout).unwrap()
}

/// The programs that `compare advise` gives to start from: each compiles, or this would not, and works.
#[test]
fn every_start_works() {
    for (name, expected) in [
        ("start_serial", "328350\n"),
        ("start_process_per_task", "285\n"),
        ("start_process_pool", "328350\n"),
        ("start_thread_per_task", "328350\n"),
        ("start_thread_pool", "328350\n"),
        ("start_coroutines", "328350\n"),
        ("start_event_loop", "328350\n"),
        ("start_event_loop_per_core", "328350\n"),
        ("start_prefork", "328350\n"),
    ] {
        assert_eq!(shown(name, &[]), expected, "{name}");
    }
}

#[test]
fn four_ways() {
    let folder = std::env::temp_dir().join(format!("four-ways-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let shown = shown("four_ways", &[folder.to_str().unwrap()]);
    let picture = std::fs::read_to_string(folder.join("four_ways.svg")).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    for model in benches::Model::ALL {
        let lanes = shown
            .split("\n\n")
            .find(|part| part.starts_with(&format!("{model}, ")));
        let lanes = lanes.unwrap_or_else(|| panic!("{model} in {shown}"));
        assert!(lanes.contains('█') && lanes.contains('·'), "{lanes}");
        assert!(
            picture.contains(&format!(">{model}, ")),
            "{model} has its place in the picture"
        );
    }
    let lanes = |model: &str| {
        shown
            .split("\n\n")
            .find(|part| part.starts_with(model))
            .unwrap()
            .lines()
            .count()
            - 1
    };
    assert_eq!((lanes("serial, "), lanes("thread-per-task, ")), (1, 2));
    assert!(
        shown.contains("process 1, thread 1, task 1"),
        "coroutines share a thread and have a lane each"
    );
    assert!(
        shown.contains("process 2, thread 1"),
        "processes are told apart"
    );
}
