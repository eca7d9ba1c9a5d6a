//! Serving an app as a program's whole work.

use std::{
    fmt,
    io::{self, Write},
    time::Duration,
};

use tokio::net::ToSocketAddrs;

use super::{app::App, server::Server};
use crate::{runner::run, signal::shutdown_signal};

/// How long requests may take to finish once a signal has come.
const GRACE: Duration = Duration::from_secs(10);

/// Runs a loop that serves `app` on `address` until SIGINT (ctrl-c) or SIGTERM comes.
///
/// Prints "Server started at http://ADDRESS..." once it accepts. When the signal has come it listens no more, gives
/// requests 10 s to finish, and returns; so a `main` that returns this ends with status 0.
///
/// # Errors
///
/// As [`Server::bind`]; within a loop an error that says so: there, use [`Server`].
///
/// ```no_run
/// use aio::http::{App, Request, run_app};
///
/// fn main() -> std::io::Result<()> {
///     run_app(App::new().get("/", async |_: Request| "hello"), "127.0.0.1:8000")
/// }
/// ```
pub fn run_app<A>(app: App, address: A) -> io::Result<()>
where
    A: ToSocketAddrs + fmt::Debug,
{
    run(async {
        let asked_to_stop = shutdown_signal()?;
        let server = Server::bind(app, address).await?;
        announce(&server);
        asked_to_stop.await;
        server.close(GRACE).await;
        Ok(())
    })?
}

fn announce(server: &Server) {
    let mut out = io::stdout();
    // A closed standard output is no reason not to serve.
    let _ = writeln!(out, "Server started at http://{}...", server.local_addr());
    let _ = out.flush();
}
