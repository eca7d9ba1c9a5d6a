//! Ours and theirs at the same work, in turn.

use super::{Row, Spread, Target, Unit};

/// One turn of an entrant: how much of the unit it took.
type Turn<'a> = Box<dyn FnMut() -> f64 + 'a>;

/// Those who do the same work, and what is asked of ours.
///
/// ```
/// use benches::peers::{Contest, Target};
///
/// let rows = Contest::new("threads", "a turn")
///     .entrant("ours", || 8.0)
///     .entrant("a peer", || 10.0)
///     .entrant("another", || 16.0)
///     .goal("ours", &["a peer", "another"], Target::Ratio(0.9))
///     .run(3);
/// assert_eq!(rows[0].peer.as_ref().unwrap().0, "a peer");
/// assert_eq!(rows[0].ratio(), Some(0.8));
/// assert_eq!(rows[0].met(), Some(true));
/// ```
#[must_use = "nothing is measured before `run`"]
pub struct Contest<'a> {
    crate_name: &'static str,
    case: String,
    unit: Unit,
    entrants: Vec<(&'static str, Turn<'a>)>,
    fixed: Vec<(&'static str, f64)>,
    goals: Vec<Goal>,
}

struct Goal {
    ours: &'static str,
    peers: &'static [&'static str],
    target: Target,
}

impl<'a> Contest<'a> {
    /// An empty contest of one of our crates, in nanoseconds.
    pub fn new(crate_name: &'static str, case: impl Into<String>) -> Self {
        Self {
            crate_name,
            case: case.into(),
            unit: Unit::Nanoseconds,
            entrants: Vec::new(),
            fixed: Vec::new(),
            goals: Vec::new(),
        }
    }

    /// Counts in another unit.
    pub fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// Adds one that takes part in every round. The name `ours` is that of our crate's plain way.
    pub fn entrant(mut self, name: &'static str, turn: impl FnMut() -> f64 + 'a) -> Self {
        self.entrants.push((name, Box::new(turn)));
        self
    }

    /// Adds a peer that was measured once, elsewhere; nothing if it could not be (`None`).
    pub fn fixed(mut self, name: &'static str, figure: Option<f64>) -> Self {
        self.fixed.extend(figure.map(|figure| (name, figure)));
        self
    }

    /// Asks `ours` to keep the target against the fastest of `peers` (none for an absolute one).
    ///
    /// There is no row for a goal of which nobody took part.
    pub fn goal(
        mut self,
        ours: &'static str,
        peers: &'static [&'static str],
        target: Target,
    ) -> Self {
        self.goals.push(Goal {
            ours,
            peers,
            target,
        });
        self
    }

    /// Runs all entrants in turn, `rounds` times, and gives a row for each goal. Every round begins with another one, so
    /// that nobody always comes after the same.
    pub fn run(mut self, rounds: usize) -> Vec<Row> {
        eprintln!("{}: {}", self.crate_name, self.case);
        let count = self.entrants.len();
        let mut figures = vec![Vec::with_capacity(rounds); count];
        for round in 0..rounds {
            for place in 0..count {
                let entrant = (round + place) % count;
                figures[entrant].push(self.entrants[entrant].1());
            }
        }
        let names = self.entrants.iter().map(|(name, _)| *name);
        let measured = names.zip(figures);
        let fixed = self
            .fixed
            .iter()
            .map(|(name, figure)| (*name, vec![*figure; rounds]));
        let measured: Vec<(&str, Vec<f64>)> = measured.chain(fixed).collect();
        self.goals
            .iter()
            .filter_map(|goal| self.row(goal, &measured))
            .collect()
    }

    fn row(&self, goal: &Goal, measured: &[(&str, Vec<f64>)]) -> Option<Row> {
        let find = |name: &str| {
            let (name, figures) = measured.iter().find(|(known, _)| *known == name)?;
            Some((*name, figures, Spread::of(figures.clone())?))
        };
        let (_, figures, ours) = find(goal.ours)?;
        let peers = goal.peers.iter().filter_map(|peer| find(peer));
        let best = peers.min_by(|(.., a), (.., b)| a.median.total_cmp(&b.median));
        if best.is_none() && !goal.peers.is_empty() {
            return None;
        }
        let case = match goal.ours {
            "ours" => self.case.clone(),
            way => format!("{}, {way}", self.case),
        };
        let ratios = best.and_then(|(_, theirs, _)| {
            let of_rounds = figures
                .iter()
                .zip(theirs)
                .map(|(ours, theirs)| ours / theirs);
            Spread::of(of_rounds.collect())
        });
        Some(Row {
            crate_name: self.crate_name,
            case,
            unit: self.unit,
            ours,
            peer: best.map(|(name, _, spread)| (name.to_owned(), spread)),
            ratios,
            target: goal.target,
        })
    }
}
