//! What cannot be a task is refused by the compiler, with a sentence that says what to do.
//!
//! The sentences are in `tests/refused/*.stderr`; `TRYBUILD=overwrite cargo test` writes them anew.

#[test]
fn wrong_tasks_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/refused/*.rs");
}
