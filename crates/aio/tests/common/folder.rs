//! A folder for what a test writes.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process,
};

/// A new folder of its own for one test, removed with what is in it when dropped.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> io::Result<Self> {
        let path = env::temp_dir().join(format!("aio-{name}-{}", process::id()));
        fs::create_dir_all(&path)?;
        Ok(Folder(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}
