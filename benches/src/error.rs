//! The one error of this crate.

use serde::{Deserialize, Serialize};

/// A run that did not succeed: which step failed, on what, and why.
///
/// It is plain text inside, because it comes back from other processes as often as from this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    step: String,
    reason: String,
}

impl Failed {
    /// Says that `step` failed for `reason`.
    pub fn new(step: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        Self {
            step: step.into(),
            reason: reason.to_string(),
        }
    }

    /// Makes the closure that `map_err` wants: the step is known, the reason arrives.
    pub fn at<E: std::fmt::Display>(step: impl Into<String>) -> impl FnOnce(E) -> Self {
        move |reason| Self::new(step, reason)
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.step, self.reason)
    }
}

impl std::error::Error for Failed {}
