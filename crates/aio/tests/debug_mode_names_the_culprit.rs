//! Debug mode: what holds up the loop is named with the place that created it, and the tree shows who waits for whom.

use std::{
    cell::RefCell,
    future::pending,
    process::{Command, Stdio},
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use aio::{EventLoop, create_task};

fn debug_loop(slow_step: Duration) -> (EventLoop, Rc<RefCell<Vec<String>>>) {
    let event_loop = EventLoop::builder()
        .debug(true)
        .slow_step(slow_step)
        .build()
        .unwrap();
    let reports = Rc::new(RefCell::new(Vec::new()));
    let seen = reports.clone();
    event_loop.set_exception_handler(move |context| seen.borrow_mut().push(context.to_string()));
    (event_loop, reports)
}

#[test]
fn a_slow_step_and_a_slow_callback_are_named_and_a_quick_one_is_not() {
    let (event_loop, reports) = debug_loop(Duration::from_millis(20));
    event_loop
        .call_soon(|| thread::sleep(Duration::from_millis(25)))
        .unwrap();
    let task = event_loop.create_task(async { thread::sleep(Duration::from_millis(25)) });
    task.set_name("blocker");
    event_loop.run_until_complete(task).unwrap().unwrap();
    let reports = reports.borrow();
    assert_eq!(reports.len(), 2, "{reports:?}");
    assert!(
        reports[0].contains("callback") && reports[0].contains(file!()),
        "{reports:?}"
    );
    assert!(
        reports[1].contains("blocker") && reports[1].contains(file!()),
        "{reports:?}"
    );
}

#[test]
fn without_debug_mode_nothing_is_measured() {
    let event_loop = EventLoop::builder()
        .debug(false)
        .slow_step(Duration::ZERO)
        .build()
        .unwrap();
    event_loop.set_exception_handler(|context| panic!("{context}"));
    event_loop
        .run_until_complete(async { thread::sleep(Duration::from_millis(2)) })
        .unwrap();
}

#[test]
fn the_tree_shows_who_waits_for_whom() {
    let (event_loop, _) = debug_loop(Duration::from_secs(60));
    let tree = event_loop
        .run_until_complete(async {
            let parent = create_task(async {
                let child = create_task(pending::<()>());
                child.set_name("child");
                child.await
            });
            parent.set_name("parent");
            let alone = create_task(pending::<()>());
            alone.set_name("alone");
            aio::yield_now().await;
            aio::yield_now().await;
            let tree = event_loop.task_tree();
            parent.abort();
            alone.abort();
            tree
        })
        .unwrap();
    let lines: Vec<&str> = tree.lines().collect();
    assert_eq!(lines.len(), 4, "{tree}");
    assert!(
        lines[1].starts_with("parent, created at ") && lines[1].contains(file!()),
        "{tree}"
    );
    assert!(lines[2].starts_with("└─ child"), "{tree}");
    assert!(lines[3].starts_with("alone"), "{tree}");
}

#[test]
fn a_step_that_never_yields_is_named_while_it_lasts_and_a_signal_prints_the_tree() {
    const CHILD: &str = "AIO_TEST_STUCK";
    if std::env::var_os(CHILD).is_some() {
        aio::run(async {
            let stuck = create_task(async { thread::sleep(Duration::from_millis(1800)) });
            stuck.set_name("sleeper");
            stuck.await.unwrap();
            let waiting = create_task(pending::<()>());
            waiting.set_name("patient");
            Command::new("kill")
                .args(["-USR1", &std::process::id().to_string()])
                .status()
                .unwrap();
            aio::sleep(Duration::from_millis(300)).await;
            waiting.abort();
        })
        .unwrap();
        return;
    }
    // Its report goes to standard error, so this test runs itself once more.
    let name = "a_step_that_never_yields_is_named_while_it_lasts_and_a_signal_prints_the_tree";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .env("AIO_DEBUG", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains("stuck in a step") && text.contains("sleeper"),
        "{text}"
    );
    assert!(
        text.lines()
            .any(|line| line.trim_start_matches("└─ ").starts_with("patient")),
        "{text}"
    );
}

#[test]
fn a_virtual_clock_jumps_from_timer_to_timer_in_order() {
    let event_loop = EventLoop::builder().virtual_clock(true).build().unwrap();
    let begin = (Instant::now(), event_loop.time());
    let order = RefCell::new(Vec::new());
    event_loop
        .run_until_complete(aio::gather_settled([3u64, 1, 2].map(async |hours| {
            aio::sleep(Duration::from_secs(3600 * hours)).await;
            order.borrow_mut().push(hours);
        })))
        .unwrap();
    assert_eq!(order.into_inner(), [1, 2, 3]);
    assert_eq!(event_loop.time() - begin.1, Duration::from_secs(3 * 3600));
    assert!(begin.0.elapsed() < Duration::from_secs(60));
    let late =
        event_loop.run_until_complete(aio::wait_for(pending::<()>(), Duration::from_secs(86_400)));
    assert!(late.unwrap().is_err());
}
