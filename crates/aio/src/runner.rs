//! `run`: a loop for one future, from its making to its close.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use pin_project_lite::pin_project;

use crate::{
    error::RunError,
    event_loop::EventLoop,
    signal::Interrupt,
    task::{TaskRef, current_task},
};

/// Makes a loop, runs `future` on it, cancels what tasks are left, closes the loop, and gives the future's output.
///
/// The future may borrow from its surroundings and need not be `Send`. Its tasks must be `'static`.
///
/// On the program's main thread SIGINT (ctrl-c) cancels the future: it is dropped where it stands, its clean-ups run, the
/// tasks are cancelled, and `run` gives [`RunError::Interrupted`]. A second SIGINT ends the program at once, as it would
/// have without `run`, and so does any after `run` has returned. Whoever listens for SIGINT by
/// [`shutdown_signal`](crate::shutdown_signal) or [`EventLoop::add_signal_handler`] decides for himself.
///
/// # Errors
///
/// [`RunError::AlreadyRunning`] within another loop: there, `.await` the future. [`RunError::Cancelled`],
/// [`RunError::Interrupted`] and [`RunError::Panicked`] when that happened to the future, [`RunError::Stopped`] when it stopped the loop,
/// [`RunError::Io`] when the loop could not be made.
///
/// ```
/// let greeting = aio::run(async {
///     aio::sleep(std::time::Duration::from_millis(1)).await;
///     "Hello, again!"
/// })?;
/// assert_eq!(greeting, "Hello, again!");
/// # Ok::<(), aio::RunError>(())
/// ```
pub fn run<F: Future>(future: F) -> Result<F::Output, RunError> {
    if crate::get_running_loop().is_ok() {
        return Err(RunError::AlreadyRunning);
    }
    let event_loop = EventLoop::new()?;
    let main: Rc<RefCell<Option<TaskRef>>> = Rc::default();
    let noted = main.clone();
    let interrupt = Interrupt::listen(&event_loop, move || {
        if let Some(main) = &*main.borrow() {
            main.cancel();
        }
    });
    let result = event_loop.run_until_complete(Noting {
        future,
        task: noted,
    });
    wind_up(&event_loop);
    // It cannot be running any more.
    let _ = event_loop.close();
    match result {
        Err(RunError::Cancelled(_)) if interrupt.came() => Err(RunError::Interrupted),
        result => result,
    }
}

pin_project! {
    /// Notes which task it is.
    struct Noting<F> {
        #[pin]
        future: F,
        task: Rc<RefCell<Option<TaskRef>>>,
    }
}

impl<F: Future> Future for Noting<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if this.task.borrow().is_none() {
            this.task.replace(current_task());
        }
        this.future.poll(cx)
    }
}

/// How often it is looked whether the clean-ups are done.
const CLEANUP_POLL: Duration = Duration::from_millis(1);

/// How often what the destructors of cancelled tasks have started is cancelled in its turn.
const ROUNDS: usize = 16;

/// Cancels every task and lets the loop run until they have ended.
fn wind_up(event_loop: &EventLoop) {
    for _ in 0..ROUNDS {
        let tasks = event_loop.all_tasks();
        if tasks.is_empty() {
            return;
        }
        for task in &tasks {
            task.cancel();
        }
        let all_ended = async {
            // A body is dropped within one iteration of its cancellation; its clean-ups take at most their 5 s.
            crate::yield_now().await;
            while tasks.iter().any(|task| !task.is_done()) {
                crate::sleep(CLEANUP_POLL).await;
            }
        };
        // Within a foreign runtime the loop has not run and cannot; closing it drops the tasks.
        if event_loop.run_until_complete(all_ended).is_err() {
            return;
        }
    }
}
