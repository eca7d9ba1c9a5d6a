//! In a program with `panic = "abort"`, a panic of a task ends its process, and still arrives with message and place.
//!
//! The program is `tests/aborting/program.rs`. It is built in a workspace of its own, because the setting holds for all
//! crates of a build.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of this build, `target`.
fn target() -> PathBuf {
    let test = std::env::current_exe().expect("this test has a file");
    let folder = test.ancestors().nth(3);
    folder.expect("it is in target/debug/deps").to_owned()
}

/// Builds the program and returns its path. Later builds find the crates that the first one has compiled.
fn build() -> PathBuf {
    let procs = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = target().join("tests/aborting");
    fs::create_dir_all(&folder).unwrap();
    let manifest = format!(
        "[package]\nname = \"aborting\"\nedition = \"2024\"\n\
         [[bin]]\nname = \"aborting\"\npath = {:?}\n\
         [dependencies]\nprocs.path = {procs:?}\n\
         [profile.dev]\npanic = \"abort\"\ndebug = false\n\
         [workspace]\n",
        procs.join("tests/aborting/program.rs"),
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    // The versions that the workspace has, so that nothing is downloaded.
    fs::copy(procs.join("../../Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--offline"])
        .current_dir(&folder)
        .env_remove("RUSTFLAGS")
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .status()
        .expect("cargo starts");
    assert!(status.success(), "the program does not compile");
    folder.join("target/debug/aborting")
}

#[test]
fn the_reason_of_a_panic_arrives_before_the_abort() {
    let output = Command::new(build()).output().expect("it starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    // A message may be long.
    let end = errors.floor_char_boundary(4000);
    assert!(
        output.status.success(),
        "{}: {}",
        output.status,
        &errors[..end]
    );
}
