//! The folder that takes the results.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Report, markdown, page};
use crate::Failed;

/// A folder that was there, or could be made, and can be written to.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes the folder, with those above it, and tries whether files can be made in it.
    ///
    /// # Errors
    /// Names the folder and what the system says of it.
    pub fn create(path: &Path) -> Result<Self, Failed> {
        let failed = || {
            format!(
                "cannot write to the folder {} (choose another with --out)",
                path.display()
            )
        };
        fs::create_dir_all(path).map_err(Failed::at(failed()))?;
        let probe = path.join(format!(".compare-{}", std::process::id()));
        fs::write(&probe, "")
            .and_then(|()| fs::remove_file(&probe))
            .map_err(Failed::at(failed()))?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Where the page goes.
    #[must_use]
    pub fn page(&self) -> PathBuf {
        self.path.join("index.html")
    }

    /// Where the machine-readable results go.
    #[must_use]
    pub fn json(&self) -> PathBuf {
        self.path.join("results.json")
    }

    /// Where the tables for the README and the book go.
    #[must_use]
    pub fn tables(&self) -> PathBuf {
        self.path.join("tables.md")
    }

    /// Writes `timeline.svg` and `timeline.json`, and says where they are.
    ///
    /// # Errors
    /// Names the file that could not be written.
    pub fn write_timelines(&self, svg: &str, trace: &str) -> Result<(PathBuf, PathBuf), Failed> {
        let (picture, events) = (
            self.path.join("timeline.svg"),
            self.path.join("timeline.json"),
        );
        write(&picture, svg)?;
        write(&events, trace)?;
        Ok((picture, events))
    }

    /// Writes the files, and the page's pictures.
    ///
    /// # Errors
    /// Names the file that could not be written.
    pub fn write(&self, report: &Report) -> Result<(), Failed> {
        write(&self.json(), &report.json()?)?;
        write(&self.page(), &page::page(report))?;
        for (name, picture) in page::pictures(report) {
            write(&self.path.join(name), &picture)?;
        }
        write(&self.path.join("short.md"), &markdown::short(report))?;
        write(&self.tables(), &markdown::markdown(report))
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failed> {
    fs::write(path, text).map_err(Failed::at(format!("writing {}", path.display())))
}
