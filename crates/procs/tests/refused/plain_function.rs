//! A function that is no task.

fn double(n: u32) -> u32 {
    2 * n
}

fn main() {
    procs::init();
    let _ = procs::spawn(double, 1);
}
