//! Serving an app as a program's whole work.

use std::{
    fmt,
    io::{self, Write},
    time::Duration,
};

use tokio::net::ToSocketAddrs;

use super::{app::App, listener::Listener, server::Server};
use crate::{
    per_core::{Core, run_per_core},
    runner::run,
    signal::{ShutdownSignal, shutdown_signal},
    stream::SharedListener,
};

/// How long requests may take to finish once a signal has come.
const GRACE: Duration = Duration::from_secs(30);

/// Runs a loop that serves `app` on `address` until SIGINT (ctrl-c) or SIGTERM comes.
///
/// Prints "Server started at http://ADDRESS..." once it accepts. When the signal has come it listens no more, gives
/// requests 30 s to finish, and returns; so a `main` that returns this ends with status 0. A second signal ends the
/// wait. Sockets that systemd hands over (`LISTEN_FDS`) take the place of `address`.
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
        let mut listeners = Listener::inherited()?;
        if listeners.is_empty() {
            listeners.push(Listener::tcp(address).await?);
        }
        serve_until_signal(app, listeners, GRACE).await
    })?
}

/// Serves `app` on all `listeners` until SIGINT or SIGTERM comes, gives requests `grace` to finish, and returns: what
/// [`run_app`] does, for a loop that is there already, and for Unix sockets and several addresses.
///
/// # Errors
///
/// As [`Server::start`].
///
/// ```no_run
/// use std::time::Duration;
/// use aio::http::{App, Listener, Request, serve_until_signal};
///
/// aio::run(async {
///     let listeners = [Listener::tcp("127.0.0.1:8000").await?, Listener::unix("/run/app.sock").await?];
///     let app = App::new().get("/", async |_: Request| "hello");
///     serve_until_signal(app, listeners, Duration::from_secs(10)).await
/// })??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn serve_until_signal(
    app: App,
    listeners: impl IntoIterator<Item = Listener>,
    grace: Duration,
) -> io::Result<()> {
    let asked_to_stop = shutdown_signal()?;
    let listeners: Vec<Listener> = listeners.into_iter().collect();
    let places: Vec<String> = listeners.iter().map(Listener::to_string).collect();
    let server = Server::start(app, listeners).await?;
    announce(&places);
    end(&server, asked_to_stop, grace).await
}

/// Runs a loop on each CPU, which serve what `app` makes, all on one address, until SIGINT or SIGTERM comes: as
/// [`run_app`] does on one loop. A new connection goes to the loop that has the fewest.
///
/// Each loop has an app of its own, made on its thread: the loops share only what `app` borrows, such as an `Arc`.
/// Limits of number hold for each loop. One TCP socket that systemd hands over takes the place of `address`.
///
/// # Errors
///
/// As [`run_app`], and when any of the loops fails: then all of them end.
///
/// ```no_run
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use aio::http::{App, Request, run_app_per_core};
///
/// static HITS: AtomicU64 = AtomicU64::new(0);
///
/// fn main() -> std::io::Result<()> {
///     run_app_per_core(|| {
///         App::new().get("/", async |_: Request| format!("{}\n", 1 + HITS.fetch_add(1, Ordering::Relaxed)))
///     }, "127.0.0.1:8000")
/// }
/// ```
pub fn run_app_per_core<F, A>(app: F, address: A) -> io::Result<()>
where
    F: Fn() -> App + Sync,
    A: std::net::ToSocketAddrs + fmt::Debug,
{
    let shared = match Listener::inherited_to_share()? {
        Some(inherited) => inherited,
        None => SharedListener::bind(address)?,
    };
    let served = run_per_core(async |core: Core| {
        let asked_to_stop = shutdown_signal()?;
        let server = Server::start(app(), [Listener::shared(&shared)?]).await?;
        if core.index() == 0 {
            announce(&[format!("http://{}", shared.local_addr())]);
        }
        end(&server, asked_to_stop, GRACE).await
    });
    served.map(drop).map_err(io::Error::other)
}

/// Closes the server once the signal has come; at once when another comes.
async fn end(server: &Server, asked_to_stop: ShutdownSignal, grace: Duration) -> io::Result<()> {
    asked_to_stop.await;
    let at_once = shutdown_signal()?;
    let hurried = async {
        at_once.await;
        server.close(Duration::ZERO).await;
    };
    // Whichever ends first: the second closes what the first still waits for.
    let (mut patient, mut hurried) = (std::pin::pin!(server.close(grace)), std::pin::pin!(hurried));
    std::future::poll_fn(|cx| {
        let hurried = hurried.as_mut().poll(cx);
        patient
            .as_mut()
            .poll(cx)
            .is_ready()
            .then_some(())
            .map_or(hurried, std::task::Poll::Ready)
    })
    .await;
    Ok(())
}

fn announce(places: &[String]) {
    let mut out = io::stdout();
    // A closed standard output is no reason not to serve.
    let _ = writeln!(out, "Server started at {}...", places.join(", "));
    let _ = out.flush();
}
