//! Functions that run later, on one thread for all timers.

use crate::error::SpawnError;
use crate::lock::Condition;
use crate::lock::Lock;
use crate::thread::Thread;
use crate::unwind::catch_and_forget;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// A function that runs once after a delay, or again and again.
///
/// All timers share one thread, named `Timer` and started with the first of them. Functions that take long
/// hold up the others: let them submit a job to a pool. A panic is reported by the panic hook and goes no
/// further. Dropping the handle lets the timer run on.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use threads::{Queue, Timer};
///
/// let queue = Queue::unbounded();
/// let sink = queue.clone();
/// let timer = Timer::after(Duration::from_millis(1), move || drop(sink.put("rung")))?;
/// let never = Timer::after(Duration::from_secs(3600), || unreachable!())?;
/// assert!(never.cancel());
/// assert_eq!(queue.get()?, "rung");
/// assert!(!timer.cancel());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Timer {
    entry: Arc<Entry>,
}

struct Entry {
    state: Lock<State>,
}

enum State {
    /// In the schedule under this key.
    Waiting(Key, Action),
    /// On the timer thread; whether it will run again.
    Running { again: bool },
    /// Ran for the last time, or cancelled.
    Ended,
}

enum Action {
    Once(Box<dyn FnOnce() + Send>),
    Every(Duration, Box<dyn FnMut() + Send>),
}

/// When, and the number of the timer, so that two may be due at the same instant.
type Key = (Instant, u64);

/// What the timer thread waits for. Lock order: an entry's state before the schedule.
#[derive(Default)]
struct Schedule {
    timers: BTreeMap<Key, Arc<Entry>>,
    next: u64,
    started: bool,
}

static SCHEDULE: LazyLock<Lock<Schedule>> = LazyLock::new(Lock::default);
static CHANGED: LazyLock<Condition> = LazyLock::new(Condition::new);

/// A delay that no clock can represent is cut to this: some hundred years.
const FOR_EVER: Duration = Duration::from_secs(1 << 33);
const SHORTEST_PERIOD: Duration = Duration::from_millis(1);

impl Timer {
    /// Runs `f` once, `delay` from now.
    ///
    /// # Errors
    /// [`SpawnError`], if this is the first timer and the system refuses its thread.
    pub fn after(delay: Duration, f: impl FnOnce() + Send + 'static) -> Result<Self, SpawnError> {
        Self::start(delay, Action::Once(Box::new(f)))
    }

    /// Runs `f` every `period`, at least a millisecond, for the first time one `period` from now.
    ///
    /// The times do not drift; one that falls due while `f` still runs is left out.
    ///
    /// # Errors
    /// [`SpawnError`], if this is the first timer and the system refuses its thread.
    pub fn every(period: Duration, f: impl FnMut() + Send + 'static) -> Result<Self, SpawnError> {
        let period = period.clamp(SHORTEST_PERIOD, FOR_EVER);
        Self::start(period, Action::Every(period, Box::new(f)))
    }

    /// Ends the timer. True: this call did, and the function will not run again, or not at all; it is
    /// dropped, unless it runs at this moment. False: it has run, or runs, for the last time, or was
    /// cancelled before.
    pub fn cancel(&self) -> bool {
        let mut state = self.entry.state.lock();
        match std::mem::replace(&mut *state, State::Ended) {
            State::Waiting(key, action) => {
                let entry = SCHEDULE.lock().timers.remove(&key);
                drop(state);
                // Foreign code, and perhaps the last owner of its entry: not under a lock.
                catch_and_forget(|| drop((action, entry)));
                true
            }
            State::Running { again } => {
                *state = State::Running { again: false };
                again
            }
            State::Ended => false,
        }
    }

    /// Whether the function will run, or run again.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        match *self.entry.state.lock() {
            State::Waiting(..) => true,
            State::Running { again } => again,
            State::Ended => false,
        }
    }

    fn start(delay: Duration, action: Action) -> Result<Self, SpawnError> {
        ensure_thread()?;
        let entry = Arc::new(Entry {
            state: Lock::new(State::Ended),
        });
        let due = Instant::now() + delay.min(FOR_EVER);
        schedule(&entry, &mut entry.state.lock(), due, action);
        Ok(Self { entry })
    }
}

/// Puts a timer into the schedule and wakes the thread if it is now the next.
fn schedule(entry: &Arc<Entry>, state: &mut State, due: Instant, action: Action) {
    let mut schedule = SCHEDULE.lock();
    let key = (due, schedule.next);
    schedule.next += 1;
    schedule.timers.insert(key, entry.clone());
    *state = State::Waiting(key, action);
    let is_first = schedule.timers.keys().next() == Some(&key);
    drop(schedule);
    if is_first {
        CHANGED.notify_all();
    }
}

fn ensure_thread() -> Result<(), SpawnError> {
    let mut schedule = SCHEDULE.lock();
    if !schedule.started {
        drop(Thread::builder().name("Timer").daemon(true).spawn(run)?);
        schedule.started = true;
    }
    Ok(())
}

/// The timer thread: never ends, since nobody can tell that no timer will come.
fn run() {
    let mut schedule = SCHEDULE.lock();
    loop {
        match schedule.timers.keys().next() {
            None => CHANGED.wait(&mut schedule),
            Some(&(due, _)) if due > Instant::now() => {
                // A timer may be due on either end of the wait.
                let _ = CHANGED.wait_until(&mut schedule, due);
            }
            Some(&key) => {
                let entry = schedule.timers.remove(&key);
                drop(schedule);
                if let Some(entry) = entry {
                    ring(&entry, key.0);
                }
                schedule = SCHEDULE.lock();
            }
        }
    }
}

/// Runs what is due, unless it was cancelled since it was taken from the schedule.
fn ring(entry: &Arc<Entry>, due: Instant) {
    let mut state = entry.state.lock();
    let action = match std::mem::replace(&mut *state, State::Ended) {
        State::Waiting(_, action) => action,
        other => {
            *state = other;
            return;
        }
    };
    let again = matches!(action, Action::Every(..));
    *state = State::Running { again };
    drop(state);
    let rest = match action {
        Action::Once(f) => {
            catch_and_forget(f);
            None
        }
        Action::Every(period, mut f) => {
            catch_and_forget(&mut f);
            Some((period, f))
        }
    };
    let mut state = entry.state.lock();
    match (rest, &*state) {
        (Some((period, f)), State::Running { again: true }) => {
            let due = next_time(due, period, Instant::now());
            schedule(entry, &mut state, due, Action::Every(period, f));
        }
        (rest, _) => {
            *state = State::Ended;
            drop(state);
            catch_and_forget(|| drop(rest));
        }
    }
}

/// The first time after `now` that lies a whole number of periods after `due`.
fn next_time(due: Instant, period: Duration, now: Instant) -> Instant {
    let late = now.saturating_duration_since(due);
    let missed = late.as_nanos() % period.as_nanos();
    now + (period - Duration::from_nanos(u64::try_from(missed).unwrap_or(0)))
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer")
            .field("pending", &self.is_pending())
            .finish()
    }
}
