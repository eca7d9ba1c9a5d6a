//! Digits of pi: pure computation with big numbers.

use num_bigint::BigInt;

use super::{Computation, mix};

/// Digits that the smallest task computes; its neighbours compute a few more.
const DIGITS: u32 = 480;

/// Gibbons' unbounded spigot: a linear fractional transformation that grows by one term until its
/// next digit is certain ("Unbounded Spigot Algorithms for the Digits of Pi", 2006).
#[derive(Debug)]
pub struct Pi {
    q: BigInt,
    r: BigInt,
    t: BigInt,
    k: u32,
    digit: u32,
    l: u32,
    left: u32,
    hash: u64,
}

impl Pi {
    /// The task with this number: 480 to 487 digits, so that neighbouring tasks differ.
    pub fn task(index: u32) -> Self {
        Self::digits(DIGITS + index % 8, u64::from(index))
    }

    fn digits(left: u32, seed: u64) -> Self {
        Self {
            q: 1.into(),
            r: 0.into(),
            t: 1.into(),
            k: 1,
            digit: 3,
            l: 3,
            left,
            hash: seed,
        }
    }

    /// Takes the certain digit out of the transformation and gives it.
    fn produce(&mut self) -> u32 {
        let digit = self.digit;
        let remainder = &self.r - &self.t * digit;
        let next = (BigInt::from(10) * (BigInt::from(3) * &self.q + &self.r)) / &self.t;
        self.digit = small(&(next - BigInt::from(10) * digit));
        self.q *= 10;
        self.r = remainder * 10;
        digit
    }

    /// Composes the next term of the series into the transformation.
    fn consume(&mut self) {
        let next = (&self.q * (7 * self.k + 2) + &self.r * self.l) / (&self.t * self.l);
        self.r = (BigInt::from(2) * &self.q + &self.r) * self.l;
        self.q *= self.k;
        self.t *= self.l;
        self.k += 1;
        self.l += 2;
        self.digit = small(&next);
    }

    fn next_digit(&mut self) -> u32 {
        while BigInt::from(4) * &self.q + &self.r - &self.t >= &self.t * self.digit {
            self.consume();
        }
        self.produce()
    }
}

/// The digit estimate; while it is not yet certain it may be anything, and then it is not used.
fn small(value: &BigInt) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

impl Computation for Pi {
    /// One digit.
    fn step(&mut self) -> bool {
        let digit = self.next_digit();
        self.hash = mix(self.hash, u64::from(digit));
        self.left -= 1;
        self.left > 0
    }

    fn checksum(&self) -> u64 {
        self.hash
    }
}

#[cfg(test)]
mod tests {
    use super::Pi;

    #[test]
    fn the_digits_are_those_of_pi() {
        let mut pi = Pi::digits(20, 0);
        let digits: String = (0..20).map(|_| pi.next_digit().to_string()).collect();
        assert_eq!(digits, "31415926535897932384");
    }
}
