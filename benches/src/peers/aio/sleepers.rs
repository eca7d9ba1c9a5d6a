//! A million tasks that sleep at once, each case in a process of its own.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use super::{Figures, tokio};
use crate::peers::{Contest, Row, Target, Unit};

const COUNT: u64 = 1_000_000;

/// Long enough that all are asleep before the first wakes.
const NAP: Duration = Duration::from_millis(1500);

/// It takes seconds, and memory varies little.
const MOST_ROUNDS: usize = 3;

/// Bytes for each task, and the processor time from the first spawn to the last end.
pub fn rows(rounds: usize, python: &Figures) -> Vec<Row> {
    let rounds = rounds.min(MOST_ROUNDS);
    let (our_ns, their_ns) = (RefCell::default(), RefCell::default());
    let mut rows = Contest::new("aio", "bytes of a sleeping task, one million")
        .unit(Unit::Bytes)
        .entrant("ours", || bytes(ours, &our_ns))
        .entrant("tokio current-thread", || bytes(theirs, &their_ns))
        .fixed("asyncio", python.get("sleeper_bytes").copied())
        .goal("ours", &[], Target::Absolute(200.0))
        .goal("ours", &["tokio current-thread"], Target::Ratio(1.0))
        .goal("ours", &["asyncio"], Target::None)
        .run(rounds);
    // The same runs, looked at in another way.
    let next = |ns: &RefCell<VecDeque<f64>>| ns.borrow_mut().pop_front().expect("one a round");
    rows.extend(
        Contest::new("aio", "a million sleeping tasks, processor time each")
            .entrant("ours", || next(&our_ns))
            .entrant("tokio current-thread", || next(&their_ns))
            .goal("ours", &["tokio current-thread"], Target::Ratio(1.0))
            .run(rounds),
    );
    rows
}

/// What each of the tasks took.
#[derive(serde::Serialize, serde::Deserialize)]
struct Cost {
    bytes: f64,
    ns: f64,
}

/// Has a process of its own measure; gives the bytes and keeps the time.
fn bytes<T>(task: T, ns: &RefCell<VecDeque<f64>>) -> f64
where
    T: procs::Task<Args = (), Output = Cost>,
{
    let mut process = procs::spawn(task, ()).expect("a process");
    let cost = process.join().expect("an end");
    ns.borrow_mut().push_back(cost.ns);
    cost.bytes
}

struct Before {
    resident: u64,
    cpu: i64,
}

fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("procfs");
    let pages = pages.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0_u64) * 4096
}

fn cpu_us() -> i64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("a known call");
    usage.user_time().num_microseconds() + usage.system_time().num_microseconds()
}

impl Before {
    fn now() -> Self {
        Before {
            resident: resident(),
            cpu: cpu_us(),
        }
    }

    fn bytes_now(&self) -> f64 {
        (resident() - self.resident) as f64 / COUNT as f64
    }

    fn cost(&self, bytes: f64) -> Cost {
        let ns = (cpu_us() - self.cpu) as f64 * 1000.0 / COUNT as f64;
        Cost { bytes, ns }
    }
}

#[procs::task]
fn ours() -> Cost {
    let before = Before::now();
    let bytes = aio::run(async {
        let end = Instant::now() + NAP;
        for _ in 0..COUNT {
            aio::create_task(aio::sleep_until(end)).detach();
        }
        aio::yield_now().await;
        assert!(Instant::now() < end, "some were never asleep");
        let bytes = before.bytes_now();
        let tasks = || aio::get_running_loop().map_or(0, |this| this.all_tasks().len());
        aio::sleep_until(end).await;
        assert_eq!(tasks(), 1, "all have ended but this one");
        bytes
    });
    before.cost(bytes.expect("a loop"))
}

#[procs::task]
fn theirs() -> Cost {
    let before = Before::now();
    let bytes = tokio().block_on(async {
        let end = tokio::time::Instant::now() + NAP;
        let handle = tokio::runtime::Handle::current();
        let alive = || handle.metrics().num_alive_tasks() as u64;
        for _ in 0..COUNT {
            tokio::spawn(tokio::time::sleep_until(end));
        }
        tokio::time::sleep_until(end - NAP / 4).await;
        assert_eq!(alive(), COUNT);
        let bytes = before.bytes_now();
        while alive() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        bytes
    });
    before.cost(bytes)
}
