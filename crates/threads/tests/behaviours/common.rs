//! What several tests share.

use std::sync::mpsc;
use std::time::Duration;

/// Long enough for the slowest machine: reached only by a hang.
pub const LONG: Duration = Duration::from_secs(60);
/// A time limit that is meant to run out.
pub const SHORT: Duration = Duration::from_millis(20);

/// Runs a test's body and fails if it hangs.
pub fn within_limit(body: impl FnOnce() + Send + 'static) {
    let (done, finished) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        body();
        // The receiver is gone only if the limit has passed.
        let _ = done.send(());
    });
    match finished.recv_timeout(LONG) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("the test hangs"),
        _ => thread.join().expect("the test's body"),
    }
}

/// Yields until `condition` holds; the test's time limit ends it otherwise.
#[allow(dead_code, reason = "not every test binary waits so")]
pub fn until(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}
