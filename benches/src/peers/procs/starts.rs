//! Starts and ends of processes and programs.

use std::process::Command;
use std::time::{Duration, Instant};

use procs::{JobError, Pool, StartMethod};

use super::time;
use crate::peers::original::Original;
use crate::peers::{Contest, Row, Target};

const STARTS: usize = 50;

#[procs::task]
fn nothing() {}

/// Rows for processes, programs and a worker's death.
pub fn rows(rounds: usize, python: &Original) -> Vec<Row> {
    let mut rows = starts(rounds, python);
    rows.extend(beside_much_memory(rounds));
    rows.extend(one_shot(rounds));
    rows.extend(programs(rounds));
    rows.extend(deaths(rounds, python));
    rows
}

/// Processes started and joined, one after the other.
fn start_and_join(method: StartMethod) -> f64 {
    let builder = procs::Process::builder().start_method(method);
    time(STARTS, || {
        for _ in 0..STARTS {
            let mut process = builder.spawn(nothing, ()).expect("it starts");
            process.join().expect("it returns");
        }
    })
}

fn starts(rounds: usize, python: &Original) -> Vec<Row> {
    let contest = Contest::new("procs", "start and join")
        .entrant("ours", || start_and_join(StartMethod::ForkServer));
    let contest = python.enter(contest, "Python's forkserver", "start_forkserver");
    let contest = python.enter(contest, "Python's fork", "start_fork");
    contest
        .goal("ours", &["Python's forkserver"], Target::Ratio(1.0 / 100.0))
        .goal("ours", &["Python's fork"], Target::Ratio(1.0 / 15.0))
        .run(rounds)
}

/// The same in a process that holds 2 GiB: the fork server does not.
fn beside_much_memory(rounds: usize) -> Vec<Row> {
    let small = start_and_join(StartMethod::ForkServer);
    let mut alone = vec![small];
    alone.extend((1..rounds).map(|_| start_and_join(StartMethod::ForkServer)));
    let mut alone = alone.into_iter().cycle();
    let ballast = vec![1_u8; 2 << 30];
    let rows = Contest::new("procs", "start and join, in a process of 2 GiB")
        .entrant("ours", || {
            std::hint::black_box(&ballast);
            start_and_join(StartMethod::ForkServer)
        })
        .entrant("in a small process", || alone.next().unwrap_or(f64::NAN))
        .goal("ours", &["in a small process"], Target::Ratio(1.1))
        .run(rounds);
    drop(ballast);
    rows
}

/// A process for one call, its result, its end.
fn one_shot(rounds: usize) -> Vec<Row> {
    Contest::new("procs", "one process for one call")
        .entrant("ours", || start_and_join(StartMethod::ForkServer))
        .entrant("by StartMethod::Spawn", || {
            start_and_join(StartMethod::Spawn)
        })
        .entrant("procspawn::spawn", || {
            time(STARTS, || {
                for _ in 0..STARTS {
                    procspawn::spawn((), |()| ()).join().expect("it returns");
                }
            })
        })
        .goal("ours", &["procspawn::spawn"], Target::Ratio(0.12))
        .goal("by StartMethod::Spawn", &["procspawn::spawn"], Target::None)
        .run(rounds)
}

fn programs(rounds: usize) -> Vec<Row> {
    Contest::new("procs", "command(\"true\").run()")
        .entrant("ours", || {
            time(STARTS, || {
                for _ in 0..STARTS {
                    let output = procs::command("true").run().expect("it starts");
                    assert!(output.status().success());
                }
            })
        })
        .entrant("std's Command", || {
            time(STARTS, || {
                for _ in 0..STARTS {
                    let output = Command::new("true").output().expect("it starts");
                    assert!(output.status.success());
                }
            })
        })
        .goal("ours", &["std's Command"], Target::Ratio(1.05))
        .run(rounds)
}

/// From the kill of a worker to the error of its job.
fn deaths(rounds: usize, python: &Original) -> Vec<Row> {
    const DEATHS: usize = 10;
    let ours = || {
        let pool = Pool::new(2).expect("it starts");
        let deaths = (0..DEATHS).map(|_| {
            let job = pool.submit(kill_itself, ());
            let begun = Instant::now();
            assert!(matches!(job.result(), Err(JobError::WorkerDied { .. })));
            let time = begun.elapsed().as_nanos() as f64;
            // Until both workers are there again.
            let fresh = [pool.submit(nothing, ()), pool.submit(nothing, ())];
            fresh
                .into_iter()
                .for_each(|job| job.result().expect("it runs"));
            time
        });
        deaths.sum::<f64>() / DEATHS as f64
    };
    let contest = Contest::new("procs", "SIGKILL in a task to the error").entrant("ours", ours);
    python
        .enter(contest, "ProcessPoolExecutor", "killed")
        .goal("ours", &["ProcessPoolExecutor"], Target::Ratio(1.0 / 3.0))
        .run(rounds)
}

/// As `kill -9` would, from within: nobody else need be waited for.
#[procs::task]
fn kill_itself() {
    let own = nix::unistd::Pid::this();
    let _ = nix::sys::signal::kill(own, nix::sys::signal::Signal::SIGKILL);
    std::thread::sleep(Duration::from_secs(3600));
}
