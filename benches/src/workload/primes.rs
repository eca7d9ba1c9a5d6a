//! Prime numbers by trial division: pure computation without memory.

use super::{Computation, mix};

/// Where the first task's range begins: large enough that a division loop is long.
const FIRST: u64 = 1_000_000;

/// Candidates that are tried between two chances to let others run.
const BLOCK: u64 = 256;

/// Looks for the primes of one range.
#[derive(Debug)]
pub struct Primes {
    next: u64,
    end: u64,
    hash: u64,
}

impl Primes {
    /// The task with this number: the primes of a range of `width` numbers of its own.
    pub fn task(index: u32, width: u64) -> Self {
        let next = FIRST + u64::from(index) * width;
        Self {
            next,
            end: next + width,
            hash: 0,
        }
    }
}

fn is_prime(n: u64) -> bool {
    n >= 2
        && (n == 2 || n % 2 == 1)
        && (3..)
            .step_by(2)
            .take_while(|d| d * d <= n)
            .all(|d| !n.is_multiple_of(d))
}

impl Computation for Primes {
    /// One block of candidates.
    fn step(&mut self) -> bool {
        let stop = self.end.min(self.next + BLOCK);
        for candidate in self.next..stop {
            if is_prime(candidate) {
                self.hash = mix(self.hash, candidate);
            }
        }
        self.next = stop;
        self.next < self.end
    }

    fn checksum(&self) -> u64 {
        self.hash
    }
}

#[cfg(test)]
mod tests {
    use super::is_prime;

    #[test]
    fn the_primes_below_thirty() {
        let primes: Vec<u64> = (0..30).filter(|n| is_prime(*n)).collect();
        assert_eq!(primes, [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]);
    }
}
