//! The clock of a connection: since when it waits for its client, and until when it will.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use super::{gate::Phase, limits::Limits};
use crate::clock;

/// Since when a client keeps us waiting.
pub(crate) struct Watch {
    /// Nothing has come since, though it is waited for.
    reading: Cell<Option<Instant>>,
    /// Nothing could be sent since.
    writing: Cell<Option<Instant>>,
    /// The head under way has been waited for since.
    head: Cell<Option<Instant>>,
    /// How long the body under way has been waited for, and how much of it came.
    waited: Cell<Duration>,
    came: Cell<u64>,
    /// A request has come on this connection.
    used: Cell<bool>,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Watch {
            reading: Cell::new(Some(clock::now())),
            writing: Cell::new(None),
            head: Cell::new(None),
            waited: Cell::new(Duration::ZERO),
            came: Cell::new(0),
            used: Cell::new(false),
        }
    }

    pub(crate) fn cannot_read(&self, phase: Phase) {
        if self.reading.get().is_none() {
            self.reading.set(Some(clock::now()));
        }
        match phase {
            Phase::Head if self.head.get().is_none() => self.head.set(self.reading.get()),
            Phase::Head => {}
            _ => self.head.set(None),
        }
        if phase != Phase::Body {
            self.waited.set(Duration::ZERO);
            self.came.set(0);
        }
    }

    pub(crate) fn read(&self, count: usize) {
        if let Some(since) = self.reading.take()
            && self.came.get() > 0
        {
            let now = clock::now();
            self.waited
                .set(self.waited.get() + now.saturating_duration_since(since));
        }
        self.came.set(self.came.get() + count as u64);
        self.used.set(true);
    }

    /// Something waits to be read, so it is not the client who is slow.
    pub(crate) fn not_the_client(&self) {
        self.reading.set(None);
    }

    pub(crate) fn cannot_write(&self) {
        if self.writing.get().is_none() {
            self.writing.set(Some(clock::now()));
        }
    }

    pub(crate) fn wrote(&self) {
        self.writing.set(None);
    }

    pub(crate) fn is_writing(&self) -> bool {
        self.writing.get().is_some()
    }

    /// When patience ends.
    pub(crate) fn due(&self, phase: Phase, busy: bool, limits: &Limits) -> Option<Instant> {
        let writing = after(self.writing.get(), limits.write_stall);
        let reading = match phase {
            Phase::Between | Phase::Open if busy => None,
            Phase::Between if !self.used.get() => after(self.reading.get(), limits.header_time),
            Phase::Between | Phase::Open => after(self.reading.get(), limits.keep_alive),
            Phase::Head => after(self.head.get(), limits.header_time),
            Phase::Body => after(self.reading.get(), self.patience(limits)),
        };
        match (writing, reading) {
            (Some(writing), Some(reading)) => Some(writing.min(reading)),
            (writing, reading) => writing.or(reading),
        }
    }

    /// How long a body's next bytes are waited for: they must not stop, nor come too slowly on average.
    fn patience(&self, limits: &Limits) -> Duration {
        let enough =
            Duration::from_millis(self.came.get().saturating_mul(1000) / limits.body_rate.max(1));
        let average = if limits.body_rate == 0 {
            Duration::MAX
        } else {
            enough
                .max(limits.body_grace)
                .saturating_sub(self.waited.get())
        };
        limits.body_idle.min(average)
    }
}

/// None when the clock cannot count that far: then patience never ends.
fn after(since: Option<Instant>, patience: Duration) -> Option<Instant> {
    since?.checked_add(patience)
}
