//! One ratio, its target, and what was measured for it.

use std::fmt;

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use super::Spread;

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds for one message, task, item or call.
    Nanoseconds,
    /// Bytes for one of what the row names.
    Bytes,
    /// How often memory was asked for.
    Allocations,
}

impl Unit {
    /// A figure with its unit, as people write it.
    #[must_use]
    pub fn write(self, figure: f64) -> String {
        let (figure, unit) = match self {
            Self::Nanoseconds if figure >= 1e6 => (figure / 1e6, "ms"),
            Self::Nanoseconds if figure >= 1e3 => (figure / 1e3, "µs"),
            Self::Bytes if figure >= 1e4 => (figure / 1e3, "kB"),
            _ => return format!("{} {self}", digits(figure)),
        };
        format!("{} {unit}", digits(figure))
    }
}

/// Three digits that count.
fn digits(figure: f64) -> String {
    let places = match figure {
        100.0.. => 0,
        10.0..100.0 => 1,
        _ => 2,
    };
    format!("{figure:.places$}")
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nanoseconds => "ns",
            Self::Bytes => "B",
            Self::Allocations => "allocations",
        })
    }
}

/// What a row has to keep. Less is better in all of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// Ours over theirs, at most.
    Ratio(f64),
    /// The same, but only hoped for: missing it is no failure.
    Stretch(f64),
    /// Ours by itself, at most, in the row's unit.
    Absolute(f64),
    /// Nothing: the figure is only shown.
    None,
}

/// Ours against one peer.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Our crate.
    pub crate_name: &'static str,
    /// What both did.
    pub case: String,
    /// What the figures count.
    pub unit: Unit,
    /// Ours.
    pub ours: Spread,
    /// The peer and its figures; `None` when the target is absolute.
    pub peer: Option<(String, Spread)>,
    /// Ours over theirs in each round: what slows a whole round down hits both. `None` when there is no peer.
    pub ratios: Option<Spread>,
    /// What has to be kept.
    pub target: Target,
}

impl Row {
    /// The peer's figures.
    #[must_use]
    pub fn theirs(&self) -> Option<Spread> {
        self.peer.as_ref().map(|(_, spread)| *spread)
    }

    /// Ours over theirs, in the middle one of the rounds.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        Some(self.ratios?.median)
    }

    /// Whether the target is kept; `None` if there is nothing to keep.
    #[must_use]
    pub fn met(&self) -> Option<bool> {
        match self.target {
            Target::Ratio(most) | Target::Stretch(most) => Some(self.ratio()? <= most),
            Target::Absolute(most) => Some(self.ours.median <= most),
            Target::None => None,
        }
    }

    /// Whether the row falls short of what it must keep; a stretch may be missed.
    #[must_use]
    pub fn falls_short(&self) -> bool {
        !matches!(self.target, Target::Stretch(_)) && self.met() == Some(false)
    }

    fn target_number(&self) -> Option<f64> {
        match self.target {
            Target::Ratio(most) | Target::Stretch(most) | Target::Absolute(most) => Some(most),
            Target::None => None,
        }
    }
}

/// `crate, case, ours_ns, peer, peer_ns, ratio, target, met`, and beside them the unit and the spreads. The `_ns` fields
/// are null when the unit is another one.
impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ns = |spread: &Spread| (self.unit == Unit::Nanoseconds).then_some(spread.median);
        let (peer, theirs) = (self.peer.as_ref().map(|(name, _)| name), self.theirs());
        let mut row = serializer.serialize_struct("Row", 13)?;
        row.serialize_field("crate", self.crate_name)?;
        row.serialize_field("case", &self.case)?;
        row.serialize_field("ours_ns", &ns(&self.ours))?;
        row.serialize_field("peer", &peer)?;
        row.serialize_field("peer_ns", &theirs.as_ref().and_then(ns))?;
        row.serialize_field("ratio", &self.ratio())?;
        row.serialize_field("target", &self.target_number())?;
        row.serialize_field("met", &self.met())?;
        row.serialize_field("stretch", &matches!(self.target, Target::Stretch(_)))?;
        row.serialize_field("unit", &self.unit.to_string())?;
        row.serialize_field("ours", &self.ours)?;
        row.serialize_field("theirs", &theirs)?;
        row.serialize_field("ratios", &self.ratios)?;
        row.end()
    }
}
