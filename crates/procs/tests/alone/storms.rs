//! Workers that are killed again and again, at any instruction: each task ends once, and none is begun twice.
//!
//! In a release build the counts are those that the crate promises; in a debug build they are a small part.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use procs::{JobError, Pool, PoolBuilder, SharedArray, SharedValue};

use crate::{LIMIT, PART, eventually};

const TASKS: u32 = 100_000 / PART;
const KILLS: u32 = 1_000 / PART;

/// How often each task was begun.
static BEGINS: OnceLock<SharedArray<u8>> = OnceLock::new();

/// Has the worker killed by a thread of its own, after a random time of at most five milliseconds, until there have been
/// enough kills. (Nobody else can kill it without the risk of a recycled process id.)
#[procs::task]
fn live_dangerously(begins: SharedArray<u8>, kills: SharedValue<u32>) {
    BEGINS.get_or_init(|| begins);
    let life = Duration::from_micros(random() % 5_000);
    thread::spawn(move || {
        thread::sleep(life);
        if kills.update(|kills| kills + 1) <= KILLS {
            // SAFETY: both calls take and return integers only.
            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        }
    });
}

/// A number that differs from process to process.
fn random() -> u64 {
    static STATE: AtomicU64 = AtomicU64::new(0);
    let seed = u64::from(std::process::id()) ^ STATE.fetch_add(1, Relaxed);
    let mixed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ mixed >> 31).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 33
}

#[procs::task]
fn square(n: u32) -> u64 {
    let begins = BEGINS.get().expect("the initializer has run");
    begins.update(n as usize, |count| count.saturating_add(1));
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_micros(30) {}
    u64::from(n) * u64::from(n)
}

struct Storm {
    begins: SharedArray<u8>,
    kills: SharedValue<u32>,
    pool: Pool,
}

fn storm(builder: PoolBuilder) -> Storm {
    procs::init();
    let begins = SharedArray::<u8>::new(TASKS as usize).expect("there is memory");
    let kills = SharedValue::new(0_u32).expect("there is memory");
    let builder = builder
        .workers(2)
        .initializer(live_dangerously, (begins.clone(), kills.clone()));
    let pool = builder.build().expect("it starts");
    Storm {
        begins,
        kills,
        pool,
    }
}

impl Storm {
    /// As many as have been reported; what is not may still be under way.
    fn kills(&self) -> u32 {
        self.kills.get().min(KILLS)
    }

    fn end(self) {
        let kills = self.kills();
        assert!(kills >= KILLS / 2, "only {kills} workers were killed");
        println!("{TASKS} tasks, {kills} kills");
        drop(self.pool);
        eventually("all have ended", LIMIT, || {
            procs::active_children().is_empty()
        });
        assert_eq!(crate::counting::zombies_of(std::process::id()), [0_u32; 0]);
    }
}

/// Without retries a task ends in its result or is lost with its worker, and was begun at most once.
pub fn without_retries() {
    let storm = storm(Pool::builder());
    let jobs: Vec<_> = (0..TASKS).map(|n| storm.pool.submit(square, n)).collect();
    let (mut values, mut deaths) = (0, 0);
    for (n, mut job) in (0..TASKS).zip(jobs) {
        match job.result_for(LIMIT) {
            Ok(value) => {
                assert_eq!(value, u64::from(n) * u64::from(n));
                assert_eq!(storm.begins.get(n as usize), 1, "task {n} has a result");
                values += 1;
            }
            Err(JobError::WorkerDied { status, .. }) if status.signal() == Some(9) => {
                assert!(
                    storm.begins.get(n as usize) <= 1,
                    "task {n} was begun twice"
                );
                deaths += 1;
            }
            Err(error) => panic!("{n}: {error}"),
        }
    }
    assert_eq!(values + deaths, TASKS);
    let kills = storm.kills();
    assert!(deaths <= kills, "{deaths} tasks lost by {kills} kills");
    assert!(deaths > 0, "no kill hit a task");
    storm.end();
}

/// With retries each task ends in its result.
pub fn with_retries() {
    let storm = storm(Pool::builder().retries(KILLS));
    let squares = storm
        .pool
        .map_collect(square, 0..TASKS)
        .expect("all end well");
    assert!((0..TASKS).map(|n| u64::from(n) * u64::from(n)).eq(squares));
    assert!((0..TASKS).all(|n| storm.begins.get(n as usize) >= 1));
    storm.end();
}
