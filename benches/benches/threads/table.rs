//! Rows of measurements and how they are printed.

/// The times of one case, in nanoseconds per message or task, one for each round.
pub struct Times(Vec<f64>);

impl Times {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn sorted(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }
}

/// One case: what it is called and how it is measured once.
pub type Case<'a> = (&'static str, Box<dyn FnMut() -> f64 + 'a>);

/// Measured cases of one row; the first is ours.
pub struct Row {
    name: String,
    cases: Vec<(&'static str, Times)>,
    goals: Vec<Goal>,
}

/// A ratio that a row has to keep: our case to the best of the peers.
pub struct Goal {
    /// The case of ours.
    pub ours: &'static str,
    /// The peers, of which the fastest counts.
    pub peers: &'static [&'static str],
    /// The largest ratio allowed.
    pub target: f64,
}

/// Measures the cases in turn, `rounds` times.
pub fn measure(
    name: impl Into<String>,
    rounds: usize,
    mut cases: Vec<Case<'_>>,
    goals: Vec<Goal>,
) -> Row {
    let mut times: Vec<Times> = cases.iter().map(|_| Times::new()).collect();
    for _ in 0..rounds {
        for ((_, run), times) in cases.iter_mut().zip(&mut times) {
            times.0.push(run());
        }
    }
    let names = cases.iter().map(|(name, _)| *name);
    Row {
        name: name.into(),
        cases: names
            .zip(times.into_iter().map(|times| Times::sorted(times.0)))
            .collect(),
        goals,
    }
}

impl Row {
    fn median(&self, case: &str) -> Option<f64> {
        let found = self.cases.iter().find(|(name, _)| *name == case);
        found.map(|(_, times)| times.median())
    }

    fn verdict(&self, goal: &Goal) -> Option<String> {
        let ours = self.median(goal.ours)?;
        let peers = goal.peers.iter().filter_map(|peer| self.median(peer));
        let best = peers.reduce(f64::min)?;
        let (ratio, target) = (ours / best, goal.target);
        let met = if ratio <= target { "met" } else { "MISSED" };
        let peers = goal.peers.join(", ");
        Some(format!(
            "{} / best of ({peers}): {ratio:.4}, target {target:.4}: {met}",
            goal.ours
        ))
    }
}

/// Prints every row: minimum, median and maximum of each case, then each ratio with its target.
pub fn print(rows: &[Row]) {
    for row in rows {
        println!(
            "\n{:<34} {:>10} {:>10} {:>10}  ns",
            row.name, "min", "median", "max"
        );
        for (name, times) in &row.cases {
            let (min, max) = (times.0[0], times.0[times.0.len() - 1]);
            println!(
                "  {name:<32} {min:>10.1} {:>10.1} {max:>10.1}",
                times.median()
            );
        }
        for verdict in row.goals.iter().filter_map(|goal| row.verdict(goal)) {
            println!("  = {verdict}");
        }
    }
}
