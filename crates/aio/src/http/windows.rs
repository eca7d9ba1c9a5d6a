//! The windows of an HTTP/2 connection: how much the client is ready to take, so that one that takes nothing is known.

use std::{collections::BTreeMap, time::Instant};

use crate::clock;

/// The window that a connection and its streams begin with.
const INITIAL: i64 = 65_535;
const INITIAL_WINDOW_SIZE: u16 = 4;

#[derive(Debug)]
pub(crate) struct Windows {
    initial: i64,
    connection: i64,
    /// Those that are open, by their number; a client can open no more than the codec lets it.
    streams: BTreeMap<u32, Stream>,
    last: u32,
    /// Since when a response waits and nothing was sent.
    stalled: Option<Instant>,
}

#[derive(Debug)]
struct Stream {
    window: i64,
    /// A response has begun and not ended.
    answering: bool,
}

impl Default for Windows {
    fn default() -> Self {
        Windows {
            initial: INITIAL,
            connection: INITIAL,
            streams: BTreeMap::new(),
            last: 0,
            stalled: None,
        }
    }
}

impl Windows {
    /// The client has opened a stream, or sent trailers on it.
    pub(crate) fn opened(&mut self, number: u32) {
        if number > self.last {
            self.last = number;
            let stream = Stream {
                window: self.initial,
                answering: false,
            };
            self.streams.insert(number, stream);
        }
    }

    pub(crate) fn closed(&mut self, number: u32) {
        self.streams.remove(&number);
    }

    pub(crate) fn answered(&mut self, number: u32) {
        if let Some(stream) = self.streams.get_mut(&number) {
            stream.answering = true;
        }
    }

    pub(crate) fn sent(&mut self, number: u32, count: usize) {
        self.stalled = None;
        self.connection -= count as i64;
        if let Some(stream) = self.streams.get_mut(&number) {
            stream.window -= count as i64;
        }
    }

    pub(crate) fn updated(&mut self, number: u32, payload: &[u8]) {
        let Ok(more) = <[u8; 4]>::try_from(payload) else {
            return;
        };
        let more = i64::from(u32::from_be_bytes(more) & 0x7fff_ffff);
        if number == 0 {
            self.connection += more;
        } else if let Some(stream) = self.streams.get_mut(&number) {
            stream.window += more;
        }
    }

    /// A change of the initial window changes those of the open streams, too, and may make them negative.
    pub(crate) fn settings(&mut self, payload: &[u8]) {
        for entry in payload.chunks_exact(6) {
            if u16::from_be_bytes([entry[0], entry[1]]) == INITIAL_WINDOW_SIZE {
                let size = u32::from_be_bytes([entry[2], entry[3], entry[4], entry[5]]);
                let change = i64::from(size) - self.initial;
                self.initial += change;
                self.streams
                    .values_mut()
                    .for_each(|stream| stream.window += change);
            }
        }
    }

    /// The last stream that the client has opened.
    pub(crate) fn last(&self) -> u32 {
        self.last
    }

    pub(crate) fn is_answering(&self) -> bool {
        self.streams.values().any(|stream| stream.answering)
    }

    /// Since when the client takes nothing, though a response waits for it to open a window.
    pub(crate) fn stalled(&mut self) -> Option<Instant> {
        let closed = self.connection <= 0;
        let waits = |stream: &Stream| stream.answering && (closed || stream.window <= 0);
        if !self.streams.values().any(waits) {
            self.stalled = None;
        } else if self.stalled.is_none() {
            self.stalled = Some(clock::now());
        }
        self.stalled
    }
}
