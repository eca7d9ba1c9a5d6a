//! The originals, if `python3` is there.

use std::collections::HashMap;
use std::process::{Command, Stdio};

/// The program that the environment's `PYTHON` names, or else the search path's `python3`.
#[must_use]
pub fn interpreter() -> String {
    std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

/// Where `benches/python/SCRIPT` is.
#[must_use]
pub fn path(script: &str) -> String {
    format!("{}/python/{script}", env!("CARGO_MANIFEST_DIR"))
}

/// Whether the interpreter can import this module.
#[must_use]
pub fn has(module: &str) -> bool {
    let mut command = Command::new(interpreter());
    command.args(["-c", &format!("import {module}")]);
    let status = command.stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// The figures that `benches/python/SCRIPT` prints, a line each: a name, a space and a number.
///
/// `None` without python3, or when the script fails; what it said is passed on to standard error.
#[must_use]
pub fn figures(script: &str, arguments: &[&str]) -> Option<HashMap<String, f64>> {
    let path = path(script);
    let output = Command::new(interpreter())
        .arg(&path)
        .args(arguments)
        .output();
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
