//! Misuse that the compiler can see does not compile, and its message names the place.
//!
//! The expected messages are those of the toolchain that the workspace names; they are compared word for word.

#[test]
fn misuse_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
