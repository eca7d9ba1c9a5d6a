//! Signals: ctrl-c once and twice, callbacks, and what is left when nobody listens any more.
//!
//! Each case is a process of its own, this program once more, for signals concern a process as a whole and its main
//! thread.

use std::{
    cell::Cell,
    env,
    future::pending,
    io::{BufRead, BufReader, Write},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitStatus, Stdio},
    rc::Rc,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use aio::{EventLoop, RunError, SignalKind};

const ROLE: &str = "AIO_TEST_ROLE";
const PATIENCE: Duration = Duration::from_secs(20);

type Case = (&'static str, fn(), fn(Role));

const CASES: &[Case] = &[
    ("one_interrupt_cancels_cleanly", one_child, one),
    (
        "a_second_interrupt_ends_a_loop_that_is_stuck",
        stuck_child,
        stuck,
    ),
    ("a_second_interrupt_cuts_cleanups_short", slow_child, stuck),
    (
        "after_the_run_an_interrupt_is_what_it_was",
        after_child,
        after,
    ),
    (
        "a_run_on_another_thread_leaves_interrupts_alone",
        other_child,
        after,
    ),
    (
        "a_program_that_ignores_interrupts_goes_on_ignoring",
        ignoring_child,
        ignoring,
    ),
    ("whoever_asks_for_interrupts_gets_them", asked_child, asked),
    (
        "callbacks_hear_each_signal_until_removed",
        callback_child,
        callback,
    ),
    (
        "callbacks_are_replaced_reported_and_refused",
        refused_child,
        refused,
    ),
];

fn main() {
    if let Ok(role) = env::var(ROLE) {
        let case = CASES.iter().find(|(name, ..)| *name == role);
        return case.expect("the role is one of the cases").1();
    }
    let filter = env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    for (name, _, test) in CASES {
        if filter.as_ref().is_none_or(|filter| name.contains(filter)) {
            test(Role::start(name));
            println!("test {name} ... ok");
        }
    }
}

/// A case's process. Killed when dropped.
struct Role {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Role {
    fn start(name: &str) -> Self {
        let itself = env::current_exe().unwrap();
        let mut command = if name.contains("ignores") {
            let mut shell = Command::new("sh");
            shell.args(["-c", "trap '' INT; exec \"$0\""]).arg(itself);
            shell
        } else {
            // Who starts the tests in the background of a script has them ignore interrupts, and no shell undoes that.
            let mut env = Command::new("env");
            env.arg("--default-signal=INT").arg(itself);
            env
        };
        let mut child = command
            .env(ROLE, name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                // A case that has failed hears no more.
                let _ = tell.send(line);
            }
        });
        Role { child, lines }
    }

    fn says(&mut self, expected: &str) {
        let line = self
            .lines
            .recv_timeout(PATIENCE)
            .expect("it says something");
        assert_eq!(line, expected);
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status();
        assert!(sent.unwrap().success());
    }

    fn end(&mut self) -> ExitStatus {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begin.elapsed() < PATIENCE, "it does not end");
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        // Already gone after a clean end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn one_child() {
    let ended = aio::run(async {
        let _guard = aio::on_cancel(async {
            aio::sleep(Duration::from_millis(5)).await;
            println!("the main coroutine has cleaned up");
        });
        aio::create_task(async {
            let _guard = aio::on_cancel(async { println!("a task has cleaned up") });
            println!("ready");
            pending::<()>().await;
        })
        .detach();
        pending::<()>().await;
    });
    assert!(matches!(ended, Err(RunError::Interrupted)), "{ended:?}");
    println!("{}", ended.unwrap_err());
}

fn one(mut role: Role) {
    role.says("ready");
    role.signal("INT");
    role.says("the main coroutine has cleaned up");
    role.says("a task has cleaned up");
    let last = role.lines.recv_timeout(PATIENCE).unwrap();
    assert!(last.starts_with("interrupted by SIGINT"), "{last}");
    assert!(role.end().success());
}

fn stuck_child() {
    let _ = aio::run(async {
        println!("ready");
        loop {
            thread::sleep(Duration::from_millis(1));
        }
    });
}

fn slow_child() {
    let _ = aio::run(async {
        let _guard = aio::on_cancel(pending());
        println!("ready");
        pending::<()>().await;
    });
}

fn stuck(mut role: Role) {
    role.says("ready");
    let begin = Instant::now();
    // Two that are on their way at once count as one, so it is sent until it works.
    while role.child.try_wait().unwrap().is_none() {
        assert!(begin.elapsed() < PATIENCE, "it does not end");
        role.signal("INT");
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(role.end().signal(), Some(2));
    assert!(
        begin.elapsed() < Duration::from_secs(4),
        "the clean-ups were waited for"
    );
}

fn after_child() {
    aio::run(async {}).unwrap();
    println!("ready");
    thread::sleep(PATIENCE);
}

fn other_child() {
    let run = thread::spawn(|| {
        aio::run(async {
            println!("ready");
            pending::<()>().await;
        })
    });
    let _ = run.join();
}

fn after(mut role: Role) {
    role.says("ready");
    role.signal("INT");
    assert_eq!(role.end().signal(), Some(2));
}

fn ignoring_child() {
    aio::run(async {
        println!("ready");
        let line = aio::to_thread(|| std::io::stdin().lines().next()).await;
        assert_eq!(line.unwrap().unwrap().unwrap(), "go on");
    })
    .unwrap();
}

fn ignoring(mut role: Role) {
    role.says("ready");
    role.signal("INT");
    role.signal("INT");
    role.child
        .stdin
        .take()
        .unwrap()
        .write_all(b"go on\n")
        .unwrap();
    assert!(role.end().success());
}

fn asked_child() {
    let name = aio::run(async {
        let asked_to_stop = aio::shutdown_signal().unwrap();
        println!("ready");
        asked_to_stop.await
    });
    println!("{}", name.unwrap());
}

fn asked(mut role: Role) {
    role.says("ready");
    role.signal("INT");
    role.says("SIGINT");
    assert!(role.end().success());
}

fn callback_child() {
    aio::run(async {
        let event_loop = aio::get_running_loop().unwrap();
        let (done, is_done) = aio::create_future();
        let (mut done, mut count) = (Some(done), 0);
        event_loop
            .add_signal_handler(SignalKind::interrupt(), move || {
                count += 1;
                println!("{count}");
                if count == 3 {
                    done.take().unwrap().set(());
                }
            })
            .unwrap();
        println!("ready");
        is_done.await.unwrap();
        assert!(event_loop.remove_signal_handler(SignalKind::interrupt()));
        assert!(!event_loop.remove_signal_handler(SignalKind::interrupt()));
        println!("removed");
        pending::<()>().await;
    })
    .unwrap();
}

fn callback(mut role: Role) {
    role.says("ready");
    for count in ["1", "2", "3"] {
        role.signal("INT");
        role.says(count);
    }
    role.says("removed");
    role.signal("INT");
    assert_eq!(role.end().signal(), Some(2));
}

fn refused_child() {
    let event_loop = EventLoop::new().unwrap();
    let kill = event_loop.add_signal_handler(SignalKind::from_raw(9), || ());
    assert!(kill.is_err(), "nobody handles SIGKILL");
    let hangup = SignalKind::hangup();
    event_loop
        .add_signal_handler(hangup, || unreachable!("it was replaced"))
        .unwrap();
    let (stopping, calls) = (event_loop.clone(), Rc::new(Cell::new(0)));
    let counting = calls.clone();
    event_loop
        .add_signal_handler(hangup, move || {
            counting.set(counting.get() + 1);
            println!("called");
            if counting.get() == 1 {
                panic!("as asked");
            }
            stopping.stop();
        })
        .unwrap();
    event_loop.set_exception_handler(|context| println!("{context}"));
    println!("ready");
    event_loop.run_forever().unwrap();
    println!("stopped");
    let line = std::io::stdin().lines().next().unwrap().unwrap();
    assert_eq!((calls.get(), &line[..]), (2, "sent"), "no run, no call");
    event_loop.run_forever().unwrap();
    assert_eq!(calls.get(), 3);
    event_loop.close().unwrap();
    assert_eq!(Rc::strong_count(&calls), 1, "the callback is gone");
    assert!(event_loop.add_signal_handler(hangup, || ()).is_err());
    println!("closed");
    thread::sleep(PATIENCE);
}

fn refused(mut role: Role) {
    role.says("ready");
    role.signal("HUP");
    role.says("called");
    role.says("a callback panicked: panicked: as asked");
    role.signal("HUP");
    role.says("called");
    role.says("stopped");
    role.signal("HUP");
    role.child
        .stdin
        .take()
        .unwrap()
        .write_all(b"sent\n")
        .unwrap();
    role.says("called");
    role.says("closed");
    role.signal("HUP");
    assert_eq!(
        role.end().signal(),
        Some(1),
        "the signal does again what it did"
    );
}
