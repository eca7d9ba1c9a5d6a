//! Functions handed to pools.

use super::Figures;
use crate::peers::{Contest, Row, Target};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use std::hint::black_box;
use std::sync::mpsc;
use std::time::Instant;
use threads::Pool;

const WORKERS: usize = 2;
const ONE_BY_ONE: u32 = 5_000;
const AT_ONCE: u32 = 10_000;
const ITEMS: u32 = 200_000;

/// Nanoseconds for each of `n`.
fn time(n: u32, f: impl FnOnce()) -> f64 {
    let start = Instant::now();
    f();
    start.elapsed().as_nanos() as f64 / f64::from(n)
}

/// Some dozens of nanoseconds of work.
fn work(n: u32) -> u32 {
    (0..32).fold(n, |x, _| {
        black_box(x.wrapping_mul(1_664_525).wrapping_add(1))
    })
}

/// One task at a time: handed in and waited for.
fn one_by_one(run: impl Fn(u32, mpsc::Sender<u32>)) -> f64 {
    time(ONE_BY_ONE, || {
        for n in 0..ONE_BY_ONE {
            let (put, get) = mpsc::channel();
            run(n, put);
            black_box(get.recv().expect("a result"));
        }
    })
}

/// Many tasks handed in, then all waited for.
fn at_once(run: impl Fn(u32, mpsc::Sender<u32>)) -> f64 {
    time(AT_ONCE, || {
        let (put, get) = mpsc::channel();
        (0..AT_ONCE).for_each(|n| run(n, put.clone()));
        drop(put);
        assert_eq!(get.iter().count(), AT_ONCE as usize);
    })
}

/// Rows for each way of using a pool.
pub fn rows(rounds: usize, python: &Figures) -> Vec<Row> {
    let pool = Pool::new(WORKERS).expect("threads");
    let rayon = rayon::ThreadPoolBuilder::new().num_threads(WORKERS).build();
    let rayon = rayon.expect("threads");
    let threadpool = threadpool::ThreadPool::new(WORKERS);
    let to_rayon = |n, put: mpsc::Sender<u32>| rayon.spawn(move || put.send(n).expect("open"));
    let to_threadpool =
        |n, put: mpsc::Sender<u32>| threadpool.execute(move || put.send(n).expect("open"));

    let mut rows = Contest::new("threads", "submit and result, one outstanding")
        .entrant("ours", || ours_one_by_one(&pool))
        .entrant("by result_here", || ours_here(&pool))
        .entrant("rayon spawn + channel", || one_by_one(to_rayon))
        .entrant("threadpool + channel", || one_by_one(to_threadpool))
        .fixed("ThreadPoolExecutor", python.get("executor").copied())
        .goal(
            "ours",
            &["rayon spawn + channel"],
            Target::Ratio(1.0 / 25.0),
        )
        .goal("ours", &["threadpool + channel"], Target::None)
        .goal("ours", &["ThreadPoolExecutor"], Target::Ratio(1.0 / 100.0))
        .goal(
            "by result_here",
            &["rayon spawn + channel"],
            Target::Ratio(1.0 / 25.0),
        )
        .goal(
            "by result_here",
            &["ThreadPoolExecutor"],
            Target::Ratio(1.0 / 100.0),
        )
        .run(rounds);
    rows.extend(
        Contest::new("threads", "submit 10,000, wait for all")
            .entrant("ours", || ours_at_once(&pool))
            .entrant("rayon spawn + channel", || at_once(to_rayon))
            .entrant("threadpool + channel", || at_once(to_threadpool))
            .goal("ours", &["rayon spawn + channel"], Target::Ratio(0.6))
            .goal("ours", &["threadpool + channel"], Target::Ratio(0.5))
            .run(rounds),
    );
    rows.extend(
        Contest::new("threads", "map in chunks")
            .entrant("ours", || ours_map(&pool))
            .entrant("rayon par_iter", || rayon_map(&rayon))
            .goal("ours", &["rayon par_iter"], Target::Ratio(1.05))
            .run(rounds),
    );
    rows
}

fn ours_one_by_one(pool: &Pool) -> f64 {
    time(ONE_BY_ONE, || {
        for n in 0..ONE_BY_ONE {
            black_box(pool.submit(move || n).result().expect("a result"));
        }
    })
}

/// As `ours_one_by_one`, but the caller runs what no worker has begun.
fn ours_here(pool: &Pool) -> f64 {
    time(ONE_BY_ONE, || {
        for n in 0..ONE_BY_ONE {
            black_box(pool.submit(move || n).result_here().expect("a result"));
        }
    })
}

fn ours_at_once(pool: &Pool) -> f64 {
    time(AT_ONCE, || {
        let jobs: Vec<_> = (0..AT_ONCE).map(|n| pool.submit(move || n)).collect();
        for job in jobs {
            black_box(job.result().expect("a result"));
        }
    })
}

fn ours_map(pool: &Pool) -> f64 {
    time(ITEMS, || {
        let results = pool.map(work, 0..ITEMS).chunks(10_000);
        let results = results.map(|result| u64::from(result.expect("a result")));
        black_box(results.sum::<u64>());
    })
}

fn rayon_map(rayon: &rayon::ThreadPool) -> f64 {
    time(ITEMS, || {
        let results = rayon.install(|| (0..ITEMS).into_par_iter().map(work).collect::<Vec<_>>());
        black_box(results.into_iter().map(u64::from).sum::<u64>());
    })
}
