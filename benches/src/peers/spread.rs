//! What several rounds gave.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The least, the middle and the greatest of some figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The least.
    pub min: f64,
    /// The middle one; the upper of two.
    pub median: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// Of these figures; `None` if there are none.
    #[must_use]
    pub fn of(mut figures: Vec<f64>) -> Option<Self> {
        figures.sort_by(f64::total_cmp);
        Some(Self {
            min: *figures.first()?,
            median: figures[figures.len() / 2],
            max: *figures.last()?,
        })
    }
}

/// `median (min..max)`, or the one figure if all are the same.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = if self.median < 100.0 { 2 } else { 0 };
        write!(f, "{:.places$}", self.median)?;
        if self.min == self.max {
            return Ok(());
        }
        write!(f, " ({:.places$}..{:.places$})", self.min, self.max)
    }
}
