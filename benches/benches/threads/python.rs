//! The originals, if `python3` is there.

use std::process::Command;

const QUEUE: &str = "
import sys, threading, time
from queue import Queue
size, pairs, each = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
q = Queue(size)
def put():
    for n in range(each): q.put(n)
def get():
    for n in range(each): q.get()
threads = [threading.Thread(target=f) for f in (put, get) for _ in range(pairs)]
start = time.perf_counter()
for t in threads: t.start()
for t in threads: t.join()
print((time.perf_counter() - start) * 1e9 / (each * pairs))
";

const EXECUTOR: &str = "
import sys, time
from concurrent.futures import ThreadPoolExecutor
n = int(sys.argv[1])
with ThreadPoolExecutor(2) as pool:
    start = time.perf_counter()
    for i in range(n): pool.submit(int, i).result()
    print((time.perf_counter() - start) * 1e9 / n)
";

/// Runs a script that prints one number.
fn run(script: &str, arguments: &[usize]) -> Option<f64> {
    let arguments = arguments.iter().map(usize::to_string);
    let output = Command::new("python3")
        .arg("-c")
        .arg(script)
        .args(arguments)
        .output();
    String::from_utf8(output.ok()?.stdout)
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// Nanoseconds per message of `queue.Queue(size)`.
pub fn queue(size: usize, pairs: usize) -> Option<f64> {
    let each = if size == 1 { 5_000 } else { 50_000 };
    run(QUEUE, &[size, pairs, each / pairs])
}

/// Nanoseconds per `submit().result()` of a `ThreadPoolExecutor`.
pub fn executor() -> Option<f64> {
    run(EXECUTOR, &[5_000])
}
