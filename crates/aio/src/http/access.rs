//! The log of requests, and the span around each handler.

use std::{
    net::{IpAddr, SocketAddr},
    rc::Rc,
    time::Instant,
};

use ::http::{Method, Response, request::Parts};
use hyper::body::Body;
use tracing::{Instrument, Level, Span};

use super::{
    body::ResponseBody,
    forwarded::{Link, TrustedProxies},
    route::Handling,
};

/// What is logged of a request once its response has been sent, or its client is gone.
pub(crate) struct Access {
    begun: Instant,
    method: Method,
    path: String,
    peer: Option<SocketAddr>,
    /// As the proxies tell that are trusted.
    client: Option<IpAddr>,
    id: Option<Rc<str>>,
    status: Option<u16>,
    bytes: Option<u64>,
}

impl Access {
    /// None when nobody listens, which then costs next to nothing.
    pub(crate) fn begin(
        head: &Parts,
        link: Link,
        proxies: &TrustedProxies,
        id: Option<&str>,
    ) -> Option<Box<Self>> {
        if !tracing::enabled!(target: "aio::access", Level::INFO) {
            return None;
        }
        Some(Box::new(Access {
            begun: Instant::now(),
            method: head.method.clone(),
            path: head.uri.path().to_owned(),
            peer: link.peer,
            client: match proxies.are_none() {
                true => None,
                false => proxies.client(link, &head.headers),
            },
            id: id.map(Rc::from),
            status: None,
            bytes: None,
        }))
    }

    pub(crate) fn answered(&mut self, answer: &Response<ResponseBody>) {
        self.status = Some(answer.status().as_u16());
        self.bytes = answer.body().size_hint().exact();
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        tracing::info!(
            target: "aio::access",
            method = %self.method,
            path = self.path,
            status = self.status,
            bytes = self.bytes,
            micros = self.begun.elapsed().as_micros() as u64,
            peer = self.peer.map(tracing::field::display),
            client = self.client.map(tracing::field::display),
            id = self.id.as_deref(),
            "{}",
            if self.status.is_some() { "answered" } else { "abandoned" }
        );
    }
}

pub(crate) fn span(head: &Parts, id: Option<&str>) -> Span {
    tracing::info_span!(
        target: "aio::request",
        "request",
        method = %head.method,
        path = head.uri.path(),
        id
    )
}

/// Enters the span whenever the handler runs.
pub(crate) fn within(handling: Handling, span: Span) -> Handling {
    if span.is_disabled() {
        return handling;
    }
    Box::pin(handling.instrument(span))
}
