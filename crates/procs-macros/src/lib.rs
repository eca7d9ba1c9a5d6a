//! The #[procs::task] and #[procs::main] attributes of the procs crate.
