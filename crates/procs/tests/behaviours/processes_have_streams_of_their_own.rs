//! A process reads and writes what its builder said.

use std::fs::{self, File};
use std::io::{self, Read, Write};

use procs::{Process, ProcessBuilder, StartMethod, Stdio};

use crate::common::{Folder, LIMIT};

#[procs::task]
fn shout() -> usize {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).unwrap();
    print!("{}", text.to_uppercase());
    eprint!("{} bytes", text.len());
    text.len()
}

fn builders() -> [ProcessBuilder; 2] {
    [StartMethod::ForkServer, StartMethod::Spawn]
        .map(|method| Process::builder().start_method(method))
}

#[test]
fn pipes_are_on_the_handle() {
    for builder in builders() {
        let builder = builder.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = builder.stderr(Stdio::piped()).spawn(shout, ()).unwrap();
        let mut stdin = process.take_stdin().unwrap();
        assert!(process.take_stdin().is_none());
        stdin.write_all(b"hello").unwrap();
        drop(stdin);
        let (mut out, mut err) = (String::new(), String::new());
        let mut pipe = process.take_stdout().unwrap();
        pipe.read_to_string(&mut out).unwrap();
        let mut pipe = process.take_stderr().unwrap();
        pipe.read_to_string(&mut err).unwrap();
        assert_eq!((out.as_str(), err.as_str()), ("HELLO", "5 bytes"));
        assert_eq!(process.join_for(LIMIT).unwrap(), 5);
    }
}

#[test]
fn files_are_read_and_written() {
    let folder = Folder::new();
    fs::write(folder.path("in"), "some text").unwrap();
    for builder in builders() {
        let stdin = File::open(folder.path("in")).unwrap();
        let stdout = File::create(folder.path("out")).unwrap();
        let mut process = builder
            .stdin(Stdio::file(stdin))
            .stdout(Stdio::file(stdout))
            .stderr(Stdio::null())
            .spawn(shout, ())
            .unwrap();
        assert_eq!(process.join_for(LIMIT).unwrap(), 9);
        assert!(process.take_stdout().is_none());
        assert_eq!(fs::read(folder.path("out")).unwrap(), b"SOME TEXT");
    }
}

#[test]
fn without_an_input_there_is_its_end() {
    let inputs = [None, Some(Stdio::null())];
    for (builder, input) in builders().into_iter().zip(inputs) {
        let builder = match input {
            Some(input) => builder.stdin(input),
            None => builder,
        };
        let builder = builder.stdout(Stdio::inherit()).stderr(Stdio::null());
        let mut process = builder.spawn(shout, ()).unwrap();
        assert_eq!(process.join_for(LIMIT).unwrap(), 0);
    }
}

#[procs::task]
fn relay() -> usize {
    let builder = Process::builder().stdin(Stdio::inherit());
    let mut process = builder.spawn(shout, ()).unwrap();
    process.join_for(LIMIT).unwrap()
}

#[test]
fn streams_are_inherited_over_generations() {
    let builder = Process::builder().stdin(Stdio::piped());
    let builder = builder.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = builder.spawn(relay, ()).unwrap();
    process.take_stdin().unwrap().write_all(b"down").unwrap();
    let mut out = String::new();
    let mut pipe = process.take_stdout().unwrap();
    pipe.read_to_string(&mut out).unwrap();
    assert_eq!(
        (out.as_str(), process.join_for(LIMIT).unwrap()),
        ("DOWN", 4)
    );
}
