//! Arguments of another type than the task's.

#[procs::task]
fn double(n: u32) -> u32 {
    2 * n
}

fn main() {
    procs::init();
    let _ = procs::spawn(double, "one");
}
