//! Debug mode: steps that hold up the loop, tasks that never yield, and who waits for whom.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
    fmt::{self, Write},
    panic::Location,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::{executor::Engine, handle::Call, task::TaskKey};

/// How long a step may take before it is reported.
const SLOW_STEP: Duration = Duration::from_millis(100);

/// How often the watchdog looks, and how long a step may last before it calls it stuck.
const STUCK: Duration = Duration::from_secs(1);

/// What debug mode knows of a loop. Switched off, it costs a look at a flag for each step.
pub(crate) struct Debug {
    is_on: Cell<bool>,
    slow_step: Cell<Duration>,
    /// Where tasks were created.
    places: RefCell<HashMap<u64, &'static Location<'static>>>,
    /// Which task awaits the one that is the key.
    awaiters: RefCell<HashMap<u64, u64>>,
    watch: RefCell<Option<Arc<Watch>>>,
}

impl Debug {
    pub(crate) fn new() -> Self {
        Debug {
            is_on: Cell::new(false),
            slow_step: Cell::new(SLOW_STEP),
            places: RefCell::default(),
            awaiters: RefCell::default(),
            watch: RefCell::default(),
        }
    }

    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.is_on.get()
    }

    pub(crate) fn switch(&self, on: bool) {
        self.is_on.set(on);
        let watch = on.then(Watch::start).flatten();
        let before = self.watch.replace(watch);
        if let Some(before) = before {
            before.end();
        }
    }

    pub(crate) fn set_slow_step(&self, limit: Duration) {
        self.slow_step.set(limit);
    }

    #[inline]
    pub(crate) fn created(&self, key: TaskKey, place: &'static Location<'static>) {
        if self.is_on() {
            self.places.borrow_mut().insert(key.id, place);
        }
    }

    #[inline]
    pub(crate) fn awaits(&self, awaiter: Option<TaskKey>, awaited: TaskKey) {
        if let (true, Some(awaiter)) = (self.is_on(), awaiter) {
            self.awaiters.borrow_mut().insert(awaited.id, awaiter.id);
        }
    }

    /// The task has ended, or nobody awaits it any more.
    #[inline]
    pub(crate) fn awaited_no_more(&self, key: TaskKey) {
        if self.is_on() {
            self.awaiters.borrow_mut().remove(&key.id);
        }
    }

    #[inline]
    pub(crate) fn ended(&self, key: TaskKey) {
        if self.is_on() {
            self.places.borrow_mut().remove(&key.id);
            self.awaited_no_more(key);
        }
    }

    fn describe(&self, engine: &Engine, id: u64) -> String {
        let name = engine.tasks.borrow().name(id);
        match self.places.borrow().get(&id) {
            Some(place) => format!("{name}, created at {place}"),
            None => name.to_string(),
        }
    }
}

impl Drop for Debug {
    fn drop(&mut self) {
        self.switch(false);
    }
}

impl Engine {
    /// Runs a task's step under watch.
    pub(crate) fn watched_step(&self, key_id: u64, step: impl FnOnce() -> bool) -> bool {
        let what = self.debug.describe(self, key_id);
        self.watched(what, step)
    }

    /// Runs a callback under watch.
    pub(crate) fn watched_call(&self, call: &dyn Call, run: impl FnOnce()) {
        self.watched(format!("a callback, scheduled at {}", call.place()), run);
    }

    fn watched<R>(&self, what: String, run: impl FnOnce() -> R) -> R {
        let watch = self.debug.watch.borrow().clone();
        let begin = Instant::now();
        if let Some(watch) = &watch {
            watch.set(Some((begin, what.clone())));
        }
        let result = run();
        if let Some(watch) = &watch {
            watch.set(None);
        }
        let took = begin.elapsed();
        if took >= self.debug.slow_step.get() {
            self.reporter
                .report("a step held up the loop", Some(&what), &Seconds(took));
        }
        result
    }

    /// All tasks that are not done, each beneath the one that awaits it.
    pub(crate) fn task_tree(&self) -> String {
        let keys = self.tasks.borrow().keys();
        let awaiters = self.debug.awaiters.borrow().clone();
        let mut beneath: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        let mut roots = Vec::new();
        for key in &keys {
            match awaiters
                .get(&key.id)
                .filter(|awaiter| keys.iter().any(|other| other.id == **awaiter))
            {
                Some(awaiter) => beneath.entry(*awaiter).or_default().push(key.id),
                None => roots.push(key.id),
            }
        }
        let mut tree = String::new();
        for root in roots {
            self.branch(&mut tree, &mut beneath, root, 0);
        }
        // What is left waits for itself in a ring.
        while let Some((&first, _)) = beneath.first_key_value() {
            tree.push_str("a ring of tasks that wait for each other:\n");
            self.branch(&mut tree, &mut beneath, first, 0);
        }
        tree
    }

    /// Each task's children are taken out when it is written, so a ring ends where it began.
    fn branch(
        &self,
        tree: &mut String,
        beneath: &mut BTreeMap<u64, Vec<u64>>,
        id: u64,
        depth: usize,
    ) {
        let what = self.debug.describe(self, id);
        let mark = if depth == 0 { "" } else { "└─ " };
        // Writing to a string does not fail.
        let _ = writeln!(
            tree,
            "{:width$}{mark}{what}",
            "",
            width = depth.saturating_sub(1) * 3
        );
        for child in beneath.remove(&id).unwrap_or_default() {
            self.branch(tree, beneath, child, depth + 1);
        }
    }
}

struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "it took {:.3} s; move blocking work off the loop, or yield within it",
            self.0.as_secs_f64()
        )
    }
}

/// What the loop is doing, seen from a thread of its own.
struct Watch {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    step: Option<(Instant, String)>,
    ended: bool,
}

impl Watch {
    /// `None` when the system gives no thread: then nothing is watched.
    fn start() -> Option<Arc<Self>> {
        let state = State {
            step: None,
            ended: false,
        };
        let watch = Arc::new(Watch {
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let watching = watch.clone();
        let spawned = thread::Builder::new()
            .name("aio-watchdog".to_owned())
            .spawn(move || watching.watch());
        spawned.ok().map(|_| watch)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, step: Option<(Instant, String)>) {
        self.state().step = step;
    }

    fn end(&self) {
        self.state().ended = true;
        self.changed.notify_all();
    }

    /// Tells once of each step that lasts too long.
    fn watch(&self) {
        let mut told = None;
        let mut state = self.state();
        while !state.ended {
            if let Some((begin, what)) = &state.step
                && begin.elapsed() >= STUCK
                && told != Some(*begin)
            {
                told = Some(*begin);
                eprintln!(
                    "aio: the loop is stuck in a step since {:.1} s: {what}",
                    begin.elapsed().as_secs_f64()
                );
            }
            state = self
                .changed
                .wait_timeout(state, STUCK / 2)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}
