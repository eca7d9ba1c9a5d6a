//! The originals, if `python3` is there.

use std::collections::HashMap;
use std::process::Command;

/// The figures that `benches/python/SCRIPT` prints, a line each: a name, a space and a number.
///
/// `None` without python3, or when the script fails; what it said is passed on to standard error.
#[must_use]
pub fn figures(script: &str, arguments: &[&str]) -> Option<HashMap<String, f64>> {
    let path = format!("{}/python/{script}", env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("python3").arg(&path).args(arguments).output();
    let Ok(output) = output else {
        eprintln!("no python3 here: CPython's rows are left out");
        return None;
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        eprintln!("{path}: {}\n{said}", output.status);
        return None;
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let line = |line: &str| {
        let (name, figure) = line.rsplit_once(' ')?;
        Some((name.to_owned(), figure.parse().ok()?))
    };
    Some(text.lines().filter_map(line).collect())
}
