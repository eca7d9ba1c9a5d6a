//! A file that is written and forced to the disk.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use super::mix;
use crate::Failed;

/// What is written: four pages.
const BYTES: usize = 16 * 1024;

/// A file of its own for each task; it is removed when it is on the disk.
#[derive(Debug, Clone)]
pub struct File {
    /// Where it goes.
    pub path: PathBuf,
    /// The task's number, which is what the file is full of.
    pub index: u32,
}

impl File {
    /// Writes it, blocking the thread.
    pub fn blocking(&self) -> Result<u64, Failed> {
        let step = || format!("writing {}", self.path.display());
        self.write().map_err(Failed::at(step()))?;
        fs::remove_file(&self.path).map_err(Failed::at(step()))?;
        Ok(mix(u64::from(self.index), BYTES as u64))
    }

    fn write(&self) -> std::io::Result<()> {
        let mut file = fs::File::create(&self.path)?;
        file.write_all(&self.index.to_be_bytes().repeat(BYTES / 4))?;
        file.sync_all()
    }

    /// Writes it on a thread of the loop's pool, as there is no other way to wait for a disk.
    pub async fn awaited(self) -> Result<u64, Failed> {
        aio::to_thread(move || self.blocking())
            .await
            .map_err(Failed::at("writing on another thread"))?
    }
}
