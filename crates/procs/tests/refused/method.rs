//! A task with a receiver.

struct Counter(u32);

impl Counter {
    #[procs::task]
    fn next(self) -> u32 {
        self.0
    }
}

fn main() {}
