//! What happens to a request, told as it happens.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use ::http::{HeaderMap, Method, StatusCode};

use super::session::Shared;
use crate::{
    clock,
    error::{ClientError, ClientPhase, bare_url},
};

/// What [`SessionBuilder::trace`](super::SessionBuilder::trace) was given.
pub(super) type Hook = Rc<dyn Fn(&TracedRequest, &mut TraceEvent<'_>)>;

/// The request that a [`TraceEvent`] is of.
#[derive(Debug, Clone)]
pub struct TracedRequest {
    id: u64,
    method: Method,
    url: String,
    begun: Instant,
    status: Option<StatusCode>,
}

impl TracedRequest {
    /// Counts a session's requests, from 1: what belongs to one request can be kept under it.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The method; a redirect may turn `POST` into `GET`.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The URL that is asked now, without user, password and query.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The status, once it is known.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// How long ago the request began.
    pub fn elapsed(&self) -> Duration {
        clock::now().saturating_duration_since(self.begun)
    }
}

/// What happens to a request.
///
/// The first is `Started`, the last is one of `Ended`, `Failed` and `Cancelled`: each request has exactly one of those,
/// so that a count of requests under way is right.
#[derive(Debug)]
#[non_exhaustive]
pub enum TraceEvent<'a> {
    /// It begins.
    Started {
        /// What is sent along; a header that is added here is sent, too.
        headers: &'a mut HeaderMap,
    },
    /// It waits for others to end, as there are limits to how many are under way at once.
    Queued,
    /// No idle connection was there: a new one is being made. It may come to pass that the request goes out on another,
    /// which has become free meanwhile.
    Connecting,
    /// The new connection stands, its TLS included.
    Connected,
    /// A redirect is followed; [`TracedRequest::url`] is still the one that answered.
    Redirected {
        /// Where to.
        to: &'a str,
    },
    /// The connection broke before any answer, and the request is sent once more.
    Repeated {
        /// What broke.
        error: &'a ClientError,
    },
    /// The head of the response has come.
    Answered {
        /// Its headers.
        headers: &'a HeaderMap,
        /// Whether it went over a connection that was open before.
        reused: bool,
    },
    /// A piece of the body has come.
    Received {
        /// Its length, decompressed.
        bytes: usize,
    },
    /// The response was read to its end, or dropped.
    Ended {
        /// How much of the body was read, in bytes.
        received: u64,
    },
    /// It failed.
    Failed {
        /// Why.
        error: &'a ClientError,
    },
    /// It was dropped before its answer came.
    Cancelled,
}

/// The way of one request.
pub(super) struct Trail {
    connecting: Cell<bool>,
    connected: Cell<bool>,
    answered: Cell<bool>,
    ended: Cell<bool>,
    received: Cell<u64>,
    watched: Option<Watched>,
}

struct Watched {
    hooks: Rc<[Hook]>,
    logged: bool,
    request: RefCell<TracedRequest>,
}

impl Trail {
    /// Begins, and lets the hooks add to the headers.
    pub(super) fn begin(
        shared: &Shared,
        method: &Method,
        url: &str,
        headers: &mut HeaderMap,
    ) -> Rc<Self> {
        let logged = super::log::is_on();
        let is_watched = logged || !shared.hooks.is_empty();
        let watched = is_watched.then(|| Watched {
            hooks: shared.hooks.clone(),
            logged,
            request: RefCell::new(TracedRequest {
                id: shared.next_id(),
                method: method.clone(),
                url: bare_url(url),
                begun: clock::now(),
                status: None,
            }),
        });
        let trail = Rc::new(Trail {
            connecting: Cell::new(false),
            connected: Cell::new(false),
            answered: Cell::new(false),
            ended: Cell::new(false),
            received: Cell::new(0),
            watched,
        });
        trail.tell(TraceEvent::Started { headers });
        trail
    }

    /// How far it has come, if the head has not.
    pub(super) fn phase(&self) -> ClientPhase {
        match self.connecting.get() {
            true => ClientPhase::Connect,
            false => ClientPhase::Head,
        }
    }

    pub(super) fn queued(&self) {
        self.tell(TraceEvent::Queued);
    }

    pub(super) fn connecting(&self) {
        self.connecting.set(true);
        self.tell(TraceEvent::Connecting);
    }

    pub(super) fn connected(&self, is_connected: bool) {
        self.connecting.set(false);
        if is_connected {
            self.connected.set(true);
            self.tell(TraceEvent::Connected);
        }
    }

    /// Another attempt begins, or another hop.
    pub(super) fn again(&self) {
        self.connecting.set(false);
        self.connected.set(false);
    }

    pub(super) fn redirected(&self, method: &Method, to: &str) {
        self.tell(TraceEvent::Redirected { to: &bare_url(to) });
        if let Some(watched) = &self.watched {
            let mut request = watched.request.borrow_mut();
            request.method = method.clone();
            request.url = bare_url(to);
            request.status = None;
        }
    }

    pub(super) fn repeated(&self, error: &ClientError) {
        self.tell(TraceEvent::Repeated { error });
    }

    /// The head of a response has come.
    pub(super) fn status(&self, status: StatusCode) {
        self.connecting.set(false);
        if let Some(watched) = &self.watched {
            watched.request.borrow_mut().status = Some(status);
        }
    }

    pub(super) fn answered(&self, headers: &HeaderMap) {
        self.answered.set(true);
        let reused = !self.connected.get();
        self.tell(TraceEvent::Answered { headers, reused });
    }

    pub(super) fn received(&self, bytes: usize) {
        self.received.set(self.received.get() + bytes as u64);
        self.tell(TraceEvent::Received { bytes });
    }

    pub(super) fn ended(&self) {
        let received = self.received.get();
        self.end(TraceEvent::Ended { received });
    }

    pub(super) fn failed(&self, error: &ClientError) {
        self.end(TraceEvent::Failed { error });
    }

    fn end(&self, event: TraceEvent<'_>) {
        if !self.ended.replace(true) {
            self.tell(event);
        }
    }

    fn tell(&self, mut event: TraceEvent<'_>) {
        let Some(watched) = &self.watched else { return };
        let request = watched.request.borrow();
        for hook in watched.hooks.iter() {
            hook(&request, &mut event);
        }
        if watched.logged {
            super::log::write(&request, &event);
        }
    }

    #[cfg(feature = "tracing")]
    pub(super) fn span(&self) -> tracing::Span {
        self.watched
            .as_ref()
            .map_or_else(tracing::Span::none, |watched| {
                super::log::span(&watched.request.borrow())
            })
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        match self.answered.get() {
            true => self.ended(),
            false => self.end(TraceEvent::Cancelled),
        }
    }
}
