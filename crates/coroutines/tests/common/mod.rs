//! What several test files share.

use std::process::Command;

/// Runs the example `name` of this package, which cargo has built beside the tests, and returns what it prints.
pub fn example(name: &str) -> String {
    let test = std::env::current_exe().expect("a test knows its own path");
    let profile = test
        .ancestors()
        .nth(2)
        .expect("tests are in target/PROFILE/deps");
    let path = profile.join("examples").join(name);
    let out = Command::new(&path)
        .output()
        .unwrap_or_else(|e| panic!(
            "cannot run {}: {e} (a whole `cargo test` builds the examples, one with --test does not)",
            path.display()
        ));
    assert!(
        out.status.success(),
        "{name}: {}\n{}",
        out.status,
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).expect("examples print text")
}

/// The output that the header of the example `name` promises: what follows the line with the command.
pub fn promised(name: &str) -> String {
    let path = format!("{}/examples/{name}.rs", env!("CARGO_MANIFEST_DIR"));
    let source =
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("cannot read {path}: {e}"));
    let lines = source
        .lines()
        .skip_while(|line| !line.starts_with("//! $ cargo run"))
        .skip(1);
    let shown = lines.take_while(|line| *line != "//! ```");
    shown
        .map(|line| {
            format!(
                "{}\n",
                line.trim_start_matches("//!").trim_start_matches(' ')
            )
        })
        .collect()
}
