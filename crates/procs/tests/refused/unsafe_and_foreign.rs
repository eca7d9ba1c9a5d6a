//! Tasks that are unsafe, or have a foreign calling convention.

#[procs::task]
unsafe fn careful(n: u32) -> u32 {
    n
}

#[procs::task]
extern "C" fn foreign(n: u32) -> u32 {
    n
}

fn main() {}
