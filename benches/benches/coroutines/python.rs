//! CPython's figures for the same programs, where there is a CPython.

use std::collections::HashMap;
use std::process::Command;

/// Nanoseconds an item, by the names that `python/coroutines.py` prints; `None` without python3.
pub fn figures() -> Option<HashMap<String, f64>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/coroutines.py");
    let out = Command::new("python3").arg(script).output().ok()?;
    if !out.status.success() {
        eprintln!(
            "{script}: {}\n{}",
            out.status,
            String::from_utf8_lossy(&out.stderr)
        );
        return None;
    }
    let text = String::from_utf8_lossy(&out.stdout);
    let line = |line: &str| {
        let (name, figure) = line.split_once(' ')?;
        Some((name.to_owned(), figure.parse().ok()?))
    };
    Some(text.lines().filter_map(line).collect())
}
