//! The supervisor's handle of one worker: its phase, its tasks, its mean task time.
//!
//! | phase | event | next phase | deadline |
//! |---|---|---|---|
//! | `Starting` | record `Ready` | `Initializing` | the start deadline: `Ending(NotStarted)`, killed |
//! | `Starting` | record `Refused` | `Ending(NotStarted)` | |
//! | `Initializing` | record `Initialized` | `Ready` | the task timeout: `Ending(NotStarted)`, killed |
//! | `Initializing` | record of a failed initializer | `Ending(NotStarted)` | |
//! | `Ready` | it holds its last task, is idle too long, or the pool drains | `Draining` | |
//! | `Ready`, `Draining` | the task clock finds it overdue or stalled | `Ending(Overdue)` or `Ending(Stalled)`, killed | see `deadlines` |
//! | `Draining` | no task left, and not exited in time | `Ending(ExitOverdue)`, killed | 5 s |
//! | `Starting`, `Initializing` | the pool drains | `Ending(ExitOverdue)`, killed | |
//! | `Ready`, `Draining` | the pool is terminated, dropped or broken | `Ending(PoolEnded)`, killed | |
//! | `Ready` | its unbegun tasks are revoked; record `Resumed` | `Ready`, `revoking` set and cleared | |
//! | any | bytes that are no record, or of another job | `Ending(Corrupt)`, killed | |
//! | any | its pidfd is ready: it has ended | reaped, see `exit` | |
//!
//! A kill ends the descendants before the worker, so that a task may return from a wait for one of them and answer before
//! the worker dies. What it then answers is no result: `Ending` names the first task whose result is refused.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::error::{DecodeError, StartError, SystemError};
use crate::host::child::{self, Child};
use crate::host::socket::BufferedSocket;
use crate::host::start;
use crate::process::{descendants, signal};
use crate::sys::{self, PollFd, SIGTERM};
use crate::wire::journal::Journal;
use crate::wire::{self, Corrupt, Tag, frame, refusal_of};

use crate::pool::PoolConfig;
use crate::pool::job::batch::BatchSlice;
use crate::pool::job::scan::{Scan, scan};
use crate::pool::worker::deadlines::{TaskClock, Verdict, Work};
use crate::pool::worker::in_flight::InFlight;

mod deadlines;
mod exit;
mod in_flight;

pub(in crate::pool) use exit::WorkerExit;

/// Time of the tasks that a worker holds in advance, in nanoseconds, so that it does not wait for the next one.
const AHEAD_NANOS: u64 = 500_000;
/// Longest mean time of tasks for whose results a driver spins before it sleeps, in nanoseconds.
const SHORT_NANOS: u64 = 5_000;
/// The largest number of tasks that a worker holds.
const MAX_WINDOW: u64 = 8192;
/// Number of unsent bytes above which a worker gets no more tasks.
const MAX_BACKLOG: usize = 1 << 20;
/// Time limit of the exit of a worker that was asked to exit and has no task left.
const EXIT_DEADLINE: Duration = Duration::from_secs(5);

/// State of a worker. See the table above.
#[derive(Debug)]
enum Phase {
    /// It has been started, and has not called `init`.
    Starting { deadline: Instant },
    /// It runs the initializer, if there is one.
    Initializing { deadline: Option<Instant> },
    /// It takes tasks. `revoking`: its unbegun tasks were revoked, and it has not acknowledged that. Until then it gets no
    /// new ones, which could not be revoked.
    Ready { revoking: bool },
    /// It was sent STOP, and finishes the tasks that it holds.
    Draining { since: Instant, revoked: bool },
    /// It has failed or was killed, and is not reaped yet.
    Ending(Ending),
}

/// Reason for which a worker ends without a STOP frame.
#[derive(Debug)]
enum Ending {
    /// It did not become ready.
    NotStarted(StartError),
    /// Killed: the function of this task ran too long.
    Overdue { number: u64 },
    /// Killed: a transfer made no progress. The task is the one that was begun last, or the first unbegun one.
    Stalled { number: u64 },
    /// Killed: the pool ends. Results up to this task had arrived before.
    PoolEnded { number: u64 },
    /// Killed: it sent bytes that are no record, or records of another job.
    Corrupt,
    /// Killed: it did not exit in time, or the pool drained before it was ready.
    ExitOverdue,
}

impl Ending {
    /// Returns the number of the first task whose result is refused. `None`: all results count.
    fn first_refused(&self) -> Option<u64> {
        match self {
            Self::Overdue { number } | Self::Stalled { number } | Self::PoolEnded { number } => {
                Some(*number)
            }
            Self::NotStarted(_) | Self::Corrupt | Self::ExitOverdue => None,
        }
    }
}

/// Time limits of a worker.
struct Limits {
    start: Duration,
    initializer: Option<Duration>,
    task: Option<Duration>,
}

/// Running mean of the time of a worker's tasks.
#[derive(Default)]
struct MeanTime {
    /// In nanoseconds; `None` before the first task.
    nanos: Option<u64>,
    /// The journal's `BUSY` at the last update.
    busy_seen: u64,
}

impl MeanTime {
    /// Adds tasks that have ended. `busy`: the nanoseconds that the worker has spent in tasks so far.
    fn update(&mut self, ended: u64, busy: u64) {
        let mean = busy.wrapping_sub(self.busy_seen) / ended;
        self.busy_seen = busy;
        self.nanos = Some(self.nanos.map_or(mean, |before| before / 4 * 3 + mean / 4));
    }
}

/// A worker, from its start until it is reaped.
pub(in crate::pool) struct WorkerHandle {
    pub(in crate::pool) name: String,
    pub(in crate::pool) pid: u32,
    pidfd: OwnedFd,
    socket: BufferedSocket,
    journal: Journal,
    phase: Phase,
    in_flight: InFlight,
    /// Number of tasks that it may still be given; `None`: no limit.
    lifetime: Option<usize>,
    has_initializer: bool,
    limits: Limits,
    started_at: Instant,
    clock: Option<TaskClock>,
    mean_time: MeanTime,
    /// When it last answered, or was given a task while it held none.
    last_progress: Instant,
}

impl WorkerHandle {
    /// Makes the handle of a new process, and sends the process its handshake.
    pub(in crate::pool) fn new(
        name: String,
        child: Child,
        config: &PoolConfig,
        now: Instant,
    ) -> Result<Self, StartError> {
        let journal = match new_journal(config) {
            Ok(journal) => journal,
            Err(error) => {
                child::discard(child);
                return Err(error.into());
            }
        };
        let mut worker = Self {
            name,
            pid: child.pid,
            pidfd: child.pidfd,
            socket: BufferedSocket::new(child.stream),
            in_flight: InFlight::new(journal.next()),
            journal,
            phase: Phase::Starting {
                deadline: now + config.start_deadline,
            },
            lifetime: config.max_tasks,
            has_initializer: config.has_initializer(),
            limits: Limits {
                start: config.start_deadline,
                initializer: config.initializer_limit(),
                task: config.task_timeout,
            },
            started_at: now,
            clock: config.task_timeout.map(TaskClock::new),
            mean_time: MeanTime::default(),
            last_progress: now,
        };
        if let Err(error) = worker.send_handshake(config) {
            worker.end(Ending::NotStarted(error));
        }
        Ok(worker)
    }

    /// Sends the handshake with its descriptors, and queues the initializer's arguments.
    fn send_handshake(&mut self, config: &PoolConfig) -> Result<(), StartError> {
        let handshake = config.handshake(&self.name)?;
        let passed: Vec<_> = [self.journal.as_fd()]
            .into_iter()
            .chain(config.descriptors.iter().map(AsFd::as_fd))
            .collect();
        let args = &config.initializer_args;
        start::send_handshake(&mut self.socket, &handshake, &passed, args)?;
        Ok(())
    }

    /// Returns the number of tasks that it holds.
    pub(in crate::pool) fn outstanding(&self) -> usize {
        self.in_flight.count()
    }

    /// Returns the descriptors to wait for: its socket, its pidfd.
    pub(in crate::pool) fn interest(&self) -> [PollFd; 2] {
        let mut socket = self.socket.interest();
        if self.socket.is_closed() || self.is_corrupt() {
            // A closed socket is always ready, so only the end of the process is polled.
            socket.fd = -1;
        }
        [socket, sys::as_poll(self.pidfd.as_fd(), true, false)]
    }

    /// Returns when it will have been idle for `limit`; `None` if it is not idle.
    pub(in crate::pool) fn idle_until(&self, limit: Duration) -> Option<Instant> {
        self.is_quiet().then(|| self.last_progress + limit)
    }

    /// Returns whether it is idle: it takes tasks, holds none, and no bytes wait to be sent to it.
    pub(in crate::pool) fn is_quiet(&self) -> bool {
        matches!(self.phase, Phase::Ready { revoking: false })
            && self.outstanding() == 0
            && self.socket.backlog() == 0
            && !self.socket.is_closed()
    }

    /// Returns whether it has been started and does not take tasks yet.
    pub(in crate::pool) fn is_early(&self) -> bool {
        matches!(
            self.phase,
            Phase::Starting { .. } | Phase::Initializing { .. }
        )
    }

    /// Returns whether it has called `init`.
    pub(in crate::pool) fn has_reported(&self) -> bool {
        self.has_been_ready() || matches!(self.phase, Phase::Initializing { .. })
    }

    /// Returns whether it takes tasks, or did so before its end.
    pub(in crate::pool) fn has_been_ready(&self) -> bool {
        match &self.phase {
            Phase::Starting { .. } | Phase::Initializing { .. } => false,
            Phase::Ending(ending) => !matches!(ending, Ending::NotStarted(_)),
            Phase::Ready { .. } | Phase::Draining { .. } => true,
        }
    }

    /// Returns whether it takes tasks, or finishes the last of them.
    pub(in crate::pool) fn takes_tasks(&self) -> bool {
        matches!(self.phase, Phase::Ready { .. } | Phase::Draining { .. })
    }

    /// Returns when its process was started.
    pub(in crate::pool) fn started_at(&self) -> Instant {
        self.started_at
    }

    fn is_corrupt(&self) -> bool {
        matches!(self.phase, Phase::Ending(Ending::Corrupt))
    }

    /// Sends the process SIGTERM.
    pub(in crate::pool) fn terminate(&self) {
        if signal::send(self.pid, self.pidfd.as_fd(), SIGTERM).is_err() {
            self.socket.hang_up();
        }
    }

    /// Kills the process and its descendants.
    pub(in crate::pool) fn kill(&self) {
        if descendants::kill_tree(self.pid, self.pidfd.as_fd()).is_err() {
            self.socket.hang_up();
        }
    }

    fn end(&mut self, ending: Ending) {
        self.phase = Phase::Ending(ending);
        self.kill();
    }

    /// Kills it because its pool ends. Reads what it has answered until now: later results are refused.
    pub(in crate::pool) fn kill_for_pool_end(&mut self, now: Instant) {
        if self.takes_tasks() {
            self.read_results(now);
            self.read_journal(now);
        }
        // The reads may have found it corrupt.
        if self.takes_tasks() {
            let number = self.in_flight.answered();
            self.end(Ending::PoolEnded { number });
        } else {
            self.kill();
        }
    }

    /// Returns the number of items that it should get now.
    pub(in crate::pool) fn room(&self) -> usize {
        if !matches!(self.phase, Phase::Ready { revoking: false })
            || self.socket.is_closed()
            || self.socket.backlog() > MAX_BACKLOG
        {
            return 0;
        }
        let window = match self.mean_time.nanos {
            None => 1,
            Some(nanos) => (AHEAD_NANOS / nanos.max(1)).clamp(1, MAX_WINDOW) as usize,
        };
        let most = self
            .lifetime
            .map_or(usize::MAX, |left| left + self.outstanding());
        let window = window.min(most);
        let room = window.saturating_sub(self.outstanding());
        // Short tasks are sent many at a time: each send costs a system call on both sides.
        if room < window / 4 { 0 } else { room }
    }

    /// Queues items for it.
    pub(in crate::pool) fn assign(&mut self, mut slice: BatchSlice, now: Instant) {
        if self.outstanding() == 0 {
            self.last_progress = now;
        }
        if let Some(clock) = &mut self.clock {
            clock.begin(now);
        }
        let number = self.in_flight.next_number();
        let (task, count) = (slice.task(), slice.count());
        let bytes = slice.bytes();
        let out = self.socket.write_buffer();
        out.push(frame::TASKS);
        out.extend_from_slice(&number.to_le_bytes());
        out.extend_from_slice(&task.to_le_bytes());
        out.extend_from_slice(&(count as u32).to_le_bytes());
        out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        out.extend_from_slice(bytes);
        self.in_flight.push(slice);
        if let Some(left) = &mut self.lifetime {
            *left -= count;
            if *left == 0 {
                self.request_exit();
            }
        }
    }

    /// Asks it to exit once its tasks are done. Kills a worker that does not take tasks yet.
    pub(in crate::pool) fn request_exit(&mut self) {
        match self.phase {
            Phase::Ready { .. } => {
                self.phase = Phase::Draining {
                    since: Instant::now(),
                    revoked: false,
                };
                self.socket.write_buffer().push(frame::STOP);
            }
            Phase::Starting { .. } | Phase::Initializing { .. } => self.end(Ending::ExitOverdue),
            Phase::Draining { .. } | Phase::Ending(_) => {}
        }
    }

    pub(in crate::pool) fn flush(&mut self) {
        self.socket.flush();
    }

    /// Reads a bounded part of the records in its socket. Returns the number of tasks that have ended.
    pub(in crate::pool) fn read_results(&mut self, now: Instant) -> usize {
        if self.socket.is_closed() || self.is_corrupt() {
            return 0;
        }
        self.socket.fill();
        self.parse(now)
    }

    /// Reads results that are committed to its journal and not yet received. Returns the number of tasks that have ended.
    pub(in crate::pool) fn read_journal(&mut self, now: Instant) -> usize {
        if self.is_corrupt() {
            return 0;
        }
        let Some(bytes) = self.journal.peek(self.socket.position()) else {
            return 0;
        };
        self.socket.append(&bytes);
        let ended = self.parse(now);
        // The worker sends the same bytes through the socket, which must not fill up.
        if self.socket.is_far_ahead() {
            self.socket.fill();
            self.parse(now);
        }
        ended
    }

    /// Returns whether it runs tasks that take less than `SHORT_NANOS`.
    pub(in crate::pool) fn is_short(&self) -> bool {
        self.outstanding() > 0
            && self
                .mean_time
                .nanos
                .is_some_and(|nanos| nanos < SHORT_NANOS)
    }

    /// Returns when its limits must be checked next. `None`: it has none.
    pub(in crate::pool) fn next_deadline(&self, now: Instant) -> Option<Instant> {
        match &self.phase {
            Phase::Starting { deadline } => Some(*deadline),
            Phase::Initializing { deadline } => *deadline,
            Phase::Draining { since, .. } if self.outstanding() == 0 => {
                Some(*since + EXIT_DEADLINE)
            }
            Phase::Ready { .. } | Phase::Draining { .. } => self.clock.as_ref()?.next_check(now),
            Phase::Ending(_) => None,
        }
    }

    /// Kills it if its start, its task or its exit has passed its limit. Returns the tasks that it had not begun.
    pub(in crate::pool) fn enforce(&mut self, now: Instant) -> Vec<BatchSlice> {
        match self.phase {
            Phase::Starting { deadline } if deadline <= now => {
                self.end(Ending::NotStarted(StartError::TimedOut(self.limits.start)));
            }
            Phase::Initializing {
                deadline: Some(deadline),
            } if deadline <= now => {
                let limit = self.limits.initializer.unwrap_or(self.limits.start);
                self.end(Ending::NotStarted(StartError::TimedOut(limit)));
            }
            Phase::Draining { since, .. }
                if self.outstanding() == 0 && since + EXIT_DEADLINE <= now =>
            {
                self.end(Ending::ExitOverdue);
            }
            Phase::Ready { .. } | Phase::Draining { .. } => return self.enforce_task_limit(now),
            _ => {}
        }
        Vec::new()
    }

    fn enforce_task_limit(&mut self, now: Instant) -> Vec<BatchSlice> {
        let work = Work {
            outstanding: self.outstanding(),
            answered: self.in_flight.answered(),
            moved: self.socket.moved(),
        };
        let Some(clock) = &mut self.clock else {
            return Vec::new();
        };
        match clock.check(&self.journal, work, now) {
            Verdict::InTime => Vec::new(),
            Verdict::Stalled => {
                // It begins no other task before it dies.
                self.journal.revoke();
                let number = self.in_flight.current(self.journal.next());
                self.end(Ending::Stalled { number });
                Vec::new()
            }
            Verdict::TaskOverdue(number) => {
                // Revoked before the kill, so that the worker cannot return from this task and begin the next one.
                let unbegun = self.revoke_once();
                let still = self.journal.running();
                if still.is_some_and(|(running, _)| running == number) {
                    self.end(Ending::Overdue { number });
                }
                unbegun
            }
        }
    }

    /// Revokes the tasks that it has not begun, unless a revocation is under way.
    pub(in crate::pool) fn revoke_once(&mut self) -> Vec<BatchSlice> {
        match self.phase {
            Phase::Ready { revoking: false } | Phase::Draining { revoked: false, .. } => {
                self.revoke()
            }
            _ => Vec::new(),
        }
    }

    /// Handles the records that have arrived, and kills the worker if there are wrong ones. Returns the number of tasks that
    /// have ended.
    fn parse(&mut self, now: Instant) -> usize {
        self.records(now).unwrap_or_else(|Corrupt| {
            // A task has written into its worker's socket or journal: no later record can be trusted.
            let early = self.is_early();
            self.end(if early {
                Ending::NotStarted(StartError::Garbled)
            } else {
                Ending::Corrupt
            });
            0
        })
    }

    fn records(&mut self, now: Instant) -> Result<usize, Corrupt> {
        let mut ended = 0;
        loop {
            let number = self.in_flight.answered();
            let mut limit = self.in_flight.front_count();
            if let Phase::Ending(ending) = &self.phase
                && let Some(refused) = ending.first_refused()
            {
                limit = limit.min(refused.saturating_sub(number) as usize);
                if limit == 0 {
                    break;
                }
            }
            match scan(self.socket.unread(), number, limit, self.is_early())? {
                Scan::Nothing => break,
                Scan::Notice { tag, payload, size } => {
                    self.socket.consume(size);
                    self.notice(tag, &payload, now)?;
                }
                Scan::Results { results, size } => {
                    ended += results.len();
                    let bytes = self.socket.take(size);
                    self.in_flight.deliver(bytes, results);
                }
            }
        }
        if ended > 0 {
            self.last_progress = now;
            self.mean_time.update(ended as u64, self.journal.busy());
        }
        Ok(ended)
    }

    /// Handles a record that belongs to no task.
    fn notice(&mut self, tag: Tag, payload: &[u8], now: Instant) -> Result<(), Corrupt> {
        let text = || DecodeError::from_text(String::from_utf8_lossy(payload).into_owned());
        let error = match (tag, &mut self.phase) {
            (Tag::Ready, Phase::Starting { .. }) => {
                self.phase = Phase::Initializing {
                    deadline: self.limits.initializer.map(|limit| now + limit),
                };
                return Ok(());
            }
            (Tag::Initialized, Phase::Initializing { .. }) => {
                self.phase = Phase::Ready { revoking: false };
                self.last_progress = now;
                return Ok(());
            }
            (Tag::Resumed, Phase::Ready { revoking }) if *revoking => {
                *revoking = false;
                return Ok(());
            }
            // STOP was sent after the revocation.
            (Tag::Resumed, Phase::Draining { .. } | Phase::Ending(_)) => return Ok(()),
            (Tag::Refused, Phase::Starting { .. } | Phase::Initializing { .. }) => {
                refusal_of(payload)
            }
            (Tag::Panicked, Phase::Initializing { .. }) => {
                StartError::Initializer(wire::decode_panic(payload))
            }
            (Tag::BadArguments, Phase::Initializing { .. }) => StartError::Decode(text()),
            _ => return Err(Corrupt),
        };
        // The process exits by itself. The kill bounds the time of that.
        self.end(Ending::NotStarted(error));
        Ok(())
    }
}

/// Makes the journal of a worker, which keeps the time of tasks if the pool limits it.
fn new_journal(config: &PoolConfig) -> Result<Journal, SystemError> {
    let journal = Journal::new().map_err(SystemError::new("make memory to share with a worker"))?;
    if config.task_timeout.is_some() {
        journal.keep_time();
    }
    Ok(journal)
}
