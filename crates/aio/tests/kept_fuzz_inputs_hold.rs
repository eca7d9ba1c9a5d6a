//! What the fuzz targets have kept, through the same claims: see `fuzz/`. The inputs of `head` and of `websocket`, whose
//! claims are of parts beneath the public API, are replayed by unit tests.
#![cfg(all(feature = "cookies", feature = "multipart"))]

use std::{fs, path::Path};

#[path = "../fuzz/src/lib.rs"]
mod claims;

fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let inputs: Vec<_> = fs::read_dir(folder)
        .expect("the kept inputs are there")
        .collect();
    assert!(!inputs.is_empty(), "there is nothing to replay");
    for input in inputs {
        let path = input.expect("the folder can be read").path();
        // Shown when the claim fails.
        println!("{}", path.display());
        check(&fs::read(path).expect("it can be read"));
    }
}

#[test]
fn cookies_hold() {
    replay("cookie", claims::cookie::check);
}

#[test]
fn forms_hold() {
    replay("multipart", claims::multipart::check);
}

#[test]
fn ranges_hold() {
    replay("range", claims::range::check);
}

#[test]
fn routes_hold() {
    replay("router", claims::router::check);
}
