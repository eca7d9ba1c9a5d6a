//! Every interleaving of the journal, the notifier and the choice of a pool's driver, explored by loom.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p procs --release --test loom`
//!
//! The files under test are those of the crate, compiled here once more. What they stand on is in `sys`, with loom's types;
//! what uses them is in `pool` and in the models. Loom treats sequentially consistent accesses as acquire and release, so a
//! model that passes does not depend on more.
#![cfg(loom)]
// The files have more functions than the models call.
#![allow(dead_code)]

mod error;
mod host;
mod pool;
mod process;
mod sys;
mod wire;

mod driver_model;
mod journal_model;
mod notifier_model;

/// Explores with at most `preemptions` forced switches of threads.
fn explore(preemptions: usize, f: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(f);
}
