//! Locks and wake-ups in memory that processes share, which survive the death of whoever used them.

use std::hint;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::SharedMap;

/// How much room a mutex takes.
pub(crate) const MUTEX_SIZE: usize = size_of::<libc::pthread_mutex_t>();

/// Between two looks at what another processor is changing: long enough for it to do so several times.
pub(crate) const SPINS: u32 = 64;

/// A clock that is set back must not prolong a wait by more than this.
const STEP: Duration = Duration::from_secs(1);

/// What happens when a thread locks a mutex that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relock {
    /// It waits for ever, or fails to lock at once what it only tries to lock.
    Waits,
    /// `EDEADLK`.
    Refused,
    /// It is counted, and unlocked as often.
    Counted,
}

impl Relock {
    fn kind(self) -> libc::c_int {
        match self {
            Self::Waits => libc::PTHREAD_MUTEX_NORMAL,
            Self::Refused => libc::PTHREAD_MUTEX_ERRORCHECK,
            Self::Counted => libc::PTHREAD_MUTEX_RECURSIVE,
        }
    }
}

/// How a mutex was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// As it was left.
    Whole,
    /// Its owner died; what it guards must be looked after, and then [`repaired`] called.
    OwnerDied,
}

fn checked(code: libc::c_int) -> io::Result<()> {
    match code {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

/// The place of a mutex: aligned, inside the map, and used for that mutex only.
fn mutex(map: &SharedMap, offset: usize) -> *mut libc::pthread_mutex_t {
    assert!(
        offset.is_multiple_of(64),
        "a mutex has a cache line of its own"
    );
    map.at(offset, MUTEX_SIZE).cast()
}

/// Makes a mutex in new memory, before anybody else has it.
pub(crate) fn init_mutex(map: &SharedMap, offset: usize) -> io::Result<()> {
    init_mutex_as(map, offset, Relock::Waits)
}

/// As [`init_mutex`], for a mutex that its owner may try to lock again.
pub(crate) fn init_mutex_as(map: &SharedMap, offset: usize, relock: Relock) -> io::Result<()> {
    let mut attributes = MaybeUninit::uninit();
    let at = attributes.as_mut_ptr();
    // SAFETY: `at` is a writable place for attributes, initialized by the first call and destroyed by the last; the mutex
    // lies in living, aligned memory that nobody uses yet.
    unsafe {
        checked(libc::pthread_mutexattr_init(at))?;
        let made = checked(libc::pthread_mutexattr_setpshared(
            at,
            libc::PTHREAD_PROCESS_SHARED,
        ))
        .and_then(|()| {
            checked(libc::pthread_mutexattr_setrobust(
                at,
                libc::PTHREAD_MUTEX_ROBUST,
            ))
        })
        .and_then(|()| checked(libc::pthread_mutexattr_settype(at, relock.kind())))
        .and_then(|()| checked(libc::pthread_mutex_init(mutex(map, offset), at)));
        libc::pthread_mutexattr_destroy(at);
        made
    }
}

/// Locks a mutex that [`init_mutex`] has made, for this thread, if nobody holds it.
#[inline]
pub(crate) fn try_lock_mutex(map: &SharedMap, offset: usize) -> io::Result<Option<Found>> {
    // SAFETY: the mutex was initialized by whoever made the map, and lives as long as that.
    found(unsafe { libc::pthread_mutex_trylock(mutex(map, offset)) })
}

/// Locks a mutex that [`init_mutex`] has made, for this thread. `None`: the time was over.
///
/// The caller unlocks it on this thread, while it still has the map.
pub(crate) fn lock_mutex(
    map: &SharedMap,
    offset: usize,
    deadline: Option<Instant>,
) -> io::Result<Option<Found>> {
    let mutex = mutex(map, offset);
    for turn in 0..24 {
        // SAFETY: the mutex was initialized by whoever made the map, and lives as long as that.
        match found(unsafe { libc::pthread_mutex_trylock(mutex) })? {
            // Whoever has it is about to leave it, unless there are more processes than processors.
            None if turn < 4 => (0..SPINS).for_each(|_| hint::spin_loop()),
            None => thread::yield_now(),
            found => return Ok(found),
        }
    }
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(None);
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let until = now + left.unwrap_or(STEP).min(STEP);
        let until = libc::timespec {
            tv_sec: until.as_secs().cast_signed() as _,
            tv_nsec: until.subsec_nanos().into(),
        };
        // SAFETY: as above; `until` lives until the call returns.
        let code = unsafe { libc::pthread_mutex_timedlock(mutex, &raw const until) };
        if let Some(found) = found(code)? {
            return Ok(Some(found));
        }
    }
}

fn found(code: libc::c_int) -> io::Result<Option<Found>> {
    match code {
        0 => Ok(Some(Found::Whole)),
        libc::EOWNERDEAD => Ok(Some(Found::OwnerDied)),
        libc::EBUSY | libc::ETIMEDOUT => Ok(None),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

/// Says that what a mutex guards is in order again. The caller holds it, and found that its owner had died.
pub(crate) fn repaired(map: &SharedMap, offset: usize) {
    // SAFETY: the mutex was initialized by whoever made the map; on a mutex that is in order this only returns an error.
    unsafe { libc::pthread_mutex_consistent(mutex(map, offset)) };
}

/// Unlocks a mutex that this thread holds.
pub(crate) fn unlock_mutex(map: &SharedMap, offset: usize) {
    // SAFETY: the mutex was initialized by whoever made the map; if this thread did not hold it, a robust one only returns
    // an error.
    unsafe { libc::pthread_mutex_unlock(mutex(map, offset)) };
}

/// Sleeps until somebody wakes this word, unless it is no longer as expected; at most for a time.
pub(crate) fn futex_wait(map: &SharedMap, offset: usize, expected: u32, time: Duration) {
    let limit = libc::timespec {
        tv_sec: time.as_secs().try_into().unwrap_or(i32::MAX.into()),
        tv_nsec: time.subsec_nanos().into(),
    };
    let word = ptr::from_ref(map.half_word(offset));
    // SAFETY: the word is aligned and living; `limit` outlives the call. All results mean "look again".
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word,
            libc::FUTEX_WAIT,
            expected,
            &raw const limit,
        )
    };
}

/// Wakes up to so many sleepers of this word.
pub(crate) fn futex_wake(map: &SharedMap, offset: usize, count: i32) {
    let word = ptr::from_ref(map.half_word(offset));
    // SAFETY: the word is aligned and living; the kernel does not change it.
    unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAKE, count) };
}
