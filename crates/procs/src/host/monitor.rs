//! The process monitor: one thread of this process that watches the children that no pool has, until they end.
//!
//! It never ends, so that a handle may be dropped at any time: the child is collected all the same.

use std::os::fd::AsFd;
use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{DecodeError, EncodeError, ProcessError, StartError, SystemError};
use crate::host::notifier::Notifier;
use crate::host::socket::{BufferedSocket, Filled};
use crate::host::start;
use crate::process::{Outcome, ProcessState};
use crate::sys::{self, PollFd};
use crate::wire::{self, Record, START_DEADLINE, Tag, refusal_of};

/// The monitor of this process.
pub(crate) struct Monitor {
    /// Processes that the thread does not know yet.
    added: Mutex<Vec<MonitoredProcess>>,
    notifier: Notifier,
}

/// The monitor, and the process to which it belongs: a forked child has the memory but not the thread.
static MONITOR: Mutex<Option<(u32, Arc<Monitor>)>> = Mutex::new(None);

impl Monitor {
    /// Returns the monitor of this process. The first call starts its thread.
    pub(crate) fn get() -> Result<Arc<Self>, SystemError> {
        let mut slot = MONITOR.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((pid, monitor)) = &*slot
            && *pid == process::id()
        {
            return Ok(Arc::clone(monitor));
        }
        let notifier = Notifier::new().map_err(SystemError::new("make an event descriptor"))?;
        let monitor = Arc::new(Self {
            added: Mutex::default(),
            notifier,
        });
        let thread = Arc::clone(&monitor);
        thread::Builder::new()
            .name("procs-monitor".to_owned())
            .spawn(move || thread.run())
            .map_err(SystemError::new("start the thread that monitors processes"))?;
        *slot = Some((process::id(), Arc::clone(&monitor)));
        Ok(monitor)
    }

    /// Watches a process that was started, until its end.
    pub(crate) fn track(&self, process: MonitoredProcess) {
        self.added().push(process);
        self.notifier.wake();
    }

    fn added(&self) -> MutexGuard<'_, Vec<MonitoredProcess>> {
        self.added.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut processes: Vec<MonitoredProcess> = Vec::new();
        loop {
            self.notifier.prepare();
            processes.append(&mut self.added());
            let timeout = processes
                .iter()
                .filter_map(MonitoredProcess::deadline)
                .min();
            let timeout =
                timeout.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let mut polled = vec![sys::as_poll(self.notifier.as_fd(), true, false)];
            for process in &processes {
                polled.push(process.interest());
                polled.push(sys::as_poll(process.state.as_fd(), true, false));
            }
            // A poll fails when the kernel has no memory. All processes are examined then, after a pause.
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

/// A process that belongs to no pool, until its end.
pub(crate) struct MonitoredProcess {
    state: Arc<ProcessState>,
    link: BufferedSocket,
    /// Until when it must say that it is ready.
    start_deadline: Option<Instant>,
    outcome: Option<Outcome>,
    /// Its socket is closed: only the pidfd has something to say.
    closed: bool,
}

impl MonitoredProcess {
    pub(crate) fn new(state: Arc<ProcessState>, link: BufferedSocket) -> Self {
        let start_deadline = Some(Instant::now() + START_DEADLINE);
        Self {
            state,
            link,
            start_deadline,
            outcome: None,
            closed: false,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.start_deadline
    }

    /// The events of its socket to wait for: none once it is closed, because a closed socket is always ready.
    fn interest(&self) -> PollFd {
        let mut socket = self.link.interest();
        if self.closed {
            socket.fd = -1;
        }
        socket
    }

    /// Reads and writes what can move now. Returns true once the process has ended and its end is published.
    fn handle_events(&mut self, now: Instant) -> bool {
        self.link.flush();
        if !self.closed {
            self.closed = self.link.fill() == Filled::Closed;
        }
        self.read();
        if self.start_deadline.is_some_and(|deadline| deadline <= now) {
            self.start_deadline = None;
            self.give_up(StartError::TimedOut(START_DEADLINE));
        }
        self.finish()
    }

    fn give_up(&mut self, error: StartError) {
        self.outcome.get_or_insert(Err(ProcessError::Start(error)));
        self.state.kill();
    }

    fn read(&mut self) {
        loop {
            let size = match wire::record(self.link.unread()) {
                Ok(None) => return,
                Ok(Some(record)) => {
                    if record.tag == Tag::Ready {
                        self.start_deadline = None;
                    } else if self.outcome.is_none() {
                        self.outcome = Some(outcome_of(&record));
                    }
                    record.size
                }
                Err(wire::Corrupt) => {
                    self.give_up(StartError::Garbled);
                    self.link.unread().len()
                }
            };
            self.link.consume(size);
        }
    }

    fn finish(&mut self) -> bool {
        let Some((status, usage)) = start::collect(self.state.pid(), self.state.pidfd()) else {
            return false;
        };
        self.link.drain();
        self.read();
        let never_ready = self.start_deadline.is_some() && status.signal().is_none();
        let outcome = self.outcome.take().unwrap_or_else(|| {
            Err(if never_ready {
                ProcessError::Start(StartError::of_early_end(status))
            } else {
                ProcessError::Died {
                    pid: self.state.pid(),
                    signal: status.signal(),
                    code: status.code(),
                    usage,
                }
            })
        });
        self.state.complete(status, outcome);
        true
    }
}

/// What a record says about the task.
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
