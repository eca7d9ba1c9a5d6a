//! How long to spin before sleeping.

use crate::park::sys;

/// Rounds of pure spinning; round `k` lasts `2^k` pauses.
const SPIN_ROUNDS: u32 = 7;
/// Rounds that give the processor away, in which a thread that shares it may do what is waited for.
const YIELD_ROUNDS: u32 = 10;

/// Spins in growing steps, then yields, then says that it is time to sleep.
///
/// Waking a sleeping thread costs 15 to 50 microseconds on a virtual machine, so a few microseconds of
/// spinning pay for themselves whenever the other side is at work.
pub(crate) struct Backoff {
    round: u32,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self { round: 0 }
    }

    /// Begins with a longer pause, `2^round` turns.
    pub(crate) const fn from_round(round: u32) -> Self {
        Self { round }
    }

    /// Waits a little. False: enough, go to sleep.
    #[inline]
    pub(crate) fn snooze(&mut self) -> bool {
        if cfg!(loom) || self.round >= SPIN_ROUNDS + YIELD_ROUNDS {
            return false;
        }
        if self.round < SPIN_ROUNDS {
            for _ in 0..1 << self.round {
                sys::spin_loop();
            }
        } else {
            sys::yield_now();
        }
        self.round += 1;
        true
    }
}
