//! Tasks given to pools.

use std::io::{Read, Write};

use std::os::unix::net::UnixStream;

use procs::{Descriptor, Pool};

use super::time;
use crate::peers::original::Original;
use crate::peers::{Contest, Row, Target};

const WORKERS: usize = 2;
const TINY: u64 = 200_000;
const STREAM: u64 = 10_000;
const APPLIES: u64 = 2_000;

#[procs::task]
pub(super) fn square(n: u64) -> u64 {
    n * n
}

/// Answers each message of eight bytes by itself, until there are no more.
#[procs::task]
fn echo(socket: Descriptor) {
    let mut socket = UnixStream::from(socket.into_inner());
    let mut message = [0; 8];
    while socket.read_exact(&mut message).is_ok() {
        if socket.write_all(&message).is_err() {
            return;
        }
    }
}

/// Rows for maps, a stream of jobs, and one job at a time.
pub fn rows(rounds: usize, python: &Original) -> Vec<Row> {
    let pool = Pool::new(WORKERS).expect("it starts");
    let mut rows = maps(&pool, rounds, python);
    rows.extend(stream(&pool, rounds));
    rows.extend(one_by_one(&pool, rounds, python));
    rows
}

fn maps(pool: &Pool, rounds: usize, python: &Original) -> Vec<Row> {
    let map = || {
        time(TINY as usize, || {
            let squares = pool.map_collect(square, 0..TINY).expect("they run");
            assert_eq!(squares.len() as u64, TINY);
        })
    };
    let contest = Contest::new("procs", "map of tiny tasks").entrant("ours", map);
    let contest = python.enter(contest, "Pool.map(chunksize=1)", "map_one_by_one");
    let contest = python.enter(contest, "ProcessPoolExecutor.map", "executor_map");
    let contest = python.enter(contest, "Pool.map, its own chunks", "map_in_chunks");
    contest
        .goal(
            "ours",
            &["Pool.map(chunksize=1)"],
            Target::Ratio(1.0 / 30.0),
        )
        .goal(
            "ours",
            &["ProcessPoolExecutor.map"],
            Target::Ratio(1.0 / 100.0),
        )
        .goal("ours", &["Pool.map, its own chunks"], Target::Ratio(0.35))
        .run(rounds)
}

fn stream(pool: &Pool, rounds: usize) -> Vec<Row> {
    let theirs = procspawn::Pool::new(WORKERS).expect("it starts");
    let rows = Contest::new("procs", "submit many, results in order")
        .entrant("ours", || {
            time(STREAM as usize, || {
                let jobs: Vec<_> = (0..STREAM).map(|n| pool.submit(square, n)).collect();
                for (n, job) in (0..).zip(jobs) {
                    assert_eq!(job.result().expect("it runs"), n * n);
                }
            })
        })
        .entrant("procspawn pool", || {
            let count = STREAM / 10;
            time(count as usize, || {
                let jobs: Vec<_> = (0..count)
                    .map(|n| procspawn::spawn!(in theirs, (n => n) || n * n))
                    .collect();
                for (n, job) in (0..).zip(jobs) {
                    assert_eq!(job.join().expect("it runs"), n * n);
                }
            })
        })
        .goal("ours", &["procspawn pool"], Target::Ratio(1.0 / 20.0))
        .run(rounds);
    theirs.shutdown();
    rows
}

fn one_by_one(pool: &Pool, rounds: usize, python: &Original) -> Vec<Row> {
    let (here, there) = UnixStream::pair().expect("there are descriptors");
    let process = procs::spawn(echo, Descriptor::new(there)).expect("it starts");
    let ping_pong = || {
        time(APPLIES as usize, || {
            let mut message = [0; 8];
            for _ in 0..APPLIES {
                (&here).write_all(&message).expect("it lives");
                (&here).read_exact(&mut message).expect("it lives");
            }
        })
    };
    let contest = Contest::new("procs", "apply, one outstanding")
        .entrant("ours", || {
            time(APPLIES as usize, || {
                for n in 0..APPLIES {
                    assert_eq!(pool.apply(square, n).expect("it runs"), n * n);
                }
            })
        })
        .entrant("a socket pair's ping-pong", ping_pong);
    let rows = python
        .enter(contest, "Pool.apply", "apply")
        .goal("ours", &["Pool.apply"], Target::Ratio(0.1))
        .goal("ours", &["a socket pair's ping-pong"], Target::Ratio(1.5))
        .run(rounds);
    drop(process);
    rows
}
