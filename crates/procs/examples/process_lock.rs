//! Processes take turns at a file. One is killed in the middle of a line, and the next one repairs it.
//!
//! ```text
//! $ cargo run -p procs --example process_lock
//! Repaired after a death: "half a li"
//! line 1
//! line 2
//! line 3
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process;

use procs::sync::Lock;

fn open(path: &Path) -> File {
    let file = OpenOptions::new().append(true).open(path);
    file.expect("the file is there")
}

#[procs::task]
fn die_in_the_middle(lock: Lock, path: PathBuf) {
    let _guard = lock.lock().expect("nobody has died yet");
    open(&path).write_all(b"half a li").expect("there is room");
    process::abort();
}

#[procs::task]
fn write_line(lock: Lock, path: PathBuf, number: u32) {
    let guard = lock.recover().expect("the lock's memory is intact");
    if guard.is_inconsistent() {
        let text = fs::read_to_string(&path).expect("the file is there");
        println!("Repaired after a death: {text:?}");
        open(&path).set_len(0).expect("it can be shortened");
        guard.mark_consistent();
    }
    writeln!(open(&path), "line {number}").expect("there is room");
}

#[procs::main]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let lock = Lock::new()?;
    let path = std::env::temp_dir().join(format!("process_lock-{}", process::id()));
    File::create(&path)?;
    procs::spawn(die_in_the_middle, (lock.clone(), path.clone()))?
        .join()
        .expect_err("it dies");
    for number in 1..=3 {
        procs::spawn(write_line, (lock.clone(), path.clone(), number))?.join()?;
    }
    print!("{}", fs::read_to_string(&path)?);
    fs::remove_file(&path)?;
    Ok(())
}
