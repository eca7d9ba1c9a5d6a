//! The notifier of the crate.

#[path = "../../src/host/notifier.rs"]
pub(crate) mod notifier;
