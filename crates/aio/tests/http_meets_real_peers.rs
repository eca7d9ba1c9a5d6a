//! Our server before real clients, our client before real servers: curl, nginx, and Python's aiohttp and websockets.
//!
//! A peer that is not installed is not met, and its cases are said to be ignored; the gate names in `AIO_PEERS_REQUIRED`
//! (`curl,nginx,aiohttp,websockets`) those that must be met. `AIO_PYTHON` is the Python that has the packages.

mod peers;

use std::{env, error::Error, process::ExitCode, time::Duration};

use peers::Peer;

type Outcome = Result<(), Box<dyn Error>>;

/// A name, whom it meets, and what it does with them.
type Case = (&'static str, Peer, fn() -> Outcome);

const CASES: [Case; 12] = [
    (
        "curl_speaks_http1_with_our_server",
        Peer::Curl,
        peers::curl::http1,
    ),
    (
        "curl_speaks_http2_with_our_server",
        Peer::Curl,
        peers::curl::http2,
    ),
    (
        "curl_agrees_on_a_version_over_tls",
        Peer::Curl,
        peers::curl::tls,
    ),
    (
        "curl_uploads_to_our_server",
        Peer::Curl,
        peers::curl::uploads,
    ),
    ("aiohttp_asks_our_server", Peer::Aiohttp, || {
        peers::python::asks("aiohttp")
    }),
    ("websockets_asks_our_server", Peer::Websockets, || {
        peers::python::asks("websockets")
    }),
    (
        "our_client_asks_aiohttp",
        Peer::Aiohttp,
        peers::python::is_asked,
    ),
    ("our_websocket_speaks_with_aiohttp", Peer::Aiohttp, || {
        peers::python::echoes("aiohttp")
    }),
    (
        "our_websocket_speaks_with_websockets",
        Peer::Websockets,
        || peers::python::echoes("websockets"),
    ),
    (
        "our_client_asks_nginx_for_files",
        Peer::Nginx,
        peers::nginx::files,
    ),
    (
        "our_client_keeps_nginxs_connections",
        Peer::Nginx,
        peers::nginx::keep_alive,
    ),
    (
        "our_client_speaks_http2_with_nginx_over_tls",
        Peer::Nginx,
        peers::nginx::tls,
    ),
];

/// Runs the test on a loop, and gives it up when it hangs.
fn on_loop(test: impl AsyncFnOnce() -> Outcome) -> Outcome {
    aio::run(aio::wait_for(test(), Duration::from_secs(60)))??
}

/// Not libtest's, which would count a case whose peer is missing as passed.
fn main() -> ExitCode {
    let filter = env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let required = env::var("AIO_PEERS_REQUIRED").unwrap_or_default();
    let chosen = CASES
        .into_iter()
        .filter(|(name, ..)| filter.as_ref().is_none_or(|filter| name.contains(filter)));
    let (mut passed, mut failed, mut ignored) = (0, 0, 0);
    for (name, peer, case) in chosen {
        let must = required.split(',').any(|name| name == peer.name());
        match peer.is_there() {
            true => {
                match std::panic::catch_unwind(case).unwrap_or_else(|_| Err("it panicked".into())) {
                    Ok(()) => {
                        passed += 1;
                        println!("test {name} ... ok");
                    }
                    Err(error) => {
                        failed += 1;
                        println!("test {name} ... FAILED: {error}");
                    }
                }
            }
            false if must => {
                failed += 1;
                println!("test {name} ... FAILED: {} is not installed", peer.name());
            }
            false => {
                ignored += 1;
                println!(
                    "test {name} ... ignored, NOT MET: {} is not installed",
                    peer.name()
                );
            }
        }
    }
    let result = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {result}. {passed} passed; {failed} failed; {ignored} ignored");
    ExitCode::from(u8::from(failed > 0))
}
