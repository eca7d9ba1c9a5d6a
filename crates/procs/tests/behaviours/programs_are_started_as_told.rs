//! A program gets what its command says, and an error says what was wrong with it.

use std::os::fd::AsRawFd;
use std::path::Path;

use procs::{CommandError, InvalidOption, ProcessGroup, command};

use crate::common::Folder;

fn shell(script: &str) -> procs::Command {
    command("sh").args(["-c", script])
}

/// Why the command is invalid.
fn invalid(command: procs::Command) -> InvalidOption {
    match command.run() {
        Err(CommandError::Invalid(reason)) => reason,
        other => panic!("expected Invalid: {other:?}"),
    }
}

#[test]
fn a_program_gets_arguments_variables_and_directory() {
    let folder = Folder::new();
    let folder = folder.path("").canonicalize().unwrap();
    let output = shell("echo \"$1|$2|$ONE|$HOME|$(pwd -P)\"")
        .args(["zero", "a b", "*"])
        .env("ONE", "first")
        .env("ONE", "a=b\n")
        .cwd(&folder)
        .run()
        .unwrap();
    let home = std::env::var("HOME").unwrap_or_default();
    let expected = format!("a b|*|a=b\n|{home}|{}\n", folder.display());
    assert_eq!(output.text(), expected);
}

#[test]
fn programs_are_found_as_a_shell_finds_them() {
    let folder = Folder::new();
    let tool = folder.path("tool");
    // Not written by this process: a program that another test starts meanwhile would hold the file open for writing.
    let make = shell("cat > \"$TOOL\"; chmod 755 \"$TOOL\"").env("TOOL", &tool);
    let made = make.input("#!/bin/sh\necho \"$0\"\n").run().unwrap();
    assert!(made.status().success());
    let path = format!("/does/not/exist:{}", folder.path("").display());
    let output = command("tool").env("PATH", path).run().unwrap();
    assert!(output.text().trim().ends_with("tool"));
    let output = command("./tool").cwd(folder.path("")).run().unwrap();
    assert_eq!(output.text(), "./tool\n");
    let error = command("tool").run().unwrap_err();
    assert!(error.to_string().contains("No such file"), "{error}");
    let hidden = command("chmod").arg("644").arg(&tool).run().unwrap();
    assert!(hidden.status().success());
    let error = command(&tool).run().unwrap_err();
    assert!(error.to_string().contains("Permission denied"), "{error}");
}

#[test]
fn an_error_names_the_program_and_the_directory() {
    let error = command("no-such-program-xyz").run().unwrap_err();
    assert!(matches!(error, CommandError::System(_)));
    let program = error.to_string();
    assert!(program.contains("no-such-program-xyz") && program.contains("No such file"));
    let error = command("true").cwd("/no/such/folder").run().unwrap_err();
    assert!(matches!(error, CommandError::System(_)));
    let folder = error.to_string();
    assert!(folder.contains("/no/such/folder") && folder.contains("\"true\""));
    assert!(folder.contains("directory") && !program.contains("working directory"));
    for absent in ["/does/not/exist", "", "/", "/dev/null/x"] {
        let error = command(absent).run().unwrap_err();
        assert!(matches!(error, CommandError::System(_)), "{absent:?}");
        assert!(
            error.to_string().contains(&format!("{absent:?}")),
            "{error}"
        );
    }
}

#[test]
fn what_no_environment_can_hold_is_refused_by_name() {
    for name in ["", "A=B", "=A", "A\0B", "="] {
        let reason = invalid(command("true").env(name, "value"));
        assert_eq!(reason, InvalidOption::EnvironmentName(name.into()));
        assert!(reason.to_string().contains(&format!("{name:?}")));
    }
    let reason = invalid(command("true").env("NAME", "a\0b"));
    assert_eq!(reason, InvalidOption::EnvironmentValue("NAME".into()));
}

#[test]
fn nul_bytes_are_refused_where_they_stand() {
    let program = invalid(command("tr\0ue"));
    assert_eq!(program, InvalidOption::Program("tr\0ue".into()));
    let argument = invalid(command("true").args(["one", "t\0wo"]));
    assert_eq!(argument, InvalidOption::Argument("t\0wo".into()));
    let folder = invalid(command("true").cwd("/\0"));
    assert_eq!(
        folder,
        InvalidOption::WorkingDirectory(Path::new("/\0").into())
    );
    for reason in [program, argument, folder] {
        let text = reason.to_string();
        assert!(text.contains("NUL") && !text.contains("os error"), "{text}");
    }
}

#[test]
fn no_descriptor_but_the_standard_streams_reaches_a_program() {
    // As one that a library has opened without close-on-exec, at a number of its own.
    let (reader, _writer) = std::io::pipe().unwrap();
    // SAFETY: F_DUPFD takes an integer; the new descriptor is left open on purpose.
    let inheritable = unsafe { libc::fcntl(reader.as_raw_fd(), libc::F_DUPFD, 230) };
    assert!(inheritable >= 230);
    let output = shell("echo /proc/$$/fd/*").run().unwrap();
    let open: Vec<_> = output
        .text()
        .split_whitespace()
        .filter_map(|path| path.rsplit('/').next()?.parse::<i32>().ok())
        .collect();
    // SAFETY: this function has opened it.
    unsafe { libc::close(inheritable) };
    assert!(open.contains(&0) && open.contains(&2));
    assert!(open.iter().all(|descriptor| *descriptor <= 10), "{open:?}");
}

#[test]
fn the_process_group_is_chosen() {
    // SAFETY: getpgrp takes nothing and never fails.
    let ours = unsafe { libc::getpgrp() }.to_string();
    let group_of = |group| {
        let output = shell("cut -d' ' -f5 /proc/$$/stat; echo $$")
            .process_group(group)
            .run()
            .unwrap();
        let lines = output.lines();
        (lines[0].clone(), lines[1].clone())
    };
    let (group, pid) = group_of(ProcessGroup::Own);
    assert_eq!(group, pid);
    assert_eq!(group_of(ProcessGroup::Inherit).0, ours);
}

#[test]
fn signals_are_as_a_program_expects_them() {
    let output = command("grep")
        .args(["-E", "^Sig(Blk|Ign):", "/proc/self/status"])
        .run()
        .unwrap();
    let lines = output.lines();
    let mask = |name: &str| {
        let line = lines.iter().find_map(|line| line.strip_prefix(name));
        u64::from_str_radix(line.unwrap().trim(), 16).unwrap()
    };
    assert_eq!(mask("SigBlk:"), 0);
    // Rust's runtime ignores SIGPIPE.
    assert_eq!(mask("SigIgn:") & (1 << (libc::SIGPIPE - 1)), 0);
}

#[test]
fn a_program_that_is_killed_is_said_to_be() {
    let output = shell("kill -SEGV $$").run().unwrap();
    assert_eq!(output.status().signal(), Some(11));
    assert!(output.check().unwrap_err().to_string().contains("SIGSEGV"));
}
