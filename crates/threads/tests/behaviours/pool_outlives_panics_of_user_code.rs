//! User code that panics, at whatever call, fails at most its own job: the pool serves on, and ends.

use crate::common::{LONG, within_limit};
use std::future::Future;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use threads::{
    AsCompleted, Job, JobError, Map, MapChunks, MapUnordered, Pool, PoolBuilder, PoolScope,
    PoolShutdown, Promise, ScopedJob, WaitFor, as_completed, promise, wait,
};

/// Counts the calls of user code, and panics in one of them.
#[derive(Clone)]
struct Fuse {
    calls: Arc<AtomicUsize>,
    panics_at: usize,
}

impl Fuse {
    fn new(panics_at: usize) -> Self {
        let calls = Arc::new(AtomicUsize::new(0));
        Self { calls, panics_at }
    }

    fn call(&self) {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        // A second panic while the first unwinds would abort the process, whoever catches it.
        if call == self.panics_at && !std::thread::panicking() {
            panic!("call {call} of user code");
        }
    }

    fn has_panicked(&self) -> bool {
        self.calls.load(Ordering::SeqCst) >= self.panics_at
    }

    fn bomb(&self) -> Bomb {
        Bomb(self.clone())
    }
}

/// What functions capture and return: its drop is user code.
struct Bomb(Fuse);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.call();
    }
}

/// A waker whose call and drop are user code.
struct UserWaker(Bomb);

impl Wake for UserWaker {
    fn wake(self: Arc<Self>) {
        self.0.0.call();
    }
}

fn waker(fuse: &Fuse) -> Waker {
    Waker::from(Arc::new(UserWaker(fuse.bomb())))
}

/// Calls what the test's own thread may see panic.
fn guarded<R>(f: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(f)).ok()
}

/// A scenario makes user code run in a way of its own; afterwards all its jobs have ended.
type Scenario = fn(&Pool, &Fuse);

fn jobs(pool: &Pool, fuse: &Fuse) -> Vec<Job<Bomb>> {
    let submit = |_| {
        let (captured, runs) = (fuse.bomb(), fuse.clone());
        pool.submit(move || {
            runs.call();
            let result = captured.0.bomb();
            drop(captured);
            result
        })
    };
    (0..4).map(submit).collect()
}

const SCENARIOS: [(&str, Scenario); 10] = [
    ("results", |pool, fuse| {
        for job in jobs(pool, fuse) {
            guarded(|| drop(job.result()));
        }
    }),
    ("dropped handles", |pool, fuse| drop(jobs(pool, fuse))),
    ("cancellation", |pool, fuse| {
        for job in jobs(pool, fuse) {
            job.cancel();
            guarded(|| drop(job.result_here()));
        }
    }),
    ("callbacks", |pool, fuse| {
        for job in jobs(pool, fuse) {
            let (log, held) = (fuse.clone(), fuse.bomb());
            job.on_end(move |_| {
                log.call();
                drop(held);
            });
            let held = fuse.bomb();
            guarded(|| job.on_done(move |result| drop((held, result))));
        }
    }),
    ("wakers", |pool, fuse| {
        for job in jobs(pool, fuse) {
            let mut job = pin!(job);
            for _ in 0..2 {
                let waker = waker(fuse);
                guarded(|| drop(job.as_mut().poll(&mut Context::from_waker(&waker))));
                guarded(|| drop(waker));
            }
            wait(std::slice::from_ref(&*job), WaitFor::All);
        }
    }),
    ("groups", |pool, fuse| {
        let jobs = jobs(pool, fuse);
        wait(&jobs, WaitFor::FirstError);
        wait(&jobs, WaitFor::All);
        for job in as_completed(jobs) {
            guarded(|| drop(job.result()));
        }
    }),
    ("maps", |pool, fuse| {
        let (input, function) = (fuse.clone(), fuse.clone());
        let items = (0..4).map(move |_| {
            input.call();
            input.bomb()
        });
        let apply = move |item: Bomb| {
            function.call();
            item
        };
        let mut ordered = pool.map(apply.clone(), items.clone()).window(2);
        let mut unordered = pool.map(apply.clone(), items.clone()).unordered().window(2);
        let mut chunks = pool.map(apply, items).chunks(2);
        let turn = |next: &mut dyn FnMut() -> bool| {
            // An input that panics gives the next item afterwards.
            while guarded(&mut *next) != Some(false) {}
        };
        turn(&mut || ordered.next().is_some());
        turn(&mut || unordered.next().is_some());
        turn(&mut || chunks.next().is_some());
    }),
    ("dropped maps", |pool, fuse| {
        let function = fuse.clone();
        let items: Vec<_> = (0..4).map(|_| fuse.bomb()).collect();
        let apply = move |item: Bomb| {
            function.call();
            item
        };
        let mut results = pool.map(apply, items);
        guarded(|| drop(results.next()));
        guarded(|| drop(results));
    }),
    ("scopes", |pool, fuse| {
        guarded(|| {
            pool.scope(|s| {
                drop(s.submit(|| fuse.call()));
                let job = s.submit(|| fuse.bomb());
                let cancelled = s.submit({
                    let held = fuse.bomb();
                    move || drop(held)
                });
                cancelled.cancel();
                drop((cancelled, job.result()));
            });
        });
        guarded(|| drop(pool.fork_join(|| fuse.call(), || fuse.bomb())));
    }),
    ("promises", |_, fuse| {
        let (kept, job) = promise();
        let (log, held) = (fuse.clone(), fuse.bomb());
        job.on_end(move |_| {
            log.call();
            drop(held);
        });
        let waker = waker(fuse);
        let mut job = pin!(job);
        guarded(|| drop(job.as_mut().poll(&mut Context::from_waker(&waker))));
        kept.set(fuse.bomb()).ok().unwrap();
        guarded(|| drop(job.try_result()));
        guarded(|| drop(waker));
        let (broken, job) = promise::<Bomb>();
        let held = fuse.bomb();
        job.on_done(move |result| drop((held, result)));
        drop(broken);
    }),
];

/// Runs a scenario in a pool of its own. Returns whether user code has panicked.
fn survives(scenario: Scenario, panics_at: usize, workers: usize) -> bool {
    let fuse = Fuse::new(panics_at);
    let (starts, stops) = (fuse.clone(), fuse.clone());
    let pool = Pool::builder()
        .workers(workers)
        .queue_bound(100)
        .on_start(move || starts.call())
        .on_stop(move || stops.call())
        .build()
        .unwrap();
    scenario(&pool, &fuse);
    assert_eq!(pool.submit(|| 7).result_for(LONG).unwrap(), 7);
    // All room was given back.
    let room = pool.clone();
    let full = pool.submit(move || (0..100).all(|_| room.try_submit(|| ()).is_ok()));
    assert!(full.result().unwrap());
    pool.shutdown_for(PoolShutdown::Wait, LONG).unwrap();
    assert!(matches!(pool.submit(|| ()).result(), Err(JobError::Closed)));
    fuse.has_panicked()
}

#[test]
fn a_panic_at_any_call_of_user_code_leaves_the_pool_working() {
    within_limit(|| {
        for (name, scenario) in SCENARIOS {
            for workers in [1, 2] {
                let mut calls = 1;
                while survives(scenario, calls, workers) {
                    calls += 1;
                }
                assert!(
                    calls > 2 * workers,
                    "{name}: only {calls} calls of user code"
                );
            }
        }
    });
}

#[test]
fn a_panic_has_its_message_and_its_place() {
    within_limit(|| {
        let pool = Pool::new(1).unwrap();
        let line = line!() + 1;
        let failed = pool.submit(|| panic!("job {}", 7)).result();
        let Err(JobError::Panicked(panic)) = failed else {
            unreachable!("{failed:?}");
        };
        let place = format!("{}:{line}:", file!());
        assert_eq!(panic.message(), "job 7");
        assert!(panic.location().unwrap().starts_with(&place), "{panic:?}");
        assert!(JobError::Panicked(panic).to_string().contains(&place));

        // A payload that is thrown by hand has no place, least of all that of the panic before it.
        let resumed = pool.submit(|| {
            let inner = catch_unwind(|| panic!("inner"));
            drop(inner);
            std::panic::resume_unwind(Box::new("by hand"));
        });
        let Err(JobError::Panicked(panic)) = resumed.result() else {
            unreachable!("it panicked");
        };
        assert_eq!((panic.message(), panic.location()), ("by hand", None));

        let mut lost = threads::spawn(|| panic!("in a thread")).unwrap();
        let Err(threads::JoinError::Panicked(panic)) = lost.join() else {
            unreachable!("it panicked");
        };
        assert!(panic.location().unwrap().starts_with(file!()));
    });
}

#[test]
fn pools_and_their_handles_may_cross_a_catch_of_panics() {
    fn safe<T: UnwindSafe + RefUnwindSafe>() {}
    type Items = std::vec::IntoIter<u8>;
    type Function = fn(u8) -> u8;
    safe::<Pool>();
    safe::<PoolBuilder>();
    safe::<Job<*mut u8>>();
    safe::<Promise<Box<u8>>>();
    safe::<AsCompleted<*mut u8>>();
    safe::<Map<Items, Function, u8>>();
    safe::<MapUnordered<Items, Function, u8>>();
    safe::<MapChunks<Items, Function, u8>>();
    safe::<PoolScope<'static, 'static>>();
    safe::<ScopedJob<'static, *mut u8>>();
}
