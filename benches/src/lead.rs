//! Which of two measured rates is ahead, when rates vary from run to run.
//!
//! One rule for the terminal, the page, the map and `advise`: a rate is ahead of another if their medians are further
//! apart than a tenth, and than the runs of either are. Everything else is level. A difference that noise could turn is
//! thus never told as a lead.

/// A lead that is smaller is none, however steady the runs are.
const LEAST: f64 = 0.1;
/// Spread that is assumed of a single run, whose spread is unknown.
const UNKNOWN: f64 = 1.0;

/// Tasks per second of a model: the median of several runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// The median run's tasks per second.
    pub median: f64,
    /// The fastest run's tasks per second less the slowest's, in parts of the median's.
    pub spread: f64,
    /// Number of runs.
    pub runs: usize,
}

impl Rate {
    /// Returns whether this rate is greater than another by more than noise explains.
    #[must_use]
    pub fn is_ahead_of(&self, other: &Self) -> bool {
        self.median > other.median * (1.0 + self.noise().max(other.noise()))
    }

    /// Returns the part by which another series of runs may differ from this one.
    fn noise(&self) -> f64 {
        match self.runs {
            0 | 1 => UNKNOWN,
            _ => self.spread.max(LEAST),
        }
    }
}

/// Splits candidates into those that no other one is ahead of, and the others. Both keep their order.
pub fn split<T>(candidates: Vec<T>, rate: impl Fn(&T) -> Rate) -> (Vec<T>, Vec<T>) {
    let rates: Vec<Rate> = candidates.iter().map(&rate).collect();
    candidates
        .into_iter()
        .partition(|one| !rates.iter().any(|other| other.is_ahead_of(&rate(one))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(median: f64, spread: f64, runs: usize) -> Rate {
        Rate {
            median,
            spread,
            runs,
        }
    }

    #[test]
    fn a_lead_exceeds_a_tenth_and_both_spreads() {
        let first = rate(120.0, 0.05, 3);
        assert!(first.is_ahead_of(&rate(100.0, 0.05, 3)));
        assert!(!first.is_ahead_of(&rate(110.0, 0.0, 3)), "within a tenth");
        assert!(
            !first.is_ahead_of(&rate(100.0, 0.3, 3)),
            "within its spread"
        );
        assert!(!rate(120.0, 0.3, 3).is_ahead_of(&rate(100.0, 0.05, 3)));
        assert!(!rate(100.0, 0.0, 3).is_ahead_of(&first));
    }

    #[test]
    fn a_single_run_leads_only_by_more_than_twice() {
        assert!(!rate(190.0, 0.0, 1).is_ahead_of(&rate(100.0, 0.0, 1)));
        assert!(rate(210.0, 0.0, 1).is_ahead_of(&rate(100.0, 0.0, 1)));
    }

    #[test]
    fn the_split_keeps_the_order() {
        let rates = vec![rate(50.0, 0.0, 3), rate(95.0, 0.0, 3), rate(100.0, 0.0, 3)];
        let (level, behind) = split(rates, |rate| *rate);
        let medians = |rates: Vec<Rate>| rates.iter().map(|rate| rate.median).collect::<Vec<_>>();
        assert_eq!(
            (medians(level), medians(behind)),
            (vec![95.0, 100.0], vec![50.0])
        );
    }
}
