//! What a request costs a server on one thread: small, pipelined, with a body each way, a file.

use super::case::Case;
use super::load::cpu_ns;
use super::page::Folder;
use super::{actix, axum, hyper, nginx, ours, site};
use crate::peers::server::Server;
use crate::peers::{Contest, Row, Target, python};

/// All that take part, ready to answer.
struct Servers {
    ours: Server,
    hyper: Server,
    axum: Server,
    axum_default: Server,
    actix: Server,
    nginx: Option<Server>,
    aiohttp: Option<Server>,
    aiohttp_on_uvloop: Option<Server>,
}

impl Servers {
    fn start(folder: &Folder) -> Self {
        Self {
            ours: site::start(ours::one_loop, folder),
            hyper: site::start(hyper::one_thread, folder),
            axum: site::start(axum::one_thread, folder),
            axum_default: site::start(axum::by_default, folder),
            actix: site::start(actix::one_worker, folder),
            nginx: nginx::start(folder),
            aiohttp: aiohttp(&[]),
            aiohttp_on_uvloop: aiohttp(&["uvloop"]),
        }
    }

    /// Ours, hyper and axum, which answer everything.
    fn contest<'a>(&'a self, case: &'a Case) -> Contest<'a> {
        let contest = Contest::new("aio", case.name);
        let contest = enter(contest, "ours", Some(&self.ours), case);
        let contest = enter(contest, "hyper alone", Some(&self.hyper), case);
        enter(contest, "axum, one thread", Some(&self.axum), case)
    }
}

/// On asyncio's loop, or on another module's.
fn aiohttp(on: &[&str]) -> Option<Server> {
    let mut wanted = ["aiohttp"].iter().chain(on);
    if let Some(missing) = wanted.find(|name| !python::has(name)) {
        eprintln!("Python cannot import {missing} here: its rows are left out");
        return None;
    }
    Server::python("aio_http.py", &[&["server"], on].concat())
}

/// Enters one that may not be here.
fn enter<'a>(
    contest: Contest<'a>,
    name: &'static str,
    server: Option<&'a Server>,
    case: &'a Case,
) -> Contest<'a> {
    match server {
        Some(server) => {
            contest.entrant(name, move || cpu_ns(server, &case.exchange, case.requests))
        }
        None => contest,
    }
}

/// The rows of requests and answers.
pub fn rows(rounds: usize, folder: &Folder) -> Vec<Row> {
    let servers = Servers::start(folder);
    let mut rows = small(rounds, &servers);
    rows.extend(pipelined(rounds, &servers));
    rows.extend(bodies(rounds, &servers));
    rows.extend(files(rounds, &servers));
    rows
}

fn small(rounds: usize, servers: &Servers) -> Vec<Row> {
    let case = Case::get();
    let mut contest = servers.contest(&case);
    let others = [
        ("axum by default", Some(&servers.axum_default)),
        ("actix, one worker", Some(&servers.actix)),
        ("nginx", servers.nginx.as_ref()),
        ("aiohttp", servers.aiohttp.as_ref()),
        ("aiohttp on uvloop", servers.aiohttp_on_uvloop.as_ref()),
    ];
    for (name, server) in others {
        contest = enter(contest, name, server, &case);
    }
    contest
        .goal("ours", &["hyper alone"], Target::Ratio(1.03))
        .goal("ours", &["axum by default"], Target::Ratio(0.85))
        .goal("ours", &["axum, one thread"], Target::Ratio(0.97))
        .goal("ours", &["actix, one worker"], Target::Ratio(1.02))
        .goal("ours", &["nginx"], Target::Ratio(0.97))
        .goal("ours", &["aiohttp"], Target::Ratio(0.25))
        .goal("ours", &["aiohttp on uvloop"], Target::None)
        .run(rounds)
}

fn pipelined(rounds: usize, servers: &Servers) -> Vec<Row> {
    let case = Case::pipelined();
    enter(
        servers.contest(&case),
        "nginx",
        servers.nginx.as_ref(),
        &case,
    )
    .goal("ours", &["hyper alone"], Target::None)
    .goal("ours", &["axum, one thread"], Target::Ratio(0.4))
    .goal("ours", &["nginx"], Target::Ratio(0.2))
    .run(rounds)
}

/// JSON that goes out, and bytes that come in and go out.
fn bodies(rounds: usize, servers: &Servers) -> Vec<Row> {
    let run = |case: &Case| {
        servers
            .contest(case)
            .goal("ours", &["hyper alone"], Target::None)
            .goal("ours", &["axum, one thread"], Target::Ratio(0.95))
            .run(rounds)
    };
    [Case::json(), Case::echo()].iter().flat_map(run).collect()
}

fn files(rounds: usize, servers: &Servers) -> Vec<Row> {
    let case = Case::file();
    let contest = Contest::new("aio", case.name);
    let contest = enter(contest, "ours", Some(&servers.ours), &case);
    enter(contest, "axum with tower-http", Some(&servers.axum), &case)
        .goal("ours", &["axum with tower-http"], Target::Ratio(0.95))
        .run(rounds)
}
