//! Tasks that are associated functions.

struct Counter(u32);

impl Counter {
    #[procs::task]
    fn new(n: u32) -> Self {
        Self(n)
    }

    #[procs::task]
    fn twice(n: u32) -> u32 {
        Self(2 * n).0
    }
}

fn main() {}
