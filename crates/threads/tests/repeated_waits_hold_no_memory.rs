//! A job that is waited for, or polled, again and again keeps nothing of the waits that are over.
//!
//! A binary of its own: it counts the memory of the whole process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;
use threads::{Job, JobError, WaitFor, promise, wait_any_for, wait_for};

static LIVE: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call is passed on to the system's allocator, whose contract is the caller's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: the caller's contract; `pointer` came from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct NoWake;

impl Wake for NoWake {
    fn wake(self: Arc<Self>) {}
}

const NOW: Duration = Duration::ZERO;

/// Ways to wait for a job that does not end.
const WAYS: [fn(&mut Job<()>); 4] = [
    |job| assert!(wait_for(std::slice::from_ref(job), WaitFor::All, NOW).is_err()),
    |job| assert!(matches!(job.result_for(NOW), Err(JobError::TimedOut))),
    |job| assert!(wait_any_for(&[&*job], NOW).is_err()),
    |job| {
        let waker = Waker::from(Arc::new(NoWake));
        let poll = Pin::new(job).poll(&mut Context::from_waker(&waker));
        assert!(poll.is_pending());
    },
];

#[test]
fn live_allocations_do_not_grow_with_the_number_of_waits() {
    let (_kept, mut job) = promise();
    for way in WAYS {
        let mut live_after = |waits| {
            (0..waits).for_each(|_| way(&mut job));
            LIVE.load(Ordering::Relaxed)
        };
        let (few, many) = (live_after(10), live_after(1000));
        // The test harness's own threads may allocate a little meanwhile.
        assert!(many < few + 100, "{few} allocations, then {many}");
    }
}
