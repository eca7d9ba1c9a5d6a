//! TCP echo servers under the same load: the processor time of the server's process, for each message.

use super::client::Client;
use super::servers;
use crate::peers::server::Server;
use crate::peers::{Contest, Row, Target};

const MESSAGES: usize = 20_000;

/// A server with its connections, and what it took per message.
struct Loaded {
    server: Server,
    client: Client,
}

impl Loaded {
    fn new(server: Server) -> Self {
        let client = Client::connect(server.address);
        let mut loaded = Self {
            client: client.expect("it listens"),
            server,
        };
        // The first messages pay for memory and for paths that nothing has gone before.
        loaded.turn();
        loaded
    }

    fn turn(&mut self) -> f64 {
        let before = self.server.cpu_ns();
        let messages = self.client.exchange(MESSAGES).expect("an echo");
        (self.server.cpu_ns() - before) as f64 / messages as f64
    }
}

fn python(arguments: &[&str], wanted: bool) -> Option<Loaded> {
    wanted
        .then(|| Server::python("echo.py", arguments))?
        .map(Loaded::new)
}

/// Rows for our streams and our protocols: 64 bytes on each of 50 connections.
pub fn rows(rounds: usize, with_uvloop: bool) -> Vec<Row> {
    let mut epoll = Loaded::new(Server::start(servers::bare_epoll));
    let mut tokio = Loaded::new(Server::start(servers::on_tokio));
    let mut streams = Loaded::new(Server::start(servers::our_streams));
    let mut protocol = Loaded::new(Server::start(servers::our_protocol));
    let mut contest = Contest::new("aio", "TCP echo, server CPU a message")
        .entrant("bare epoll", || epoll.turn())
        .entrant("hand-written tokio", || tokio.turn())
        .entrant("by streams", || streams.turn())
        .entrant("by a protocol", || protocol.turn());
    let pythons = [
        ("asyncio streams", python(&["streams"], true)),
        ("asyncio protocol", python(&["protocol"], true)),
        (
            "uvloop streams",
            python(&["streams", "uvloop"], with_uvloop),
        ),
        (
            "uvloop protocol",
            python(&["protocol", "uvloop"], with_uvloop),
        ),
    ];
    for (name, loaded) in pythons {
        if let Some(mut loaded) = loaded {
            contest = contest.entrant(name, move || loaded.turn());
        }
    }
    contest
        .goal("by a protocol", &["bare epoll"], Target::Ratio(1.05))
        .goal("by streams", &["hand-written tokio"], Target::Ratio(1.08))
        .goal("by streams", &["uvloop streams"], Target::Ratio(0.65))
        .goal("by streams", &["asyncio streams"], Target::Ratio(0.25))
        .goal("by a protocol", &["uvloop protocol"], Target::None)
        .goal("by a protocol", &["asyncio protocol"], Target::None)
        .run(rounds)
}
