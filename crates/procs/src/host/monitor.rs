//! The process monitor: one thread that watches the children of this process that belong to no pool, until they end.
//!
//! The thread runs until the program ends, so a child is collected also when its handle has been dropped.
//!
//! If the thread panics, it drops its processes. That kills them and publishes [`ProcessError::MonitorPanicked`], so that
//! every wait ends. The next process gets a new monitor.

use std::os::fd::AsFd;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{DecodeError, EncodeError, ProcessError, StartError, SystemError};
use crate::host::child;
use crate::host::notifier::Notifier;
use crate::host::socket::BufferedSocket;
use crate::process::status::{ExitStatus, ResourceUsage};
use crate::process::{Outcome, ProcessState};
use crate::sys::{self, PollFd};
use crate::wire::{self, Record, START_DEADLINE, Tag, refusal_of};

/// Upper bound of the time in which a killed process ends when its monitor has panicked.
const EXIT_LIMIT: Duration = Duration::from_secs(1);

/// The monitor of this process.
pub(crate) struct Monitor {
    /// Processes that the thread has not taken over yet. `None` once the thread has ended.
    added: Mutex<Option<Vec<MonitoredProcess>>>,
    notifier: Notifier,
    /// Makes the thread panic.
    fails: AtomicBool,
}

/// The monitor, and the process to which it belongs: a forked child has a copy of the memory, but not the thread.
static MONITOR: Mutex<Option<(u32, Arc<Monitor>)>> = Mutex::new(None);

impl Monitor {
    /// Returns the monitor of this process. The first call starts its thread.
    pub(crate) fn get() -> Result<Arc<Self>, SystemError> {
        let mut slot = MONITOR.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((pid, monitor)) = &*slot
            && *pid == process::id()
            && monitor.added().is_some()
        {
            return Ok(Arc::clone(monitor));
        }
        let notifier = Notifier::new().map_err(SystemError::new("make an event descriptor"))?;
        let monitor = Arc::new(Self {
            added: Mutex::new(Some(Vec::new())),
            notifier,
            fails: AtomicBool::new(false),
        });
        let thread = Arc::clone(&monitor);
        thread::Builder::new()
            .name("procs-monitor".to_owned())
            .spawn(move || {
                let mut processes = Vec::new();
                // Dropped before the processes: no process is added to this monitor once a wait has ended.
                let _end = EndMonitor(&thread);
                thread.run(&mut processes);
            })
            .map_err(SystemError::new("start the thread that monitors processes"))?;
        *slot = Some((process::id(), Arc::clone(&monitor)));
        Ok(monitor)
    }

    /// Watches a process until its end.
    pub(crate) fn track(&self, process: MonitoredProcess) {
        let untracked = match &mut *self.added() {
            Some(added) => {
                added.push(process);
                None
            }
            None => Some(process),
        };
        // Outside the lock: the drop kills the process and waits for its end.
        drop(untracked);
        self.notifier.wake();
    }

    /// Makes the thread of this process's monitor panic.
    pub(crate) fn fail() {
        if let Some((_, monitor)) = &*MONITOR.lock().unwrap_or_else(PoisonError::into_inner) {
            monitor.fails.store(true, Relaxed);
            monitor.notifier.nudge();
        }
    }

    fn added(&self) -> MutexGuard<'_, Option<Vec<MonitoredProcess>>> {
        self.added.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, processes: &mut Vec<MonitoredProcess>) {
        loop {
            self.notifier.prepare();
            if let Some(added) = &mut *self.added() {
                processes.append(added);
            }
            assert!(!self.fails.load(Relaxed), "the monitor was made to fail");
            let timeout = processes
                .iter()
                .filter_map(MonitoredProcess::deadline)
                .min();
            let timeout =
                timeout.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let mut polled = vec![sys::as_poll(self.notifier.as_fd(), true, false)];
            for process in &*processes {
                polled.push(process.interest());
                polled.push(sys::as_poll(process.state.as_fd(), true, false));
            }
            // A poll fails when the kernel has no memory. Then all processes are examined, after a pause.
            let found = sys::poll(&mut polled, timeout);
            self.notifier.awake(polled[0].revents != 0);
            if found.is_err() {
                thread::sleep(Duration::from_millis(10));
            }
            let ready = polled[1..]
                .chunks_exact(2)
                .map(|pair| pair[0].revents != 0 || pair[1].revents != 0);
            let mut ready = ready.collect::<Vec<_>>().into_iter();
            let now = Instant::now();
            processes.retain_mut(|process| {
                let ready = ready.next().unwrap_or(true) || found.is_err();
                !((ready || process.deadline().is_some_and(|deadline| deadline <= now))
                    && process.handle_events(now))
            });
        }
    }
}

/// When the thread ends, closes the monitor and kills the processes that the thread had not taken over.
struct EndMonitor<'a>(&'a Monitor);

impl Drop for EndMonitor<'_> {
    fn drop(&mut self) {
        let untracked = self.0.added().take();
        drop(untracked);
    }
}

/// Phase of a process.
///
/// | from | event | to |
/// |---|---|---|
/// | `Starting` | the record `Ready` | `Started` |
/// | `Starting` | the deadline passes | `Started`; the process is killed and the outcome is an error |
/// | `Starting`, `Started` | the process has ended and was collected | `Ended` |
///
/// The socket may close in any phase. A process that ends while `Starting`, other than by a signal, has never been ready.
enum Phase {
    Starting { deadline: Instant },
    Started,
    Ended,
}

/// A process that belongs to no pool, until its end.
pub(crate) struct MonitoredProcess {
    state: Arc<ProcessState>,
    socket: BufferedSocket,
    phase: Phase,
    /// The result of its task, or the error of its start, once known.
    outcome: Option<Outcome>,
}

impl MonitoredProcess {
    pub(crate) fn new(state: Arc<ProcessState>, socket: BufferedSocket) -> Self {
        let deadline = Instant::now() + START_DEADLINE;
        Self {
            state,
            socket,
            phase: Phase::Starting { deadline },
            outcome: None,
        }
    }

    /// Returns the deadline of the record `Ready`, while it has not arrived.
    fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Starting { deadline } => Some(deadline),
            Phase::Started | Phase::Ended => None,
        }
    }

    /// Returns the events of its socket to wait for: none once it is closed, because a closed socket is always ready.
    fn interest(&self) -> PollFd {
        let mut events = self.socket.interest();
        if self.socket.is_closed() {
            events.fd = -1;
        }
        events
    }

    /// Reads and writes without blocking. Returns true once the process has ended and its end is published.
    fn handle_events(&mut self, now: Instant) -> bool {
        self.socket.flush();
        if !self.socket.is_closed() {
            self.socket.fill();
        }
        self.read();
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.phase = Phase::Started;
            self.kill_with(StartError::TimedOut(START_DEADLINE));
        }
        self.finish()
    }

    /// Kills the process. The error is its outcome, unless it has one already.
    fn kill_with(&mut self, error: StartError) {
        self.outcome.get_or_insert(Err(ProcessError::Start(error)));
        self.kill();
    }

    fn kill(&self) {
        if self.state.kill_tree().is_err() {
            self.socket.hang_up();
        }
    }

    /// Handles the records that have arrived.
    fn read(&mut self) {
        loop {
            let size = match wire::record(self.socket.unread()) {
                Ok(None) => return,
                Ok(Some(record)) => {
                    if record.tag == Tag::Ready {
                        self.phase = Phase::Started;
                    } else if self.outcome.is_none() {
                        self.outcome = Some(outcome_of(&record));
                    }
                    record.size
                }
                Err(wire::Corrupt) => {
                    self.kill_with(StartError::Garbled);
                    self.socket.unread().len()
                }
            };
            self.socket.consume(size);
        }
    }

    /// Publishes the end of a process that has ended. Returns false while it runs.
    fn finish(&mut self) -> bool {
        let Some((status, usage)) = child::collect(self.state.pid(), self.state.pidfd()) else {
            return false;
        };
        self.socket.drain();
        self.read();
        let never_ready = self.deadline().is_some() && status.signal().is_none();
        let outcome = self.outcome.take().unwrap_or_else(|| {
            Err(if never_ready {
                ProcessError::Start(StartError::of_early_end(status))
            } else {
                ProcessError::Died {
                    pid: self.state.pid(),
                    status,
                    usage,
                }
            })
        });
        self.state.complete(status, outcome);
        self.phase = Phase::Ended;
        true
    }

    /// Waits for the end of a process that was killed, at most for [`EXIT_LIMIT`], and collects it.
    fn await_exit(&self) -> Option<(ExitStatus, ResourceUsage)> {
        sys::await_readable(self.state.as_fd(), EXIT_LIMIT);
        child::collect(self.state.pid(), self.state.pidfd())
    }
}

/// Kills a process that is no longer watched, and publishes its end, so that every wait for it ends.
impl Drop for MonitoredProcess {
    fn drop(&mut self) {
        if matches!(self.phase, Phase::Ended) {
            return;
        }
        self.kill();
        let status = self
            .await_exit()
            .map_or(ExitStatus::UNKNOWN, |(status, _)| status);
        let outcome = self.outcome.take();
        self.state.complete(
            status,
            outcome.unwrap_or(Err(ProcessError::MonitorPanicked)),
        );
    }
}

/// Converts a record into the outcome of the task.
fn outcome_of(record: &Record<'_>) -> Outcome {
    let text = || String::from_utf8_lossy(record.payload).into_owned();
    Err(match record.tag {
        Tag::Value => return Ok(record.payload.to_vec()),
        Tag::Panicked => ProcessError::Panicked(wire::decode_panic(record.payload)),
        Tag::BadArguments => ProcessError::Decode(DecodeError::from_text(text())),
        Tag::BadOutput => ProcessError::Encode(EncodeError::from_text(text())),
        Tag::Refused => ProcessError::Start(refusal_of(record.payload)),
        Tag::Ready | Tag::Initialized | Tag::Resumed => ProcessError::Start(StartError::Garbled),
    })
}
