//! The keeper: one thread of this process that starts every child, and keeps those that are not a pool's.
//!
//! The kernel's "die with your parent" means the *thread* that started the child. The keeper is a thread that never
//! ends, so that a child may be started by any short-lived thread and still lives exactly as long as the process.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{self, Command};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{DecodeError, EncodeError, ProcessError, StartError, SystemError};
use crate::host::notifier::Notifier;
use crate::host::socket::{BufferedSocket, Filled};
use crate::host::start;
use crate::process::{Outcome, ProcessState};
use crate::sys::{self, PollFd, SIGKILL};
use crate::wire::{self, Record, START_DEADLINE, Tag, refusal_of};

/// What the keeper is asked to do.
enum Order {
    /// Start a command; say its pid and pidfd.
    Start(Box<Command>, SyncSender<io::Result<(u32, OwnedFd)>>),
    /// Keep a started process until its end.
    Keep(Box<MonitoredProcess>),
}

/// The one keeper of this process.
pub(crate) struct Monitor {
    orders: Mutex<VecDeque<Order>>,
    wake: Notifier,
}

/// The keeper, and the process to which it belongs: a forked child has the memory but not the thread.
static MONITOR: Mutex<Option<(u32, Arc<Monitor>)>> = Mutex::new(None);

impl Monitor {
    /// The keeper of this process, which begins with the first call.
    pub(crate) fn get() -> Result<Arc<Self>, SystemError> {
        let mut slot = MONITOR.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((pid, keeper)) = &*slot
            && *pid == process::id()
        {
            return Ok(Arc::clone(keeper));
        }
        let wake = Notifier::new().map_err(SystemError::new("make an event descriptor"))?;
        let keeper = Arc::new(Self {
            orders: Mutex::new(VecDeque::new()),
            wake,
        });
        let thread = Arc::clone(&keeper);
        thread::Builder::new()
            .name("procs-keeper".to_owned())
            .spawn(move || thread.run())
            .map_err(SystemError::new("start the keeper thread"))?;
        *slot = Some((process::id(), Arc::clone(&keeper)));
        Ok(keeper)
    }

    /// Starts a command on the keeper's thread.
    pub(crate) fn start(&self, command: Command) -> io::Result<(u32, OwnedFd)> {
        let (reply, answer) = mpsc::sync_channel(1);
        self.order(Order::Start(Box::new(command), reply));
        answer
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("the keeper thread has ended")))
    }

    /// Hands over a started process.
    pub(crate) fn keep(&self, process: MonitoredProcess) {
        self.order(Order::Keep(Box::new(process)));
    }

    fn order(&self, order: Order) {
        self.orders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(order);
        self.wake.wake();
    }

    fn run(&self) {
        let mut processes: Vec<MonitoredProcess> = Vec::new();
        loop {
            self.wake.prepare();
            self.obey(&mut processes);
            let timeout = processes
                .iter()
                .filter_map(MonitoredProcess::deadline)
                .min();
            let timeout =
                timeout.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let mut polled = vec![sys::as_poll(self.wake.as_fd(), true, false)];
            for process in &processes {
                polled.push(process.interest());
                polled.push(sys::as_poll(process.state.as_fd(), true, false));
            }
            // A failing poll (want of memory) is as good as one that found nothing: look at everybody, a little later.
            let found = sys::poll(&mut polled, timeout);
            self.wake.awake(polled[0].revents != 0);
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
                    && process.attend(now))
            });
        }
    }

    fn obey(&self, processes: &mut Vec<MonitoredProcess>) {
        loop {
            let order = self
                .orders
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            match order {
                None => return,
                Some(Order::Start(command, reply)) => {
                    // Whoever asked and went away has lost the child; it sees its socket closed and ends.
                    let _ = reply.send(start(*command));
                }
                Some(Order::Keep(process)) => processes.push(*process),
            }
        }
    }
}

/// Starts a command. Afterwards no copy of the child's socket is left in this process.
fn start(mut command: Command) -> io::Result<(u32, OwnedFd)> {
    let mut child = command.spawn()?;
    drop(command);
    match sys::pidfd_open(child.id()) {
        Ok(pidfd) => Ok((child.id(), pidfd)),
        Err(error) => {
            // Without a pidfd nobody would notice its end.
            let _ = child.kill();
            let _ = child.wait();
            Err(error)
        }
    }
}

/// A process that is not a pool's, until its end.
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

    /// What to wait for in its socket. A closed one is always ready, while the process takes its time to end.
    fn interest(&self) -> PollFd {
        let mut socket = self.link.interest();
        if self.closed {
            socket.fd = -1;
        }
        socket
    }

    /// Does what can be done for it now. True: it has ended, and everybody has been told.
    fn attend(&mut self, now: Instant) -> bool {
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
        self.state.signal(SIGKILL);
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
