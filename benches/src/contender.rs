//! Who runs the tasks: a model, in Rust or in Python.

use serde::{Deserialize, Serialize};

use crate::{Model, Plan, limits};

/// The language that a model is written in.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// This workspace's crates.
    #[default]
    Rust,
    /// CPython with its standard library.
    Python,
}

/// A model in a language.
///
/// ```
/// use benches::{Contender, Model};
///
/// assert_eq!(Contender::rust(Model::EventLoop).to_string(), "event-loop");
/// assert_eq!(Contender::python(Model::EventLoop).to_string(), "python event-loop");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Contender {
    /// The language; Rust where a file of results does not say.
    #[serde(default)]
    pub language: Language,
    /// The model.
    pub model: Model,
}

impl Contender {
    /// The model as this workspace's crates have it.
    #[must_use]
    pub fn rust(model: Model) -> Self {
        Self {
            language: Language::Rust,
            model,
        }
    }

    /// The model as Python's standard library has it.
    #[must_use]
    pub fn python(model: Model) -> Self {
        Self {
            language: Language::Python,
            model,
        }
    }

    /// Why this plan is not for this contender on this machine, if it is not: what it would need, and what there is.
    #[must_use]
    pub fn refuses(&self, plan: &Plan) -> Option<String> {
        limits::refuses(self.model, plan)
    }
}

impl std::fmt::Display for Contender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.language {
            Language::Rust => self.model.fmt(f),
            Language::Python => f.pad(&format!("python {}", self.model)),
        }
    }
}
