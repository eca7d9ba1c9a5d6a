//! Our server answers what the criterion group `aio_http` and the rows of `compare peers` ask of it.

use std::time::Duration;

use benches::peers::aio_http::{Alone, Case};

procs::test_support!();

#[test]
fn every_case_is_answered_and_has_a_cost() {
    let server = Alone::start();
    for case in Case::all() {
        // A wrong body, length or status is a panic.
        let cost = server.cpu(&case, 64);
        assert!(cost > Duration::ZERO, "{} cost nothing", case.name);
    }
}
