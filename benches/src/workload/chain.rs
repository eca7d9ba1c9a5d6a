//! A chain of hashes: a computation that can be made as long as one likes.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{Computation, first_eight};
use crate::clock;

/// Links between two chances to let others run: about a tenth of a millisecond.
const BLOCK: u32 = 16;
/// Each link hashes the one before so many times over.
const REPEATED: usize = 32;

/// Hashes the hash of the hash.
#[derive(Debug)]
pub struct Chain {
    link: [u8; 32],
    left: u32,
}

impl Chain {
    /// The task with this number: a chain of so many links.
    pub fn task(index: u32, links: u32) -> Self {
        Self {
            link: Sha256::digest(u64::from(index).to_be_bytes()).into(),
            left: links,
        }
    }

    /// How many links take this long on an idle processor of this machine.
    pub fn links_for(time: Duration) -> u32 {
        const SAMPLE: u32 = 256;
        // The quickest of several samples: the others were disturbed.
        let quickest = (0..8).map(|_| {
            let mut chain = Self::task(0, SAMPLE);
            let start = clock::thread_cpu_ns();
            while chain.step() {}
            std::hint::black_box(chain.checksum());
            clock::thread_cpu_ns() - start
        });
        let sample = quickest.min().unwrap_or(0).max(1) as f64 / 1e9;
        let links = time.as_secs_f64() / sample * f64::from(SAMPLE);
        // Casts from floats saturate.
        links.round() as u32
    }
}

impl Computation for Chain {
    fn step(&mut self) -> bool {
        for _ in 0..BLOCK.min(self.left) {
            let mut repeated = [0; 32 * REPEATED];
            for part in repeated.chunks_exact_mut(32) {
                part.copy_from_slice(&self.link);
            }
            self.link = Sha256::digest(repeated).into();
        }
        self.left = self.left.saturating_sub(BLOCK);
        self.left > 0
    }

    fn checksum(&self) -> u64 {
        first_eight(&self.link)
    }
}
