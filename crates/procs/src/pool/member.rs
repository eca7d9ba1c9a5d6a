//! One worker as its pool sees it: what it was given, what it answered, how fast it is.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::error::{JobError, StartError, SystemError};
use crate::keeper::{START_DEADLINE, refusal_of};
use crate::launch::{self, Surroundings};
use crate::link::{Filled, Link};
use crate::page::Page;
use crate::sys::{self, PollFd, SIGKILL};
use crate::wire::{self, Corrupt, Tag, frame};
use crate::worker;

use super::Plan;
use super::work::Work;

/// A worker is given about this much work in advance, so that it never waits for the next task.
const AHEAD_NANOS: u64 = 500_000;
/// No worker holds more tasks than this.
const MAX_WINDOW: u64 = 1024;
/// No more tasks are queued for a worker that has this many bytes still to come.
const MAX_BACKLOG: usize = 1 << 20;

/// How long a worker that has been told to stop, and has nothing left to do, may take to exit.
const EXIT_DEADLINE: Duration = Duration::from_secs(5);

/// How far a worker has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It has been started, and must say until then that it is there.
    Starting(Instant),
    /// It runs the initializer.
    Initializing,
    /// It takes tasks.
    Ready,
    /// It has been told to stop, and finishes what it has.
    Leaving,
}

/// What a worker's death leaves behind.
pub(super) struct Remains {
    /// What to say about that task.
    pub(super) died: JobError,
    /// The task that it was running.
    pub(super) lost: Option<Work>,
    /// What it was given and had not begun, in order.
    pub(super) unbegun: Vec<Work>,
    /// It died before it took a single task.
    pub(super) stillborn: Option<StartError>,
}

/// A worker, from its start to its burial.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) pid: u32,
    pidfd: OwnedFd,
    link: Link,
    page: Page,
    pub(super) stage: Stage,
    /// What it has been given and not answered, oldest first. Tasks are numbered from the worker's birth; the first item
    /// here is number `done`.
    flights: VecDeque<Work>,
    pub(super) outstanding: usize,
    done: u64,
    /// How many tasks it may still be given.
    lifetime: Option<usize>,
    /// Nanoseconds a task takes, as a running mean; `None` before the first.
    pace: Option<u64>,
    busy_seen: u64,
    begun_seen: u64,
    /// Since when it has had something to do and nothing has been heard.
    waiting_since: Instant,
    /// Why it was killed by us.
    pub(super) overran: bool,
    trouble: Option<StartError>,
    closed: bool,
}

impl Member {
    /// Starts a worker and sends its set-up.
    pub(super) fn start(name: String, plan: &Plan) -> Result<Self, SystemError> {
        let greeting = plan.greeting(&name)?;
        let page = Page::new().map_err(SystemError::new("make memory to share with a worker"))?;
        let child = launch::start(&Surroundings::default(), &name)?;
        let sent = sys::send_with_descriptor(child.stream.as_fd(), &greeting, page.as_fd());
        let mut link = Link::new(child.stream);
        launch::put_args(link.out(), &plan.initializer_args);
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
            done: 0,
            lifetime: plan.max_tasks,
            pace: None,
            busy_seen: 0,
            begun_seen: 0,
            waiting_since: now,
            overran: false,
            // A worker that did not get its set-up will see its socket closed; it is buried like any other.
            trouble: sent.err().map(|error| {
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
    pub(super) fn interest(&self) -> [PollFd; 2] {
        let mut socket = self.link.interest();
        if self.closed {
            // A closed socket is always ready; only the end is still news.
            socket.fd = -1;
        }
        [socket, sys::as_poll(self.pidfd.as_fd(), true, false)]
    }

    pub(super) fn signal(&self, number: i32) {
        let _ = sys::signal(self.pidfd.as_fd(), number);
    }

    pub(super) fn kill(&self) {
        self.signal(SIGKILL);
    }

    /// How many more items it should be given now.
    pub(super) fn room(&self) -> usize {
        if self.stage != Stage::Ready || self.link.backlog() > MAX_BACKLOG {
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
    pub(super) fn give(&mut self, mut work: Work, now: Instant) {
        if self.outstanding == 0 {
            self.waiting_since = now;
        }
        let (task, count) = (work.task(), work.count());
        let bytes = work.bytes();
        let out = self.link.out();
        out.push(frame::TASKS);
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
    pub(super) fn dismiss(&mut self) {
        if self.stage != Stage::Leaving {
            self.stage = Stage::Leaving;
            self.waiting_since = Instant::now();
            self.link.out().push(frame::STOP);
        }
    }

    pub(super) fn flush(&mut self) {
        self.link.flush();
    }

    /// Reads what it has sent. Returns how many tasks have ended.
    pub(super) fn listen(&mut self, now: Instant) -> usize {
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

    /// Looks for results that wait in the shared page behind a long task. Returns how many tasks have ended.
    pub(super) fn peek(&mut self, now: Instant) -> usize {
        let Some(bytes) = self.page.peek(self.link.position()) else {
            return 0;
        };
        self.link.append(&bytes);
        self.parse(now)
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
            let unread = self.link.unread();
            // As many records as belong to the oldest batch are delivered at once.
            let limit = self.flights.front().map_or(0, Work::count);
            let (mut at, mut count, mut notice) = (0, 0, None);
            while let Some(record) = wire::record(&unread[at..])? {
                if matches!(record.tag, Tag::Ready | Tag::Refused | Tag::Initialized)
                    || self.stage_is_early()
                {
                    notice = Some((record.tag, record.payload.to_vec(), record.size));
                    break;
                }
                if count == limit {
                    break;
                }
                at += record.size;
                count += 1;
            }
            if count > 0
                && let Some(front) = self.flights.front_mut()
            {
                front.deliver(count, &unread[..at]);
                if front.count() == 0 {
                    self.flights.pop_front();
                }
                self.link.consume(at);
                self.outstanding -= count;
                self.done += count as u64;
                ended += count;
            } else if let Some((tag, payload, size)) = notice {
                self.link.consume(size);
                self.notice(tag, &payload);
            } else if limit == 0 && wire::record(unread)?.is_some() {
                // An answer to nothing.
                return Err(Corrupt);
            } else {
                break;
            }
        }
        if ended > 0 {
            self.measure(ended as u64, now);
        }
        Ok(ended)
    }

    fn stage_is_early(&self) -> bool {
        matches!(self.stage, Stage::Starting(_) | Stage::Initializing)
    }

    /// A record that is no task's.
    fn notice(&mut self, tag: Tag, payload: &[u8]) {
        match tag {
            Tag::Ready if self.stage_is_early() => self.stage = Stage::Initializing,
            Tag::Initialized if self.stage == Stage::Initializing => self.stage = Stage::Ready,
            Tag::Refused => self.trouble = Some(refusal_of(payload)),
            Tag::Panicked => {
                self.trouble = Some(StartError::Initializer(worker::decode_panic(payload)))
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

    /// Takes back all that it has not begun, in order.
    pub(super) fn take_back(&mut self) -> Vec<Work> {
        let Some(begun) = self.page.revoke() else {
            return Vec::new();
        };
        self.link.out().push(frame::RESUME);
        let unbegun = self.split_from(begun);
        if let Some(left) = &mut self.lifetime {
            *left += unbegun.iter().map(Work::count).sum::<usize>();
        }
        unbegun
    }

    /// Removes the items with this number and above. The page is not trusted: what is answered was begun.
    fn split_from(&mut self, begun: u64) -> Vec<Work> {
        let mut keep = (begun.saturating_sub(self.done) as usize).min(self.outstanding);
        let mut kept = VecDeque::new();
        let mut unbegun = Vec::new();
        self.outstanding = keep;
        for mut work in self.flights.drain(..) {
            if keep >= work.count() {
                keep -= work.count();
                kept.push_back(work);
                continue;
            }
            if keep > 0 {
                kept.push_back(work.split_front(keep));
                keep = 0;
            }
            work.take_back();
            unbegun.push(work);
        }
        self.flights = kept;
        unbegun
    }

    /// Whether it has begun nothing since the last look although it has more to do than what it runs.
    pub(super) fn is_stuck(&mut self) -> bool {
        let begun = self.page.begun();
        let idle = begun == self.begun_seen;
        self.begun_seen = begun;
        // One that was told to stop is past the point where it reads frames that come later.
        idle && self.stage == Stage::Ready && self.done + self.outstanding as u64 > begun
    }

    /// When its current task, or its start, will have taken too long; `None` when it has nothing to do.
    pub(super) fn deadline(&self, limit: Option<Duration>, now: Instant) -> Option<Instant> {
        if let Stage::Starting(deadline) = self.stage {
            return Some(deadline);
        }
        if self.outstanding == 0 {
            return (self.stage == Stage::Leaving).then(|| self.waiting_since + EXIT_DEADLINE);
        }
        let limit = limit.filter(|_| !self.overran)?;
        if self.page.begun() <= self.done {
            // On its way to the worker. A worker that was stopped never begins it: then the whole limit is granted.
            let latest = self.waiting_since + limit;
            return Some(latest.min(now + Duration::from_millis(5)).max(now));
        }
        let running =
            Duration::from_nanos(sys::monotonic_nanos().saturating_sub(self.page.started()));
        Some(now + limit.saturating_sub(running))
    }

    /// Kills it if its start or its task has taken too long.
    pub(super) fn enforce(&mut self, limit: Option<Duration>, now: Instant) {
        if let Stage::Starting(deadline) = self.stage {
            if deadline <= now && self.trouble.is_none() {
                self.trouble = Some(StartError::TimedOut(START_DEADLINE));
                self.kill();
            }
            return;
        }
        if self.stage == Stage::Leaving
            && self.outstanding == 0
            && self.waiting_since + EXIT_DEADLINE <= now
        {
            self.waiting_since = now;
            self.kill();
        }
        let Some(limit) = limit else { return };
        let begun = self.page.begun() > self.done;
        let late = if begun && self.outstanding > 0 {
            self.deadline(Some(limit), now)
                .is_some_and(|deadline| deadline <= now)
        } else {
            self.outstanding > 0 && self.waiting_since + limit <= now
        };
        if late && !self.overran {
            self.overran = true;
            self.kill();
        }
    }

    /// Collects it, if it has ended, and sorts what it held.
    ///
    /// A worker commits a task's result before it claims the next one. So of what was begun, at most the last has no
    /// result once the socket is drained and the page is read; everything after it was never begun, and nobody but this
    /// process can give it to a worker again: it is run exactly once.
    pub(super) fn bury(&mut self, now: Instant) -> Option<Remains> {
        let (status, usage) = launch::collect(self.pid, &self.pidfd)?;
        if self.trouble.is_none() {
            self.link.drain();
            if let Some(bytes) = self.page.remains(self.link.position()) {
                self.link.append(&bytes);
            }
            self.parse(now);
        }
        self.closed = true;
        let unbegun = self.split_from(self.page.begun());
        let mut flights = std::mem::take(&mut self.flights).into_iter();
        let lost = flights.next();
        let early = self.stage_is_early()
            || (self.done == 0 && lost.is_none() && self.stage != Stage::Leaving);
        let stillborn = early.then(|| self.trouble.take().unwrap_or(StartError::Ended(status)));
        let died = JobError::WorkerDied {
            pid: self.pid,
            signal: status.signal(),
            code: status.code(),
            usage,
        };
        // Only a worker whose page was overwritten can have more than one; they cannot be told from finished ones.
        flights.for_each(|work| work.fail(&died));
        Some(Remains {
            died,
            lost,
            unbegun,
            stillborn,
        })
    }
}
