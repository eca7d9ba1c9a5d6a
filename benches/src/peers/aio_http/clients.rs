//! What a request costs a client that makes one after the other in one session.

use nix::time::{ClockId, clock_gettime};

use super::page::{self, Folder};
use super::{hyper, site};
use crate::peers::original::Original;
use crate::peers::{Contest, Row, Target, python};

const REQUESTS: usize = 4_000;
/// What is not counted: it opens the connection.
const WARM_UP: usize = 100;

/// The rows of the client's processor time, asking hyper's server. Everything on one thread; what other threads of the
/// process would do is counted as well.
pub fn rows(rounds: usize, folder: &Folder) -> Vec<Row> {
    let server = site::start(hyper::one_thread, folder);
    let address = server.address.to_string();
    let url = format!("http://{address}/hello/world");
    let aiohttp = if python::has("aiohttp") {
        Original::start("aio_http.py", &["client", &address])
    } else {
        Original::missing()
    };
    let contest = Contest::new("aio", "client GET, one session, its CPU")
        .entrant("ours", || ours(&url))
        .entrant("reqwest", || reqwest(&url));
    aiohttp
        .enter(contest, "aiohttp", "4000")
        .goal("ours", &["reqwest"], Target::Ratio(1.05))
        .goal("ours", &["aiohttp"], Target::Ratio(0.2))
        .run(rounds)
}

/// Nanoseconds of processor time for each of `REQUESTS`, once the session is warm.
async fn timed(get: impl AsyncFn() -> Vec<u8>) -> f64 {
    let page = page::hello("world").into_bytes();
    for _ in 0..WARM_UP {
        assert!(get().await == page, "another page");
    }
    let before = cpu_ns();
    for _ in 0..REQUESTS {
        assert!(get().await == page, "another page");
    }
    (cpu_ns() - before) as f64 / REQUESTS as f64
}

/// Of this process.
fn cpu_ns() -> i64 {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("a known clock");
    time.tv_sec() * 1_000_000_000 + time.tv_nsec()
}

/// With every limit on, as it is by default.
fn ours(url: &str) -> f64 {
    let timed = aio::run(async {
        let session = aio::http::ClientSession::new().expect("a session");
        let get = async || {
            let response = session.get(url).send().await.expect("an answer");
            response.bytes().await.expect("a body").to_vec()
        };
        timed(get).await
    });
    timed.expect("a loop")
}

/// As it is by default, without any limit.
fn reqwest(url: &str) -> f64 {
    let mut timed_ns = 0.0;
    super::on_one_thread(async {
        // It wants a provider of TLS to have been chosen, which the first session of ours has done.
        let client = reqwest::Client::new();
        let get = async || {
            let response = client.get(url).send().await.expect("an answer");
            response.bytes().await.expect("a body").to_vec()
        };
        timed_ns = timed(get).await;
    });
    timed_ns
}
