//! A lock between processes that no other thread wants.

use std::mem::MaybeUninit;
use std::ptr;

use procs::sync::Lock;

use super::time;
use crate::peers::original::Original;
use crate::peers::{Contest, Row, Target};

const TURNS: usize = 200_000;

/// The row of the lock.
pub fn rows(rounds: usize, python: &Original) -> Vec<Row> {
    let lock = Lock::new().expect("there is memory");
    let mutex = BareMutex::new();
    let contest = Contest::new("procs", "Lock, uncontended")
        .entrant("ours", || {
            time(TURNS, || {
                for _ in 0..TURNS {
                    drop(lock.lock().expect("no owner has died"));
                }
            })
        })
        .entrant("a bare robust mutex", || {
            time(TURNS, || {
                for _ in 0..TURNS {
                    mutex.lock_and_unlock();
                }
            })
        });
    python
        .enter(contest, "multiprocessing.Lock", "lock")
        .goal("ours", &["a bare robust mutex"], Target::Ratio(1.05))
        .goal("ours", &["multiprocessing.Lock"], Target::Ratio(0.3))
        .run(rounds)
}

/// The C library's mutex in shared memory that survives its owner: what a lock between processes costs without any wrapper.
struct BareMutex(*mut libc::pthread_mutex_t);

impl BareMutex {
    fn new() -> Self {
        let mut attributes = MaybeUninit::uninit();
        let at = attributes.as_mut_ptr();
        // SAFETY: the mapping is fresh, aligned and large enough; attributes and mutex are initialized before they are used.
        // The mapping is never removed, so that the mutex outlives every use.
        unsafe {
            let place = libc::mmap(
                ptr::null_mut(),
                size_of::<libc::pthread_mutex_t>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert!(place != libc::MAP_FAILED, "there is memory");
            let mutex = place.cast();
            let made = libc::pthread_mutexattr_init(at)
                | libc::pthread_mutexattr_setpshared(at, libc::PTHREAD_PROCESS_SHARED)
                | libc::pthread_mutexattr_setrobust(at, libc::PTHREAD_MUTEX_ROBUST)
                | libc::pthread_mutex_init(mutex, at);
            assert_eq!(made, 0, "the system has robust mutexes");
            Self(mutex)
        }
    }

    fn lock_and_unlock(&self) {
        // SAFETY: the mutex is initialized and lives for ever; this thread unlocks what it has locked.
        let result =
            unsafe { libc::pthread_mutex_lock(self.0) | libc::pthread_mutex_unlock(self.0) };
        assert_eq!(result, 0, "no other thread uses it");
    }
}
