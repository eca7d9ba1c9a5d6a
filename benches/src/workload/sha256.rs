//! SHA-256 over a buffer: computation that streams through memory.

use sha2::{Digest, Sha256};

use super::{Computation, first_eight};

/// Bytes that a task hashes.
const BYTES: usize = 1 << 20;
/// Bytes between two chances to let others run.
const BLOCK: usize = 64 << 10;

/// Hashes a buffer of its own.
#[derive(Debug)]
pub struct Buffer {
    hash: Sha256,
    block: Vec<u8>,
    left: usize,
}

impl Buffer {
    /// The task with this number: its number, then a pattern that is the same for all.
    pub fn task(index: u32) -> Self {
        Self {
            hash: Sha256::new_with_prefix(u64::from(index).to_be_bytes()),
            block: (0..=u8::MAX).cycle().take(BLOCK).collect(),
            left: BYTES,
        }
    }
}

impl Computation for Buffer {
    /// One block.
    fn step(&mut self) -> bool {
        self.hash.update(&self.block);
        self.left -= BLOCK;
        self.left > 0
    }

    fn checksum(&self) -> u64 {
        first_eight(&self.hash.clone().finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_whole_buffer() {
        let mut buffer = Buffer::task(7);
        while buffer.step() {}
        let mut whole = 7_u64.to_be_bytes().to_vec();
        whole.extend((0..=u8::MAX).cycle().take(BYTES));
        assert_eq!(buffer.checksum(), first_eight(&Sha256::digest(whole)));
    }
}
