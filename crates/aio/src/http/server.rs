//! Serving an app.

use std::{fmt, io, net::SocketAddr, rc::Rc, time::Duration};

use nix::sys::resource::{Resource, getrlimit};
use tokio::net::ToSocketAddrs;

use super::{
    app::App,
    clients::Clients,
    connection::{Course, Service},
    io::Spare,
    listener::Listener,
    site::Site,
};
use crate::{
    combine::wait_for,
    current,
    sleep::yield_now,
    task::{self, Task},
};

/// An app that is served.
///
/// Dropping it stops the listening; requests that are being answered are answered, and what the app's startup hooks have
/// set up is cleaned up then.
///
/// An example is at the [module](super).
#[must_use = "dropping a server stops it listening"]
pub struct Server {
    service: Rc<Service>,
    clients: Rc<Clients>,
    accepting: Vec<Task<()>>,
    local: Option<SocketAddr>,
}

impl Server {
    /// Listens on `address` and serves `app`. Port 0 picks a free port, which [`local_addr`](Server::local_addr) tells.
    ///
    /// # Errors
    ///
    /// As [`Listener::tcp`] and [`start`](Server::start).
    pub async fn bind<A>(app: App, address: A) -> io::Result<Self>
    where
        A: ToSocketAddrs + fmt::Debug,
    {
        app.check()?;
        let listener = Listener::tcp(address).await?;
        Server::start(app, [listener]).await
    }

    /// Runs the app's startup hooks, then serves it on all `listeners`.
    ///
    /// # Errors
    ///
    /// When a pattern of the app is wrong: the error wraps the [`RouteError`](super::RouteError). When a startup hook
    /// fails: it carries the hook's text. Outside a loop: it wraps [`NoRunningLoop`](crate::NoRunningLoop).
    ///
    /// ```
    /// use aio::http::{App, Listener, Request, Server};
    ///
    /// aio::run(async {
    ///     let app = App::new().get("/", async |_: Request| "hello");
    ///     let listeners = [Listener::tcp("127.0.0.1:0").await?, Listener::tcp("127.0.0.1:0").await?];
    ///     let server = Server::start(app, listeners).await?;
    ///     server.close(std::time::Duration::ZERO).await;
    ///     Ok::<(), std::io::Error>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn start(
        app: App,
        listeners: impl IntoIterator<Item = Listener>,
    ) -> io::Result<Self> {
        let engine = current::engine()?;
        let site = Site::new(&app)?;
        site.start().await.map_err(io::Error::other)?;
        let most = site.limits.connections.min(affordable());
        let clients = Clients::new(engine.clone());
        let service = Rc::new(Service {
            site,
            course: Rc::new(Course::default()),
            spare: Spare::default(),
        });
        let mut server = Server {
            service,
            clients,
            accepting: Vec::new(),
            local: None,
        };
        for listener in listeners {
            server.local = server.local.or(listener.local_addr());
            let accept = server.clients.clone();
            let accept = accept.accept(listener, server.service.clone(), most);
            let accepting = task::spawn(&engine, accept);
            accepting.set_name("server");
            server.accepting.push(accepting);
        }
        Ok(server)
    }

    /// The first TCP address that it listens on; of port 0 when it listens on none.
    pub fn local_addr(&self) -> SocketAddr {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        self.local.unwrap_or(nowhere)
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.clients.len()
    }

    /// How many requests are being handled.
    pub fn requests(&self) -> usize {
        self.service.site.handling.get()
    }

    /// Waits until the server is closed by [`close`](Server::close) from another task: it listens in any case.
    pub async fn serve_forever(&self) {
        self.clients.until_closed().await;
    }

    /// Listens no more, closes idle connections, answers what has been asked until `deadline` has passed, and cancels
    /// what is left. WebSockets are told that the server goes away. Then runs the app's clean-ups. Always ends, if the
    /// clean-ups do; nothing is left of the server then.
    pub async fn close(&self, deadline: Duration) {
        self.stop();
        // The sockets are closed when the accepting tasks are gone, in the loop's next iteration.
        while self.accepting.iter().any(|accepting| !accepting.is_done()) {
            yield_now().await;
        }
        // The connections need a turn of the loop to close, also with a deadline of zero.
        let patience = deadline.max(Duration::from_millis(1));
        if wait_for(self.clients.drained(), patience).await.is_err() {
            self.service.course.aborting.set(true);
            self.clients.abort();
            self.clients.drained().await;
        }
        self.service.site.cleanups.run().await;
    }

    fn stop(&self) {
        self.service.course.closing.set(true);
        for accepting in &self.accepting {
            accepting.abort();
        }
        self.clients.close();
        self.clients.wake();
    }
}

/// Connections that the process has descriptors for, with a fifth of them left for files.
fn affordable() -> usize {
    // Without a limit it is the largest number.
    getrlimit(Resource::RLIMIT_NOFILE).map_or(usize::MAX, |(descriptors, _)| {
        usize::try_from(descriptors / 5 * 4)
            .unwrap_or(usize::MAX)
            .max(1)
    })
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        for accepting in self.accepting.drain(..) {
            accepting.detach();
        }
        let (service, clients) = (self.service.clone(), self.clients.clone());
        if service.site.cleanups.is_empty() {
            return;
        }
        if let Ok(engine) = current::engine() {
            let cleaning = async move {
                clients.drained().await;
                service.site.cleanups.run().await;
            };
            task::spawn(&engine, cleaning).detach();
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("local_addr", &self.local)
            .field("connections", &self.connections())
            .finish()
    }
}
