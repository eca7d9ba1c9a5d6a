//! The event loop that users hold.

use std::{
    fmt,
    future::poll_fn,
    io,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
};

use crate::{
    alarm::Alarm,
    current::{self, Entered},
    error::{LoopClosed, LoopRunning, NoRunningLoop, RunError},
    executor::{Engine, Main, Ready},
    handle::{Handle, TimerHandle, once},
    loop_builder::LoopBuilder,
    loop_core::LoopCore,
    loop_handle::LoopHandle,
    main_future::MainFuture,
    report::ExceptionContext,
    task::{self, Task, TaskRef},
    timer::Due,
};

/// An event loop: callbacks, timers, tasks and sockets on one thread, in asyncio's order.
///
/// The loop runs in *iterations*: sockets are polled, timers that are due move into the ready queue, and what the
/// queue holds at that moment is run, first come, first served. What a callback or a task schedules waits for the next
/// iteration. While the queue never empties, sockets are polled every 61 steps.
///
/// An `EventLoop` is a handle: clones mean the same loop, which is closed when the last clone is dropped. It stays on
/// its thread; [`handle`](EventLoop::handle) gives what other threads may hold.
///
/// Most programs need only [`run`](crate::run).
///
/// ```
/// let event_loop = aio::EventLoop::new()?;
/// let again = event_loop.clone();
/// event_loop.call_soon(move || {
///     println!("called by the loop");
///     again.stop();
/// })?;
/// event_loop.run_forever()?;
/// event_loop.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct EventLoop {
    core: Rc<LoopCore>,
}

impl EventLoop {
    /// Makes a loop. It does not run yet, but callbacks and tasks can be scheduled on it.
    ///
    /// # Errors
    ///
    /// When the operating system refuses the descriptors that a loop needs (an epoll instance and an event counter).
    pub fn new() -> io::Result<Self> {
        EventLoop::builder().build()
    }

    /// For a loop in debug mode or on a virtual clock.
    pub fn builder() -> LoopBuilder {
        LoopBuilder::new()
    }

    pub(crate) fn with_clock(virtual_clock: bool) -> io::Result<Self> {
        Ok(EventLoop {
            core: Rc::new(LoopCore::new(virtual_clock)?),
        })
    }

    pub(crate) fn from_core(core: Rc<LoopCore>) -> Self {
        EventLoop { core }
    }

    /// Runs the loop until `future` is done and gives its output. Other tasks of the loop make progress meanwhile, and
    /// stay where they are afterwards.
    ///
    /// The future may borrow: it is dropped before this returns.
    ///
    /// # Errors
    ///
    /// [`RunError::AlreadyRunning`] when a loop already runs on this thread, [`RunError::Closed`] when this one is
    /// closed, [`RunError::Stopped`] when [`stop`](EventLoop::stop) came first, [`RunError::Cancelled`] and
    /// [`RunError::Panicked`] when that happened to the future.
    pub fn run_until_complete<F: Future>(&self, future: F) -> Result<F::Output, RunError> {
        let main = MainFuture::new(&self.core.engine, future);
        let mut main = std::pin::pin!(main);
        let first = main.first();
        self.drive(Some(first), &mut || main.as_mut().step())?;
        main.as_mut().finish()
    }

    /// Runs the loop until [`stop`](EventLoop::stop) is called. If it was called before, one iteration is run.
    ///
    /// # Errors
    ///
    /// [`RunError::AlreadyRunning`] and [`RunError::Closed`], as for
    /// [`run_until_complete`](EventLoop::run_until_complete).
    pub fn run_forever(&self) -> Result<(), RunError> {
        self.drive(None, &mut || {})
    }

    fn drive(&self, first: Option<Ready>, main: &mut Main<'_>) -> Result<(), RunError> {
        let engine = &self.core.engine;
        let runtime = self
            .core
            .runtime
            .try_borrow()
            .map_err(|_| RunError::Closed)?;
        let runtime = runtime.as_ref().ok_or(RunError::Closed)?;
        let entered = Entered::new(&self.core).ok_or(RunError::AlreadyRunning)?;
        if let Some(first) = first {
            engine.push(first);
        }
        let mut alarm = Alarm::new();
        let mut begun = false;
        let turns = poll_fn(|cx| {
            begun = true;
            engine.turn(cx, main, &mut alarm)
        });
        // Tokio panics when this thread is already within one of its runtimes; nothing of ours has run then.
        let tree_on_signal = self.tree_on_signal();
        let outcome = catch_unwind(AssertUnwindSafe(|| runtime.block_on(turns)));
        if let Some(tree_on_signal) = tree_on_signal {
            tree_on_signal.abort();
        }
        engine.end_run();
        drop(entered);
        match outcome {
            Ok(()) => Ok(()),
            Err(_) if !begun => Err(RunError::AlreadyRunning),
            Err(payload) => resume_unwind(payload),
        }
    }

    /// In debug mode SIGUSR1 prints the task tree.
    fn tree_on_signal(&self) -> Option<JoinHandle<()>> {
        if !self.is_debug() {
            return None;
        }
        let engine = self.core.engine.clone();
        let printing = self.core.beside(|| {
            let mut signals = signal(SignalKind::user_defined1())?;
            Ok(async move {
                while signals.recv().await.is_some() {
                    eprint!("{}", engine.task_tree());
                }
            })
        });
        printing.ok()
    }

    pub(crate) fn core(&self) -> &LoopCore {
        &self.core
    }

    /// Ends the run when the present iteration is over. What is scheduled later waits for the next run.
    pub fn stop(&self) {
        self.core.engine.stop();
    }

    /// Whether the loop is running, on this thread.
    pub fn is_running(&self) -> bool {
        current::core().is_ok_and(|core| Rc::ptr_eq(&core, &self.core))
    }

    /// Closes the loop: drops all its tasks and callbacks on this thread, stops its sockets, and waits at most 5 s for
    /// functions on the blocking pool. Wakes and calls from other threads are harmless afterwards. Closing a closed
    /// loop does nothing.
    ///
    /// # Errors
    ///
    /// [`LoopRunning`] when the loop is running.
    pub fn close(&self) -> Result<(), LoopRunning> {
        self.core.close()
    }

    /// Whether the loop is closed.
    pub fn is_closed(&self) -> bool {
        self.core
            .runtime
            .try_borrow()
            .is_ok_and(|runtime| runtime.is_none())
    }

    fn open(&self) -> Result<&Rc<Engine>, LoopClosed> {
        if self.is_closed() {
            Err(LoopClosed)
        } else {
            Ok(&self.core.engine)
        }
    }

    /// The loop's clock, which [`call_at`](EventLoop::call_at) uses.
    pub fn time(&self) -> Instant {
        self.core.engine.now()
    }

    /// Calls `function` in the next iteration. A panic in it goes to the exception handler, and the loop goes on.
    ///
    /// # Errors
    ///
    /// [`LoopClosed`]; the function is dropped.
    #[track_caller]
    pub fn call_soon(&self, function: impl FnOnce() + 'static) -> Result<Handle, LoopClosed> {
        Ok(Handle::new(self.open()?.call_soon(function)))
    }

    /// Calls `function` when `delay` has passed; a delay of zero means the next iteration. Timers fire in the order of
    /// their deadlines, equal ones in the order in which they were made, to about a millisecond.
    ///
    /// # Errors
    ///
    /// [`LoopClosed`]; the function is dropped.
    #[track_caller]
    pub fn call_later(
        &self,
        delay: Duration,
        function: impl FnOnce() + 'static,
    ) -> Result<TimerHandle, LoopClosed> {
        let now = self.time();
        // A delay beyond what the clock can count is as good as never: a century.
        let when = now
            .checked_add(delay)
            .unwrap_or(now + Duration::from_secs(100 * 365 * 86_400));
        self.call_at(when, function)
    }

    /// Calls `function` at a time of [`time`](EventLoop::time)'s clock; a time in the past means the next iteration.
    ///
    /// # Errors
    ///
    /// [`LoopClosed`]; the function is dropped.
    #[track_caller]
    pub fn call_at(
        &self,
        when: Instant,
        function: impl FnOnce() + 'static,
    ) -> Result<TimerHandle, LoopClosed> {
        let engine = self.open()?;
        let call = once(function);
        let key = engine.add_timer(when, Due::Call(call.clone()));
        Ok(TimerHandle::new(call, when, engine, key))
    }

    /// Starts `future` as a task of this loop, which need not be running; see [`create_task`](crate::create_task). On a
    /// closed loop the task is already finished, with [`TaskError::LoopClosed`](crate::TaskError::LoopClosed).
    #[track_caller]
    pub fn create_task<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        match self.open() {
            Ok(engine) => task::spawn(engine, future),
            Err(LoopClosed) => Task::on_closed_loop(),
        }
    }

    /// The tasks that are not done, oldest first.
    pub fn all_tasks(&self) -> Vec<TaskRef> {
        let keys = self.core.engine.tasks.borrow().keys();
        keys.into_iter()
            .map(|key| TaskRef::new(&self.core.engine, key))
            .collect()
    }

    /// All tasks that are not done, one a line, each beneath the one that awaits it; in debug mode with the place that
    /// created it. Who awaits whom is only known in debug mode.
    pub fn task_tree(&self) -> String {
        self.core.engine.task_tree()
    }

    /// Switches debug mode on or off; see [`LoopBuilder::debug`].
    pub fn set_debug(&self, on: bool) {
        self.core.engine.debug.switch(on);
    }

    /// Whether debug mode is on.
    pub fn is_debug(&self) -> bool {
        self.core.engine.debug.is_on()
    }

    pub(crate) fn set_slow_step(&self, limit: Duration) {
        self.core.engine.debug.set_slow_step(limit);
    }

    /// What other threads use to reach this loop.
    pub fn handle(&self) -> LoopHandle {
        LoopHandle::new(self.core.engine.remote.clone())
    }

    /// Sets what is told of panics in callbacks and in tasks that nobody awaits; without a handler they are printed to
    /// the standard error stream. A handler that panics itself is reported there too.
    pub fn set_exception_handler(&self, handler: impl Fn(&ExceptionContext<'_>) + 'static) {
        self.core.engine.reporter.set(Some(Rc::new(handler)));
    }
}

impl fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLoop")
            .field("running", &self.is_running())
            .field("closed", &self.is_closed())
            .finish()
    }
}

/// The loop that runs on this thread.
///
/// # Errors
///
/// [`NoRunningLoop`] when none does.
///
/// ```
/// assert!(aio::get_running_loop().is_err());
/// aio::run(async { assert!(aio::get_running_loop().is_ok()) })?;
/// # Ok::<(), aio::RunError>(())
/// ```
pub fn get_running_loop() -> Result<EventLoop, NoRunningLoop> {
    current::core().map(EventLoop::from_core)
}
