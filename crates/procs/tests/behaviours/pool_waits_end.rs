//! Whatever a pool is asked to wait for, the wait ends: in time limits, initializers, callbacks, iterators, queues.

use std::fs;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use procs::{
    JobError, Pool, PoolBuilder, Shutdown, SpawnError, StartError, SubmitError, TimedOut, WaitFor,
};
use serde::{Deserialize, Deserializer, Serialize};

use crate::common::{Folder, LIMIT, eventually, signal, stop};

#[procs::task]
fn square(n: u64) -> u64 {
    n * n
}

/// Returns at once: the memory of the text is not released, which would take a part of the task's time.
#[procs::task]
fn length(text: String) -> usize {
    std::mem::ManuallyDrop::new(text).len()
}

/// Returns at once: the system provides the pages when they are encoded.
#[procs::task]
fn zeroes(bytes: usize) -> Vec<u8> {
    vec![0; bytes]
}

#[procs::task]
fn wait_for_file(path: PathBuf) {
    while !path.exists() {
        thread::sleep(Duration::from_millis(1));
    }
}

#[procs::task]
fn nothing() {}

#[procs::task]
fn sleep_millis(millis: u64) {
    thread::sleep(Duration::from_millis(millis));
}

fn limited(limit: Duration) -> Pool {
    let builder = Pool::builder().workers(1).task_timeout(limit);
    builder.build().unwrap()
}

#[test]
fn arguments_may_take_longer_to_arrive_than_a_task_may_take() {
    let pool = limited(Duration::from_millis(200));
    let bytes = 240_000_000;
    let mut job = pool.submit(length, "x".repeat(bytes));
    assert_eq!(job.result_for(LIMIT), Ok(bytes));
    assert_eq!(pool.stats().restarted, 0);
}

#[test]
fn a_result_may_take_longer_to_arrive_than_a_task_may_take() {
    let pool = limited(Duration::from_millis(200));
    let bytes = 80_000_000;
    let mut jobs: Vec<_> = (0..3).map(|_| pool.submit(zeroes, bytes)).collect();
    for job in &mut jobs {
        assert_eq!(job.result_for(LIMIT).map(|bytes| bytes.len()), Ok(bytes));
    }
}

/// Never decoded.
#[derive(Serialize)]
struct Endless;

impl<'de> Deserialize<'de> for Endless {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        loop {
            thread::sleep(Duration::from_secs(3600));
        }
    }
}

#[procs::task]
fn take_endless(_: Endless) {}

#[test]
fn a_decoder_that_never_ends_times_out() {
    let pool = limited(Duration::from_millis(50));
    let mut bad = pool.submit(take_endless, Endless);
    let mut good = pool.submit(square, 3);
    assert!(matches!(
        bad.result_for(LIMIT),
        Err(JobError::TaskTimedOut { .. })
    ));
    assert_eq!(good.result_for(LIMIT), Ok(9));
}

#[test]
fn a_worker_that_is_stopped_again_and_again_before_a_task_ends_it_with_an_error() {
    let pool = limited(Duration::from_millis(50));
    assert_eq!(pool.submit(square, 2).result_for(LIMIT), Ok(4));
    stop(pool.workers()[0].pid());
    // The next worker runs it.
    assert_eq!(pool.submit(square, 3).result_for(LIMIT), Ok(9));
}

#[test]
fn a_task_that_is_killed_for_its_time_is_the_one_that_was_overdue() {
    let pool = limited(Duration::from_millis(40));
    // Most are just below or above the limit; none ends in the error of another.
    let millis = [1, 30, 39, 40, 41, 200, 1, 35, 1, 200, 1];
    let jobs: Vec<_> = millis
        .map(|millis| (millis, pool.submit(sleep_millis, millis)))
        .into();
    for (millis, mut job) in jobs {
        match job.result_for(LIMIT) {
            Ok(()) => assert!(millis < 200),
            Err(JobError::TaskTimedOut { .. }) => assert!(millis > 1, "{millis}"),
            Err(error) => panic!("{millis}: {error}"),
        }
    }
}

#[test]
fn progress_is_reported_after_apply() {
    let reported = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&reported);
    let callback = move |stats: procs::PoolStats| count.store(stats.ended() as u32, Relaxed);
    let builder = Pool::builder().workers(1);
    let every = Duration::from_millis(50);
    let pool = builder.progress(every, callback).build().unwrap();
    for round in 1..4_u32 {
        pool.apply(square, 1).unwrap();
        pool.apply(square, 2).unwrap();
        eventually("both are reported", || reported.load(Relaxed) == 2 * round);
    }
}

#[test]
fn one_job_brings_back_one_parked_worker() {
    let folder = Folder::new();
    let builder = Pool::builder()
        .workers(4)
        .idle_timeout(Duration::from_millis(200));
    let pool = builder.initializer(sleep_millis, 300).build().unwrap();
    eventually("all are parked", || pool.workers().is_empty());
    let before = pool.stats().started;
    let job = pool.submit(wait_for_file, folder.path("go"));
    eventually("it runs", || job.is_running());
    assert_eq!(pool.stats().started, before + 1);
    fs::write(folder.path("go"), "").unwrap();
}

/// Refuses to be decoded.
#[derive(Serialize)]
struct Unreadable;

impl<'de> Deserialize<'de> for Unreadable {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("this one is unreadable"))
    }
}

#[procs::task]
fn take_unreadable(_: Unreadable) {}

#[procs::task]
fn exit_with(code: i32) {
    std::process::exit(code);
}

#[procs::task]
fn abort() {
    std::process::abort();
}

/// Why a pool does not come to work: told by `build`, or by its first job.
fn start_error(builder: PoolBuilder) -> StartError {
    match builder.build_for(LIMIT) {
        Err(SpawnError::Start(error)) => error,
        Err(error) => panic!("{error}"),
        Ok(pool) => match pool.submit(square, 1).result_for(LIMIT) {
            Err(JobError::Broken(error)) => error,
            other => panic!("{other:?}"),
        },
    }
}

#[test]
fn each_way_in_which_an_initializer_fails_has_its_error() {
    let builder = || Pool::builder().workers(2);
    let error = start_error(builder().initializer(take_unreadable, Unreadable));
    assert!(matches!(error, StartError::Decode(_)), "{error}");
    assert!(
        error.to_string().contains("this one is unreadable"),
        "{error}"
    );
    for code in [0, 3] {
        let error = start_error(builder().initializer(exit_with, code));
        assert!(
            matches!(error, StartError::InitializerDied(status) if status.code() == Some(code)),
            "{error}"
        );
        assert!(!error.to_string().contains("procs::init"), "{error}");
    }
    let error = start_error(builder().initializer(abort, ()));
    assert!(
        matches!(error, StartError::InitializerDied(status) if status.signal() == Some(6)),
        "{error}"
    );
}

#[test]
fn arguments_of_an_initializer_that_cannot_be_encoded_fail_the_build() {
    #[derive(Deserialize)]
    struct Unwritable;
    impl Serialize for Unwritable {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("this one is unwritable"))
        }
    }
    #[procs::task]
    fn take(_: Unwritable) {}
    let error = Pool::builder()
        .workers(1)
        .initializer(take, Unwritable)
        .build()
        .unwrap_err();
    assert!(matches!(error, SpawnError::Encode(_)), "{error}");
}

#[test]
fn one_worker_that_is_killed_in_its_initializer_does_not_end_the_others() {
    #[procs::task]
    fn wait_at_start(folder: PathBuf) {
        fs::write(folder.join(std::process::id().to_string()), "").expect("the folder is there");
        let go = folder.join("go");
        while !go.exists() {
            thread::sleep(Duration::from_millis(1));
        }
    }
    let folder = Folder::new();
    let path = folder.path("workers");
    fs::create_dir(&path).unwrap();
    let builder = Pool::builder().workers(4);
    let pool = builder
        .initializer(wait_at_start, path.clone())
        .build()
        .unwrap();
    let begun = || fs::read_dir(&path).unwrap().count();
    eventually("all are at it", || begun() == 4);
    let mut healthy = pool.workers();
    let mut victim = healthy.pop().unwrap();
    for round in 0..6 {
        signal(victim.pid(), "KILL");
        eventually("another begins", || begun() == 5 + round);
        // Its initializer may run before the pool lists it.
        eventually("it is listed", || {
            let other = pool
                .workers()
                .into_iter()
                .find(|worker| !healthy.contains(worker) && worker.pid() != victim.pid());
            other.map(|other| victim = other).is_some()
        });
    }
    fs::write(path.join("go"), "").unwrap();
    assert_eq!(pool.map_collect_for(square, 0..100, LIMIT).unwrap()[9], 81);
    let now = pool.workers();
    assert!(healthy.iter().all(|worker| now.contains(worker)));
}

/// Runs something that must not hang, on another thread.
fn bounded<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(what()));
    result.recv_timeout(LIMIT).expect("it hangs")
}

#[test]
fn callbacks_may_use_their_pool() {
    let pool = Arc::new(Pool::new(1).unwrap());
    let during = |callback: fn(Arc<Pool>) -> String| {
        let (said, heard) = mpsc::channel();
        let shared = Arc::clone(&pool);
        let job = pool.submit(sleep_millis, 20);
        job.on_done(move || said.send(callback(shared)).unwrap());
        heard.recv_timeout(LIMIT).expect("the callback hangs")
    };
    assert_eq!(
        during(|pool| format!("{:?}", pool.apply(square, 3))),
        "Ok(9)"
    );
    assert_eq!(
        during(|pool| format!("{:?}", pool.submit(square, 4).result())),
        "Ok(16)"
    );
    assert_eq!(
        during(|pool| format!("{:?}", pool.map_collect(square, 0..3))),
        "Ok([0, 1, 4])"
    );
    assert_eq!(during(|pool| format!("{:?}", pool.join())), "()");
    bounded(move || pool.join());
}

#[test]
fn callbacks_may_wait_for_later_ones() {
    let (pool, folder) = (Pool::new(1).unwrap(), Folder::new());
    // No job ends before its callback is there.
    let _gate = pool.submit(wait_for_file, folder.path("go"));
    let channels: Vec<_> = (0..4).map(|_| mpsc::channel::<u64>()).collect();
    let (senders, receivers): (Vec<_>, Vec<_>) = channels.into_iter().unzip();
    let (said, heard) = mpsc::channel();
    // One worker: the jobs end in order. Each callback waits for that of the next job.
    for (number, from) in receivers.into_iter().enumerate() {
        let to = number.checked_sub(1).map(|before| senders[before].clone());
        let said = said.clone();
        pool.submit(square, number as u64).on_done(move || {
            let sum = 1 + from.recv_timeout(LIMIT).expect("the later one is called");
            let to = to.as_ref();
            to.map_or_else(|| said.send(sum), |to| to.send(sum))
                .unwrap();
        });
    }
    let last = senders.last().unwrap().clone();
    pool.submit(square, 4)
        .on_done(move || last.send(0).unwrap());
    fs::write(folder.path("go"), "").unwrap();
    assert_eq!(heard.recv_timeout(LIMIT), Ok(4));
    bounded(move || pool.join());
}

/// A task's waker that becomes due while a caller of `apply` supervises is called with the callbacks.
#[test]
fn callbacks_may_wait_for_tasks_that_await_jobs() {
    struct Alarm(mpsc::Sender<()>);
    impl Wake for Alarm {
        fn wake(self: Arc<Self>) {
            self.0.send(()).unwrap();
        }
    }
    let (pool, folder) = (Arc::new(Pool::new(2).unwrap()), Folder::new());
    let (go, theirs) = (folder.path("go"), Arc::clone(&pool));
    let file = go.clone();
    let applying = thread::spawn(move || theirs.apply(wait_for_file, file));
    eventually("it runs", || pool.stats().in_flight == 1);
    let (wakes, woken) = mpsc::channel();
    let (said, heard) = mpsc::channel();
    // The other worker: no job ends before its callback is there.
    pool.submit(wait_for_file, folder.path("begin"))
        .on_done(move || said.send(woken.recv_timeout(LIMIT)).unwrap());
    let mut awaited = pool.submit(square, 2);
    let waker = Arc::new(Alarm(wakes)).into();
    let mut context = Context::from_waker(&waker);
    assert!(pin!(&mut awaited).poll(&mut context).is_pending());
    fs::write(folder.path("begin"), "").unwrap();
    assert_eq!(heard.recv_timeout(LIMIT), Ok(Ok(())));
    fs::write(go, "").unwrap();
    applying.join().unwrap().unwrap();
}

/// Each would wait for the return of a callback that waits for its own.
#[test]
fn callbacks_of_two_pools_may_join_the_other() {
    let pools = [(); 2].map(|()| Arc::new(Pool::new(1).unwrap()));
    let (both, folder) = (Arc::new(std::sync::Barrier::new(2)), Folder::new());
    let (said, heard) = mpsc::channel();
    for index in [0, 1] {
        let (other, both, said) = (
            Arc::clone(&pools[1 - index]),
            Arc::clone(&both),
            said.clone(),
        );
        let job = pools[index].submit(wait_for_file, folder.path("go"));
        job.on_done(move || {
            both.wait();
            said.send(other.join_for(LIMIT)).unwrap();
        });
    }
    fs::write(folder.path("go"), "").unwrap();
    for _ in 0..2 {
        assert_eq!(heard.recv_timeout(LIMIT), Ok(Ok(())));
    }
}

#[test]
fn a_callback_may_drop_the_last_handle() {
    let pool = Arc::new(Mutex::new(Some(Pool::new(1).unwrap())));
    let (said, heard) = mpsc::channel();
    let job = pool
        .lock()
        .unwrap()
        .as_ref()
        .unwrap()
        .submit(sleep_millis, 50);
    let theirs = Arc::clone(&pool);
    job.on_done(move || {
        let begun = Instant::now();
        drop(theirs.lock().unwrap().take());
        said.send(begun.elapsed()).unwrap();
    });
    let time = heard.recv_timeout(LIMIT).unwrap();
    assert!(time < Duration::from_secs(10), "{time:?}");
}

#[test]
fn join_waits_for_callbacks() {
    let pool = Pool::new(1).unwrap();
    let called = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&called);
    pool.submit(square, 1).on_done(move || {
        thread::sleep(Duration::from_millis(50));
        flag.store(true, Relaxed);
    });
    pool.join();
    assert!(called.load(Relaxed));
}

#[test]
fn tasks_behind_a_long_one_in_a_worker_with_a_last_task_run_elsewhere() {
    let folder = Folder::new();
    let pool = Pool::builder()
        .workers(2)
        .max_tasks_per_worker(30)
        .build()
        .unwrap();
    pool.map_collect(nothing, [(); 50]).unwrap();
    let long = pool.submit(wait_for_file, folder.path("go"));
    let tiny: Vec<_> = (0..200).map(|n| pool.submit(square, n)).collect();
    procs::wait_for(&tiny, WaitFor::All, LIMIT).unwrap();
    assert!(!long.is_done());
    fs::write(folder.path("go"), "").unwrap();
}

#[test]
fn an_input_that_panics_does_not_hold_what_was_read_before() {
    let pool = Pool::new(2).unwrap();
    for at in [0, 1, 10, 60, 63, 64, 65, 99] {
        for ordered in [true, false] {
            let input = (0..100_u64).inspect(|n| assert_ne!(*n, at, "on purpose"));
            let mut results = pool.map(square, input);
            if !ordered {
                results = results.unordered();
            }
            let (mut values, mut panics) = (0, 0);
            loop {
                let next = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    results.next_for(LIMIT).expect("the next call hangs")
                }));
                match next {
                    Err(_) => panics += 1,
                    Ok(Some(result)) => {
                        result.unwrap();
                        values += 1;
                    }
                    Ok(None) => break,
                }
            }
            assert_eq!((values, panics), (99, 1), "input panics at {at}");
        }
    }
}

/// Panics when the number 21 is decoded in the parent.
#[derive(Serialize)]
struct Picky(u64);

impl<'de> Deserialize<'de> for Picky {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let n = u64::deserialize(deserializer)?;
        assert_ne!(n, 21, "on purpose");
        Ok(Self(n))
    }
}

#[procs::task]
fn picky(n: u64) -> Picky {
    Picky(n)
}

#[test]
fn a_decoder_that_panics_costs_its_own_result() {
    let pool = Pool::new(2).unwrap();
    let mut results = pool.imap(picky, 0..60);
    let (mut seen, mut panics) = (Vec::new(), 0);
    loop {
        let next = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| results.next()));
        match next {
            Err(_) => panics += 1,
            Ok(Some(result)) => seen.push(result.unwrap().0),
            Ok(None) => break,
        }
    }
    assert_eq!(panics, 1);
    assert!(seen.into_iter().eq((0..60).filter(|n| *n != 21)));
}

#[test]
fn a_map_is_lazy_and_imap_begins_at_once() {
    let pool = Pool::new(2).unwrap();
    let read = AtomicU32::new(0);
    let input = || {
        (0..10_u64).inspect(|_| {
            read.fetch_add(1, Relaxed);
        })
    };
    let mut lazy = pool.map(square, input());
    assert_eq!(read.load(Relaxed), 0);
    assert_eq!(lazy.size_hint(), (10, Some(10)));
    assert_eq!(lazy.next(), Some(Ok(0)));
    assert_eq!(lazy.size_hint(), (9, Some(9)));
    assert_eq!(lazy.by_ref().count(), 9);
    assert!(lazy.next().is_none() && lazy.next().is_none());
    read.store(0, Relaxed);
    let eager = pool.imap(square, input());
    assert_eq!(read.load(Relaxed), 2);
    assert_eq!(eager.count(), 10);
}

#[test]
fn a_result_that_does_not_come_can_be_waited_for_again() {
    let (pool, folder) = (Pool::new(1).unwrap(), Folder::new());
    let mut results = pool.map(wait_for_file, [folder.path("go")]);
    assert_eq!(results.next_for(Duration::from_millis(2)), Err(TimedOut));
    let mut job = pool.submit(square, 5);
    let soon = Instant::now() + Duration::from_millis(2);
    assert_eq!(job.result_until(soon), Err(JobError::TimedOut));
    let short = Duration::from_millis(2);
    assert_eq!(
        pool.map_collect_for(square, [1], short),
        Err(JobError::TimedOut)
    );
    fs::write(folder.path("go"), "").unwrap();
    assert_eq!(results.next_for(LIMIT), Ok(Some(Ok(()))));
    assert_eq!(results.next_for(LIMIT), Ok(None));
    assert_eq!(job.result_until(Instant::now() + LIMIT), Ok(25));
    assert_eq!(pool.join_until(Instant::now() + LIMIT), Ok(()));
}

#[test]
fn a_full_queue_holds_submitters_back() {
    let folder = Folder::new();
    let pool = Pool::builder().workers(1).queue_bound(2).build().unwrap();
    let gate = pool.submit(wait_for_file, folder.path("go"));
    eventually("it runs", || gate.is_running());
    let waiting = [pool.submit(square, 1), pool.submit(square, 2)];
    assert_eq!(
        pool.try_submit(square, 3).unwrap_err(),
        SubmitError::Full(3)
    );
    let short = Duration::from_millis(2);
    let error = pool.submit_for(square, 4, short).unwrap_err();
    assert_eq!((error, error.into_args()), (SubmitError::TimedOut(4), 4));
    thread::scope(|scope| {
        let late = scope.spawn(|| pool.submit_for(square, 5, LIMIT).unwrap().result());
        fs::write(folder.path("go"), "").unwrap();
        assert_eq!(late.join().unwrap(), Ok(25));
    });
    let results = waiting.map(|job| job.result().unwrap());
    assert_eq!(results, [1, 4]);
    // A pool that ends lets those go that wait for room.
    let gate = pool.submit(wait_for_file, folder.path("never"));
    eventually("it runs", || gate.is_running());
    let _waiting = [pool.submit(square, 1), pool.submit(square, 2)];
    thread::scope(|scope| {
        let late = scope.spawn(|| pool.submit(square, 3).result());
        thread::sleep(Duration::from_millis(20));
        pool.terminate();
        assert_eq!(late.join().unwrap(), Err(JobError::Closed));
    });
}

#[test]
fn cancel_pending_lets_what_runs_finish() {
    let folder = Folder::new();
    let pool = Pool::new(1).unwrap();
    pool.map_collect(square, 0..1000).unwrap();
    let mut gate = pool.submit(wait_for_file, folder.path("go"));
    let mut waiting: Vec<_> = (0..500).map(|n| pool.submit(square, n)).collect();
    eventually("it runs", || gate.is_running());
    assert!(!pool.is_closed());
    let short = Duration::from_millis(200);
    assert_eq!(
        pool.shutdown_for(Shutdown::CancelPending, short),
        Err(TimedOut)
    );
    assert!(pool.is_closed());
    fs::write(folder.path("go"), "").unwrap();
    assert_eq!(pool.shutdown_for(Shutdown::CancelPending, LIMIT), Ok(()));
    assert_eq!(gate.result_for(LIMIT), Ok(()));
    let cancelled = waiting
        .iter_mut()
        .filter_map(|job| job.result_for(LIMIT).err())
        .filter(|error| *error == JobError::Cancelled);
    assert!(cancelled.count() > 400);
}

/// Panics while a panic unwinds, which aborts.
#[test]
fn the_message_of_a_panic_that_aborts_arrives() {
    #[procs::task]
    fn panic_twice() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("in a destructor");
            }
        }
        let _bomb = Bomb;
        panic!("the first");
    }
    let pool = Pool::new(1).unwrap();
    let error = pool.submit(panic_twice, ()).result_for(LIMIT).unwrap_err();
    let JobError::WorkerDied { status, panic, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(status.signal(), Some(6));
    let panic = panic.as_ref().unwrap();
    assert!(panic.location().unwrap().contains("pool_waits_end.rs"));
    assert!(error.to_string().contains(panic.message()), "{error}");
    assert_eq!(pool.submit(square, 7).result_for(LIMIT), Ok(49));
}

#[test]
fn a_start_that_takes_too_long_times_out() {
    let error = Pool::builder()
        .workers(1)
        .build_for(Duration::ZERO)
        .unwrap_err();
    assert!(matches!(error, SpawnError::TimedOut), "{error}");
}

#[test]
fn a_job_that_the_pool_has_refused_cannot_be_cancelled() {
    let pool = Pool::new(1).unwrap();
    pool.close();
    let mut job = pool.submit(square, 3);
    assert!(job.is_done());
    assert!(!job.cancel(), "it has ended");
    assert_eq!(job.try_result(), Some(Err(JobError::Closed)));
}

/// Lets the pool's task end, and waits for it, when it is dropped.
struct JoinOnDrop(Arc<Pool>, PathBuf);

impl Wake for JoinOnDrop {
    fn wake(self: Arc<Self>) {}
}

impl Drop for JoinOnDrop {
    fn drop(&mut self) {
        fs::write(&self.1, "").unwrap();
        self.0.join();
    }
}

#[test]
fn a_waker_that_waits_for_its_job_when_it_is_dropped_does_not_hang() {
    let folder = Folder::new();
    let go = folder.path("go");
    let (done, result) = mpsc::channel();
    thread::spawn(move || {
        let pool = Arc::new(Pool::new(1).unwrap());
        let mut job = pin!(pool.submit(wait_for_file, go.clone()));
        let first = Waker::from(Arc::new(JoinOnDrop(Arc::clone(&pool), go)));
        assert!(
            job.as_mut()
                .poll(&mut Context::from_waker(&first))
                .is_pending()
        );
        // The job's reference is the last: the next poll replaces it.
        drop(first);
        let _ = job.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        done.send(job.is_done()).unwrap();
    });
    assert!(result.recv_timeout(LIMIT).expect("it hangs"));
}
