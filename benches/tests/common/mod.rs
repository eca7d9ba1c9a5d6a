//! What the tests of the program share.

use std::path::PathBuf;

/// A folder for one test, removed when the test is over.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A place where nothing is yet.
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("compare-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    pub fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    pub fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.0.join(file)).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
