//! Bytes that wait until the system takes them.

/// Room that has grown beyond this is given back when everything is sent.
const KEEP: usize = 64 * 1024;

/// What was written and is not sent yet.
#[derive(Default)]
pub(super) struct Unsent {
    bytes: Vec<u8>,
    sent: usize,
}

impl Unsent {
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The system has taken the first `count`.
    pub(super) fn advance(&mut self, count: usize) {
        self.sent += count;
        if self.sent < self.bytes.len() {
            return;
        }
        self.bytes.clear();
        self.sent = 0;
        if self.bytes.capacity() > KEEP {
            self.bytes = Vec::new();
        }
    }
}
