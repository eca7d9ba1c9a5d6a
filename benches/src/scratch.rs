//! A folder for the files that tasks write, which is gone afterwards, however the program ends.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Failed;

/// Tasks that still write while their folder is removed can bring it back so often.
const ATTEMPTS: usize = 200;
/// Between two of them.
const PAUSE: Duration = Duration::from_millis(5);

/// A folder that is removed with all that tasks have left in it.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes the folder, with those above it.
    pub(crate) fn make(path: PathBuf) -> Result<Self, Failed> {
        std::fs::create_dir_all(&path)
            .map_err(Failed::at(format!("making the folder {}", path.display())))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// What cannot be removed is of no use, and in nobody's way.
fn remove(path: &Path) {
    for _ in 0..ATTEMPTS {
        match std::fs::remove_dir_all(path) {
            Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => {
                std::thread::sleep(PAUSE);
            }
            _ => return,
        }
    }
}

/// From now on ctrl-c and SIGTERM first remove this folder and say that nothing was written, and then end the program,
/// for the rest of its life. The processes that it started end with it.
///
/// # Errors
/// When the system refuses a thread or the handlers.
pub(crate) fn remove_when_stopped(path: &Path) -> Result<(), Failed> {
    let path = path.to_owned();
    let (listening, listens) = std::sync::mpsc::channel();
    let watch = move || {
        let stopped = aio::run(async {
            let signal = aio::shutdown_signal();
            // Whoever waits for this has not gone away.
            let _ = listening.send(signal.as_ref().map(|_| ()).map_err(ToString::to_string));
            Ok::<_, std::io::Error>(signal?.await)
        });
        if let Ok(Ok(signal)) = stopped {
            remove(&path);
            eprintln!("\ncompare: stopped by {signal}: nothing was written");
            std::process::exit(if signal == "SIGINT" { 130 } else { 143 });
        }
    };
    let step = "listening for ctrl-c";
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(watch)
        .map_err(Failed::at(step))?;
    let heard = listens.recv().unwrap_or_else(|_| Err("it ended".into()));
    heard.map_err(Failed::at(step))
}
