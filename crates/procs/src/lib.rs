//! Python's multiprocessing for Rust: processes and pools that never hang and never lose a task.
