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

/// Fills bytes that nobody can guess.
pub(super) type Random = fn(&mut [u8]) -> Result<(), getrandom::Error>;

/// Frames that wait for the socket.
pub(super) struct Outbound {
    pub(super) bytes: Vec<u8>,
    pub(super) sent: usize,
    pub(super) deflater: Option<Deflater>,
    /// Where masks come from: clients mask what they send.
    masks: Option<Random>,
    /// There was no mask for a frame: nothing is sent any more.
    pub(super) unmasked: bool,
    /// Those who wait until all is sent.
    pub(super) waiting: Vec<Waker>,
}

impl Outbound {
    pub(super) fn new(masks: Option<Random>, deflater: Option<Deflater>) -> Self {
        Outbound {
            bytes: Vec::new(),
            sent: 0,
            deflater,
            masks,
            unmasked: false,
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
        let mask = match self.masks.map(new_mask).transpose() {
            Ok(mask) => mask,
            Err(_) => {
                self.unmasked = true;
                return;
            }
        };
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

/// What is sent may have been chosen by somebody else, to look like a request to the proxies on the way. A mask that
/// nobody can foresee is what keeps them from it, so a known one is no way out, and nor is one that follows from the last:
/// the server has seen that.
fn new_mask(random: Random) -> Result<[u8; 4], getrandom::Error> {
    let mut mask = [0; 4];
    random(&mut mask)?;
    Ok(mask)
}
