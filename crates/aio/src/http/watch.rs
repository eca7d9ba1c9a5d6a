//! The clock of a connection: since when it waits for its client, and until when it will.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use super::{gate::Phase, limits::Limits, pace::Pace};
use crate::clock;

/// Since when a client keeps us waiting.
pub(crate) struct Watch {
    /// Nothing has come since, though it is waited for.
    reading: Cell<Option<Instant>>,
    /// Nothing could be sent since.
    writing: Cell<Option<Instant>>,
    /// The head under way has been waited for since.
    head: Cell<Option<Instant>>,
    /// Of the body under way.
    pace: Cell<Pace>,
    /// The client was told to go, and has nothing more to get, since.
    parting: Cell<Option<Instant>>,
    /// A request has come on this connection.
    used: Cell<bool>,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Watch {
            reading: Cell::new(Some(clock::now())),
            writing: Cell::new(None),
            head: Cell::new(None),
            pace: Cell::default(),
            parting: Cell::new(None),
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
            self.pace.set(Pace::default());
        }
    }

    pub(crate) fn read(&self, count: usize) {
        let mut pace = self.pace.get();
        pace.came(count, self.reading.take());
        self.pace.set(pace);
        self.used.set(true);
    }

    /// The head under way has ended; the next one has a time of its own.
    pub(crate) fn head_ended(&self) {
        self.head.set(None);
    }

    /// Something waits to be read, so it is not the client who is slow.
    pub(crate) fn not_the_client(&self) {
        self.reading.set(None);
    }

    /// Since when the client has nothing more to get, if that is so.
    pub(crate) fn parting(&self, quiet: bool) -> Option<Instant> {
        let since = quiet.then(|| self.parting.get().unwrap_or_else(clock::now));
        self.parting.set(since);
        since
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
            Phase::Body => after(self.reading.get(), self.pace.get().patience(limits)),
        };
        match (writing, reading) {
            (Some(writing), Some(reading)) => Some(writing.min(reading)),
            (writing, reading) => writing.or(reading),
        }
    }
}

/// None when the clock cannot count that far: then patience never ends.
fn after(since: Option<Instant>, patience: Duration) -> Option<Instant> {
    since?.checked_add(patience)
}
