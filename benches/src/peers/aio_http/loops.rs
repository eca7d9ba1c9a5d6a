//! Two loops on two processors: how long a request takes when both are busy.

use std::thread;
use std::time::Instant;

use super::exchange::Exchange;
use super::load::{CONNECTIONS, Load};
use super::page::Folder;
use super::{axum, ours, site};
use crate::peers::server::Server;
use crate::peers::{Contest, Row, Target};

const REQUESTS: usize = 25_600;
/// Threads of the load: one would be too slow for two loops where there are processors for all.
const THREADS: usize = 2;

/// The row of requests per second, as nanoseconds of the wall's clock for each request.
pub fn rows(rounds: usize, folder: &Folder) -> Vec<Row> {
    let ours = site::start(ours::two_loops, folder);
    let axum = site::start(axum::two_threads, folder);
    Contest::new("aio", "GET, two loops, time per request")
        .entrant("ours", || wall_ns(&ours))
        .entrant("axum, two threads", || wall_ns(&axum))
        // 1.15 times as many in a second.
        .goal("ours", &["axum, two threads"], Target::Ratio(1.0 / 1.15))
        .run(rounds)
}

/// Nanoseconds for each request, with all connections busy.
fn wall_ns(server: &Server) -> f64 {
    let exchange = Exchange::hello();
    let open = |()| Load::open(server.address, &exchange, CONNECTIONS / THREADS);
    let loads = [(); THREADS]
        .map(open)
        .map(|load| load.expect("it listens"));
    thread::scope(|scope| {
        let start = Instant::now();
        let run = |mut load: Load| scope.spawn(move || load.run(REQUESTS / CONNECTIONS));
        let running = loads.map(run);
        let requests = running.map(|load| load.join().expect("an end").expect("answers"));
        let requests: usize = requests.into_iter().sum();
        start.elapsed().as_nanos() as f64 / requests as f64
    })
}
