//! One worker as its pool sees it: what it was given, what it answered, how fast it is.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::error::{StartError, SystemError};
use crate::host::socket::{BufferedSocket, Filled};
use crate::host::start;
use crate::sys::{self, PollFd, SIGKILL};
use crate::wire::journal::Journal;
use crate::wire::{self, Corrupt, Tag, frame};
use crate::wire::{START_DEADLINE, refusal_of};

use crate::pool::PoolConfig;
use crate::pool::job::batch::BatchSlice;
use crate::pool::worker::scan::{Results, Scan, scan};

mod deadlines;
mod exit;
mod scan;

/// A worker is given about this much work in advance, so that it never waits for the next task.
const AHEAD_NANOS: u64 = 500_000;
/// A task that takes less is worth a look before a sleep.
const SHORT_NANOS: u64 = 5_000;
/// No worker holds more tasks than this.
const MAX_WINDOW: u64 = 1024;
/// No more tasks are queued for a worker that has this many bytes still to come.
const MAX_BACKLOG: usize = 1 << 20;

/// How far a worker has come.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::pool) enum Stage {
    /// It has been started, and must say until then that it is there.
    Starting(Instant),
    /// It runs the initializer, if there is one, and must be done with it until then.
    Initializing(Option<Instant>),
    /// It takes tasks.
    Ready,
    /// It has been told to stop, and finishes what it has.
    Leaving,
}

/// A worker, from its start to its burial.
pub(in crate::pool) struct WorkerHandle {
    pub(in crate::pool) name: String,
    pub(in crate::pool) pid: u32,
    pidfd: OwnedFd,
    link: BufferedSocket,
    pub(in crate::pool) page: Journal,
    pub(in crate::pool) stage: Stage,
    /// What it has been given and not answered, oldest first. The first item has the number `answered`.
    flights: VecDeque<BatchSlice>,
    pub(in crate::pool) outstanding: usize,
    /// The number of its first task.
    first: u64,
    /// The number of the first task that it has not answered.
    answered: u64,
    /// How many tasks it may still be given.
    lifetime: Option<usize>,
    /// How long it may take from its first sign of life until it takes tasks; `None`: as long as it likes.
    pub(in crate::pool) initializer_limit: Option<Duration>,
    /// Nanoseconds a task takes, as a running mean; `None` before the first.
    pace: Option<u64>,
    /// Its tasks were taken back, and it has not yet said that it noticed. What it would be given now could not be
    /// taken back again, should it be stuck.
    recalled: bool,
    busy_seen: u64,
    begun_seen: u64,
    /// Since when it has had something to do and nothing has been heard.
    pub(in crate::pool) waiting_since: Instant,
    /// It was killed because it took too long.
    pub(in crate::pool) overdue: bool,
    pub(in crate::pool) trouble: Option<StartError>,
    closed: bool,
}

impl WorkerHandle {
    /// Starts a worker and sends its set-up.
    pub(in crate::pool) fn start(name: String, plan: &PoolConfig) -> Result<Self, StartError> {
        let greeting = plan.greeting(&name)?;
        let page =
            Journal::new().map_err(SystemError::new("make memory to share with a worker"))?;
        let first = page.next();
        let child = start::start(&plan.options, &name)?;
        let passed: Vec<_> = [page.as_fd()]
            .into_iter()
            .chain(plan.descriptors.iter().map(AsFd::as_fd))
            .collect();
        let sent = sys::send_with_descriptors(child.stream.as_fd(), &greeting, &passed);
        let mut link = BufferedSocket::new(child.stream);
        start::put_args(link.out(), &plan.initializer_args);
        let now = Instant::now();
        let member = Self {
            name,
            pid: child.pid,
            pidfd: child.pidfd,
            link,
            page,
            stage: Stage::Starting(now + START_DEADLINE),
            flights: VecDeque::new(),
            outstanding: 0,
            first,
            answered: first,
            lifetime: plan.max_tasks,
            initializer_limit: plan.initializer_limit(),
            pace: None,
            recalled: false,
            busy_seen: 0,
            begun_seen: first,
            waiting_since: now,
            overdue: false,
            // One that has ended already did not get its set-up; its end says more than this error.
            trouble: sent
                .err()
                .filter(|error| error.kind() != ErrorKind::BrokenPipe)
                .map(|error| {
                    StartError::System(SystemError::new("send a worker its set-up")(error))
                }),
            closed: false,
        };
        if member.trouble.is_some() {
            member.kill();
        }
        Ok(member)
    }

    /// What to wait for: its socket, its end.
    pub(in crate::pool) fn interest(&self) -> [PollFd; 2] {
        let mut socket = self.link.interest();
        if self.closed {
            // A closed socket is always ready; only the end is still news.
            socket.fd = -1;
        }
        [socket, sys::as_poll(self.pidfd.as_fd(), true, false)]
    }

    /// Until when it may have nothing to do; `None`: it has something to do.
    pub(in crate::pool) fn idle_until(&self, limit: Duration) -> Option<Instant> {
        self.is_quiet().then(|| self.waiting_since + limit)
    }

    /// Whether it waits for tasks, and nothing else is expected of it.
    pub(in crate::pool) fn is_quiet(&self) -> bool {
        self.stage == Stage::Ready && self.outstanding == 0 && !self.recalled && !self.closed
    }

    pub(in crate::pool) fn signal(&self, number: i32) {
        let _ = sys::signal(self.pidfd.as_fd(), number);
    }

    pub(in crate::pool) fn kill(&self) {
        self.signal(SIGKILL);
    }

    /// How many more items it should be given now.
    pub(in crate::pool) fn room(&self) -> usize {
        if self.stage != Stage::Ready || self.recalled || self.link.backlog() > MAX_BACKLOG {
            return 0;
        }
        let window = match self.pace {
            None => 1,
            Some(pace) => (AHEAD_NANOS / pace.max(1)).clamp(1, MAX_WINDOW) as usize,
        };
        window
            .min(
                self.lifetime
                    .map_or(usize::MAX, |left| left + self.outstanding),
            )
            .saturating_sub(self.outstanding)
    }

    /// Queues items for it.
    pub(in crate::pool) fn give(&mut self, mut work: BatchSlice, now: Instant) {
        if self.outstanding == 0 {
            self.waiting_since = now;
        }
        let (task, count) = (work.task(), work.count());
        let bytes = work.bytes();
        let out = self.link.out();
        out.push(frame::TASKS);
        out.extend_from_slice(&(self.answered + self.outstanding as u64).to_le_bytes());
        out.extend_from_slice(&task.to_le_bytes());
        out.extend_from_slice(&(count as u32).to_le_bytes());
        out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        out.extend_from_slice(bytes);
        self.outstanding += count;
        self.flights.push_back(work);
        if let Some(left) = &mut self.lifetime {
            *left -= count;
            if *left == 0 {
                self.dismiss();
            }
        }
    }

    /// Tells it to stop once it has done what it was given.
    pub(in crate::pool) fn dismiss(&mut self) {
        if self.stage != Stage::Leaving {
            self.stage = Stage::Leaving;
            self.waiting_since = Instant::now();
            self.link.out().push(frame::STOP);
        }
    }

    pub(in crate::pool) fn flush(&mut self) {
        self.link.flush();
    }

    /// Reads what it has sent. Returns how many tasks have ended.
    pub(in crate::pool) fn listen(&mut self, now: Instant) -> usize {
        let mut ended = 0;
        while !self.closed {
            let filled = self.link.fill();
            self.closed = filled == Filled::Closed;
            ended += self.parse(now);
            if filled != Filled::More {
                break;
            }
        }
        ended
    }

    /// Looks for results that wait in the shared page, behind a long task or on their way. Returns how many tasks have
    /// ended.
    pub(in crate::pool) fn peek(&mut self, now: Instant) -> usize {
        let Some(bytes) = self.page.peek(self.link.position()) else {
            return 0;
        };
        self.link.append(&bytes);
        let ended = self.parse(now);
        // What has been seen here comes once more, and must not fill the socket.
        if self.link.is_far_ahead() {
            self.listen(now);
        }
        ended
    }

    /// Whether it is at a task that will not take long.
    pub(in crate::pool) fn is_short(&self) -> bool {
        self.outstanding > 0 && self.pace.is_some_and(|pace| pace < SHORT_NANOS)
    }

    fn parse(&mut self, now: Instant) -> usize {
        match self.records(now) {
            Ok(ended) => ended,
            Err(Corrupt) => {
                // A task has written into its worker's socket or page. Nothing that it says can be trusted any more.
                self.trouble.get_or_insert(StartError::Garbled);
                self.closed = true;
                self.kill();
                0
            }
        }
    }

    fn records(&mut self, now: Instant) -> Result<usize, Corrupt> {
        let mut ended = 0;
        loop {
            let limit = self.flights.front().map_or(0, BatchSlice::count);
            match scan(
                self.link.unread(),
                self.answered,
                limit,
                self.stage_is_early(),
            )? {
                Scan::Nothing => break,
                Scan::Notice { tag, payload, size } => {
                    self.link.consume(size);
                    self.notice(tag, &payload, now);
                }
                Scan::Results(results) => {
                    self.deliver(results);
                    ended += results.count;
                }
            }
        }
        if ended > 0 {
            self.measure(ended as u64, now);
        }
        Ok(ended)
    }

    /// The oldest `count` items, all of one batch, have ended in the next `size` bytes.
    fn deliver(&mut self, results: Results) {
        let Results { count, size, .. } = results;
        if let Some(front) = self.flights.front_mut() {
            front.deliver(count, results.failed, &self.link.unread()[..size]);
            if front.count() == 0 {
                self.flights.pop_front();
            }
        }
        self.link.consume(size);
        self.outstanding -= count;
        self.answered += count as u64;
    }

    fn stage_is_early(&self) -> bool {
        matches!(self.stage, Stage::Starting(_) | Stage::Initializing(_))
    }

    /// A record that is no task's.
    fn notice(&mut self, tag: Tag, payload: &[u8], now: Instant) {
        match tag {
            Tag::Ready if self.stage_is_early() => {
                let until = self.initializer_limit.map(|limit| now + limit);
                self.stage = Stage::Initializing(until);
            }
            Tag::Initialized if matches!(self.stage, Stage::Initializing(_)) => {
                self.stage = Stage::Ready;
                self.waiting_since = now;
            }
            Tag::Resumed if self.recalled => self.recalled = false,
            Tag::Refused => self.trouble = Some(refusal_of(payload)),
            Tag::Panicked => {
                self.trouble = Some(StartError::Initializer(wire::decode_panic(payload)))
            }
            _ => {
                self.trouble = Some(StartError::Garbled);
                self.kill();
            }
        }
    }

    /// Learns how long its tasks take.
    fn measure(&mut self, ended: u64, now: Instant) {
        self.waiting_since = now;
        let busy = self.page.busy();
        let mean = busy.wrapping_sub(self.busy_seen) / ended;
        self.busy_seen = busy;
        self.pace = Some(self.pace.map_or(mean, |pace| (3 * pace + mean) / 4));
    }
}
