//! Python's generator protocol for stable Rust: typed, without heap, as fast as a hand-written loop.
