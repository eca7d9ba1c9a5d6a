//! The engine: one ready queue for callbacks and task steps, run in asyncio's order inside tokio's root future.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    ptr,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, RawWakerVTable, Waker},
    time::Instant,
};

use tokio::task::coop;

use crate::{
    alarm::Alarm,
    clock::Clock,
    debug::Debug,
    handle::{self, Call},
    remote::{Remote, RemoteItem},
    report::Reporter,
    task::{Queued, TaskKey, Tasks},
    timer::{Due, TimerKey, Timers},
};

/// After this many steps tokio polls sockets and its own timers, even if more is ready. As tokio's event interval.
const STEPS_PER_POLL: usize = 61;

/// Room for so many steps is kept in the ready queue.
const KEPT: usize = 16 * 1024;

/// Something that is ready to run.
pub(crate) enum Ready {
    Step(Queued),
    Call(Rc<dyn Call>),
}

// A million queued tasks should not cost more than they must.
const _: () = assert!(size_of::<Ready>() == 16);

/// The task whose body is being polled, and with which waker.
pub(crate) type Current = Option<(TaskKey, WakerMark)>;

/// Polls the future of `run_until_complete`, once.
pub(crate) type Main<'a> = dyn FnMut() + 'a;

/// The state of one loop, all of it on its own thread save `remote`.
pub(crate) struct Engine {
    pub(crate) remote: Arc<Remote>,
    pub(crate) tasks: RefCell<Tasks>,
    pub(crate) reporter: Reporter,
    pub(crate) debug: Debug,
    ready: RefCell<VecDeque<Ready>>,
    timers: RefCell<Timers>,
    /// Set when a timer is added: the next iteration must look at the clock.
    timer_added: Cell<bool>,
    clock: Clock,
    /// How much of the present iteration's snapshot is still to run, after a pause for I/O within it.
    remainder: Cell<usize>,
    stopping: Cell<bool>,
    /// The root future is being polled, so pushing needs no wake.
    turning: Cell<bool>,
    root: RefCell<Option<Waker>>,
    pub(crate) current: Cell<Current>,
    /// The task whose body is being dropped because it was cancelled.
    pub(crate) ending: Cell<Option<TaskKey>>,
    pub(crate) next_cleanup: Cell<u64>,
    pub(crate) closing: Cell<bool>,
}

impl Engine {
    pub(crate) fn new(virtual_clock: bool) -> Rc<Self> {
        let remote = Remote::register();
        Rc::new(Engine {
            tasks: RefCell::new(Tasks::new(remote.id())),
            remote,
            reporter: Reporter::new(),
            debug: Debug::new(),
            ready: RefCell::new(VecDeque::new()),
            timers: RefCell::new(Timers::new()),
            timer_added: Cell::new(false),
            clock: Clock::new(virtual_clock),
            remainder: Cell::new(0),
            stopping: Cell::new(false),
            turning: Cell::new(false),
            root: RefCell::new(None),
            current: Cell::new(None),
            ending: Cell::new(None),
            next_cleanup: Cell::new(0),
            closing: Cell::new(false),
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.remote.id()
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    pub(crate) fn stop(&self) {
        self.stopping.set(true);
        self.wake_root();
    }

    pub(crate) fn push(&self, ready: Ready) {
        self.ready.borrow_mut().push_back(ready);
        self.wake_root();
    }

    /// Queues the task that a slot holds, unless it is queued.
    pub(crate) fn wake_slot(&self, slot: u32) {
        let queued = self.tasks.borrow_mut().queue(slot);
        if let Some(queued) = queued {
            self.push(Ready::Step(queued));
        }
    }

    /// The task whose body is being polled.
    pub(crate) fn current_task(&self) -> Option<TaskKey> {
        self.current.get().map(|(key, _)| key)
    }

    fn wake_root(&self) {
        if !self.turning.get()
            && let Some(root) = &*self.root.borrow()
        {
            root.wake_by_ref();
        }
    }

    #[track_caller]
    pub(crate) fn call_soon(&self, function: impl FnOnce() + 'static) -> Rc<dyn Call> {
        let call = handle::once(function);
        if !self.turning.get() {
            // Outside a run, wakes come through the remote queue: keep them before what is called after them.
            self.drain_remote();
        }
        self.push(Ready::Call(call.clone()));
        call
    }

    pub(crate) fn add_timer(&self, when: Instant, due: Due) -> TimerKey {
        self.timer_added.set(true);
        let key = self.timers.borrow_mut().insert(self.clock.ticks(when), due);
        self.wake_root();
        key
    }

    pub(crate) fn update_timer(&self, key: TimerKey, waker: &Waker) -> bool {
        self.timers.borrow_mut().update(key, waker)
    }

    pub(crate) fn cancel_timer(&self, key: TimerKey) {
        let due = self.timers.borrow_mut().cancel(key);
        // Dropped here, with no borrow held: it may own anything.
        drop(due);
    }

    fn drain_remote(&self) {
        self.remote.drain(|item| self.accept(item));
    }

    fn accept(&self, item: RemoteItem) {
        match item {
            RemoteItem::Wake(arrival) => self.wake_slot(arrival.arrived()),
            RemoteItem::Call(function) => {
                self.ready
                    .borrow_mut()
                    .push_back(Ready::Call(handle::once(function)));
            }
        }
    }

    /// Moves timers that are due into the ready queue, in order. The clock is read once per poll of the root future,
    /// and when a timer was added since: one that is due at once fires in the very next iteration.
    fn fire_timers(&self, first: bool) {
        let look = self.timer_added.replace(false) || first;
        if !look || self.timers.borrow().is_empty() {
            return;
        }
        let now = self.clock.ticks(self.now());
        loop {
            let due = self.timers.borrow_mut().pop_due(now);
            match due {
                Some(Due::Wake(waker)) => waker.wake(),
                Some(Due::Call(call)) => self.ready.borrow_mut().push_back(Ready::Call(call)),
                None => break,
            }
        }
    }

    /// One poll of tokio's root future: iterations until the loop is idle, stopped, or owes tokio a look at its I/O.
    pub(crate) fn turn(
        &self,
        cx: &mut Context<'_>,
        main: &mut Main<'_>,
        alarm: &mut Alarm,
    ) -> Poll<()> {
        self.remember_root(cx.waker());
        self.turning.set(true);
        let outcome = self.iterate(main);
        self.turning.set(false);
        match outcome {
            Outcome::Left => Poll::Ready(()),
            Outcome::Busy => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Outcome::Idle => {
                self.shrink();
                let next = self.timers.borrow_mut().next_deadline();
                if self.clock.jump(next) {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                let deadline = next.and_then(|ticks| self.clock.instant(ticks));
                alarm.set(deadline, cx);
                Poll::Pending
            }
        }
    }

    fn remember_root(&self, waker: &Waker) {
        let mut root = self.root.borrow_mut();
        if !root.as_ref().is_some_and(|held| held.will_wake(waker)) {
            *root = Some(waker.clone());
            self.remote.set_waker(waker);
        }
    }

    fn iterate(&self, main: &mut Main<'_>) -> Outcome {
        let mut steps = 0;
        loop {
            let mut batch = self.remainder.take();
            if batch == 0 {
                self.drain_remote();
                self.fire_timers(steps == 0);
                batch = self.ready.borrow().len();
            }
            let left = self.run_batch(batch, main);
            steps += batch - left;
            if steps > 0 {
                self.clock.busy();
            }
            if left > 0 {
                self.remainder.set(left);
                return Outcome::Busy;
            }
            if self.stopping.take() {
                return Outcome::Left;
            }
            if self.ready.borrow().is_empty() {
                return Outcome::Idle;
            }
            if steps >= STEPS_PER_POLL {
                return Outcome::Busy;
            }
        }
    }

    /// Gives back what an extraordinary crowd needed, when nothing is ready.
    fn shrink(&self) {
        let mut ready = self.ready.borrow_mut();
        if ready.capacity() > KEPT {
            ready.shrink_to(KEPT);
        }
    }

    /// Runs one snapshot of the queue. Gives how much of it is left when tokio's budget for this poll is spent.
    fn run_batch(&self, batch: usize, main: &mut Main<'_>) -> usize {
        for left in (0..batch).rev() {
            let next = self.ready.borrow_mut().pop_front();
            match next {
                Some(Ready::Step(queued)) => {
                    self.run_step(queued, main);
                }
                Some(Ready::Call(call)) => self.run_call(&*call),
                None => return 0,
            }
            if !coop::has_budget_remaining() {
                return left;
            }
        }
        0
    }

    fn run_step(&self, queued: Queued, main: &mut Main<'_>) {
        let mut step = || {
            let is_main = self.step(queued);
            if is_main {
                main();
            }
            is_main
        };
        let watched = if self.debug.is_on() {
            self.tasks.borrow().id_of(queued)
        } else {
            None
        };
        match watched {
            Some(id) => self.watched_step(id, step),
            None => step(),
        };
    }

    fn run_call(&self, call: &dyn Call) {
        let run = || {
            if let Err(panicked) = call.run() {
                self.reporter.report("a callback panicked", None, &panicked);
            }
        };
        if self.debug.is_on() {
            self.watched_call(call, run);
        } else {
            run();
        }
    }

    /// Forgets what belongs to the run that ended: its waker, and the rest of its snapshot.
    pub(crate) fn end_run(&self) {
        *self.root.borrow_mut() = None;
        self.remainder.set(0);
        self.stopping.set(false);
        self.turning.set(false);
    }

    /// Drops all tasks, callbacks and timers on this thread. Other threads hold nothing of them but their numbers.
    pub(crate) fn close(&self) {
        self.closing.set(true);
        loop {
            // While the loop is closing, a step drops the body, with panics caught.
            let tasks = self.tasks.borrow().keys();
            tasks.into_iter().for_each(|key| {
                self.step(key.into());
            });
            self.drain_remote();
            self.drop_callbacks();
            // A destructor may have left more to drop.
            if self.tasks.borrow().is_empty() && self.ready.borrow().is_empty() {
                break;
            }
        }
        self.remote.close();
    }

    fn drop_callbacks(&self) {
        let ready = self.ready.take();
        let timers = self.timers.replace(Timers::new());
        for callback in ready {
            self.drop_quietly("a callback's destructor panicked", callback);
        }
        self.drop_quietly("a callback's destructor panicked", timers);
    }
}

/// By what a waker is known again while it lives, without holding it.
#[derive(Clone, Copy)]
pub(crate) struct WakerMark {
    data: *const (),
    vtable: &'static RawWakerVTable,
}

impl WakerMark {
    pub(crate) fn new(waker: &Waker) -> Self {
        WakerMark {
            data: waker.data(),
            vtable: waker.vtable(),
        }
    }

    pub(crate) fn is_of(self, waker: &Waker) -> bool {
        self.data == waker.data() && ptr::eq(self.vtable, waker.vtable())
    }
}

enum Outcome {
    /// Nothing is ready: sleep until a wake or the next timer.
    Idle,
    /// More is ready, after tokio has looked at its I/O.
    Busy,
    /// The loop was stopped.
    Left,
}
