//! Python's threading, queue and futures for Rust: time limits everywhere, at the speed of the best queue.
