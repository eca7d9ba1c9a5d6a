//! What the servers under test answer, all of them the same.

use std::sync::LazyLock;
use std::{fs, io, path::PathBuf};

use serde::Serialize;

/// Its type, everywhere.
pub const HTML: &str = "text/html; charset=utf-8";

/// The answer to GET `/hello/{name}`.
pub fn hello(name: &str) -> String {
    format!("<h1>hello, {}!</h1>", aio::http::escape(name))
}

/// One of those that GET `/people` tells of.
#[derive(Serialize)]
pub struct Person {
    id: u32,
    name: &'static str,
    mail: String,
    active: bool,
    score: f64,
}

/// About 1 KiB as JSON, which is made anew for every answer.
pub static PEOPLE: LazyLock<Vec<Person>> = LazyLock::new(|| {
    let names = ["Ada", "Edsger", "Barbara", "Donald", "Grace", "Niklaus"];
    let person = |(name, id): (&'static str, u32)| Person {
        id,
        name,
        mail: format!("{}.{id}@example.org", name.to_lowercase()),
        active: id.is_multiple_of(3),
        score: f64::from(id) / 8.0,
    };
    let names = names.into_iter().cycle();
    names.zip(1000..1012).map(person).collect()
});

/// The file under `/files`.
pub const FILE: &str = "page.bin";

/// Its bytes: 64 KiB.
pub fn file() -> Vec<u8> {
    (0..64 * 1024_u32)
        .map(|place| (place % 251) as u8)
        .collect()
}

/// A folder with that file, which goes when this is dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn create() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("benches-aio-http-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        let folder = Self(path);
        fs::write(folder.0.join(FILE), file())?;
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is the system's to clean up, as everything in that place.
        let _ = fs::remove_dir_all(&self.0);
    }
}
