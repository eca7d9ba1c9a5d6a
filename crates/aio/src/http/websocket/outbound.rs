//! What is to be sent.

use std::task::Waker;

use super::{
    deflate::Deflater,
    frame::{apply_mask, write_head},
};

/// Shorter messages are not compressed: they would hardly shrink.
const LEAST_TO_DEFLATE: usize = 64;
/// An outbox that has grown beyond this is given back when it is empty.
const KEEP: usize = 64 * 1024;

/// Frames that wait for the socket.
pub(super) struct Outbound {
    pub(super) bytes: Vec<u8>,
    pub(super) sent: usize,
    pub(super) deflater: Option<Deflater>,
    /// Clients mask what they send.
    masks: bool,
    /// Those who wait until all is sent.
    pub(super) waiting: Vec<Waker>,
}

impl Outbound {
    pub(super) fn new(masks: bool, deflater: Option<Deflater>) -> Self {
        Outbound {
            bytes: Vec::new(),
            sent: 0,
            deflater,
            masks,
            waiting: Vec::new(),
        }
    }

    /// A message in one frame.
    pub(super) fn message(&mut self, code: u8, payload: &[u8]) {
        let small = match &mut self.deflater {
            Some(deflater) if payload.len() >= LEAST_TO_DEFLATE => deflater.deflate(payload),
            _ => None,
        };
        match small {
            Some(small) => self.frame(code, true, &small),
            None => self.frame(code, false, payload),
        }
    }

    pub(super) fn frame(&mut self, code: u8, compressed: bool, payload: &[u8]) {
        let mask = self.masks.then(|| {
            let mut mask = [0; 4];
            // An unmasked frame would be refused; one masked with zeros only lets a cache see what it carries.
            let _ = getrandom::fill(&mut mask);
            mask
        });
        write_head(&mut self.bytes, code, compressed, payload.len(), mask);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(payload);
        if let Some(mask) = mask {
            apply_mask(&mut self.bytes[start..], mask);
        }
    }

    pub(super) fn unsent(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    pub(super) fn all_sent(&mut self) {
        self.sent = 0;
        self.bytes.clear();
        if self.bytes.capacity() > KEEP {
            self.bytes = Vec::new();
        }
    }
}
