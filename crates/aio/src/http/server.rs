//! Serving an app.

use std::{fmt, io, net::SocketAddr, rc::Rc, time::Duration};

use tokio::net::ToSocketAddrs;

use super::{
    app::App,
    connection::{self, Course},
    io::scratch,
};
use crate::{
    combine::wait_for,
    stream::{self, bind},
};

/// An app that is served on an address.
///
/// Dropping it stops the listening; requests that are being answered are answered.
///
/// An example is at the [module](super).
#[must_use = "dropping a server stops it listening"]
pub struct Server {
    inner: stream::Server,
    course: Rc<Course>,
}

impl Server {
    /// Listens on `address` and serves `app`. Port 0 picks a free port, which [`local_addr`](Server::local_addr) tells.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound: the text names it and says what to do. When a pattern of the app is wrong: the
    /// error wraps the [`RouteError`](super::RouteError). Outside a loop: it wraps
    /// [`NoRunningLoop`](crate::NoRunningLoop).
    pub async fn bind<A>(app: App, address: A) -> io::Result<Self>
    where
        A: ToSocketAddrs + fmt::Debug,
    {
        app.check()?;
        let listener = bind(address).await?;
        let (app, scratch, course) = (Rc::new(app), scratch(), Rc::new(Course::default()));
        let connections = app.limit().connections;
        let told = course.clone();
        let serve =
            move |stream| connection::serve(stream, app.clone(), scratch.clone(), told.clone());
        Ok(Server {
            inner: stream::Server::start(listener, connections, serve)?,
            course,
        })
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.inner.local_addr()
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.inner.connections()
    }

    /// Waits until the server is closed by [`close`](Server::close) from another task: it listens in any case.
    pub async fn serve_forever(&self) {
        self.inner.serve_forever().await;
    }

    /// Listens no more, closes idle connections, answers what has been asked until `deadline` has passed, and cancels
    /// what is left. Always ends; nothing is left of the server then.
    pub async fn close(&self, deadline: Duration) {
        self.course.closing.set(true);
        self.inner.wake_clients();
        // The connections need a turn of the loop to close, also with a deadline of zero.
        let patience = deadline.max(Duration::from_millis(1));
        if wait_for(self.inner.drained(), patience).await.is_err() {
            self.course.aborting.set(true);
        }
        self.inner.close(Duration::ZERO).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.course.closing.set(true);
        self.inner.wake_clients();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("local_addr", &self.local_addr())
            .field("connections", &self.connections())
            .finish()
    }
}
