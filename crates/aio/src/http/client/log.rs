//! The log of requests of ours, with the feature `tracing`; without it, nothing.

#[cfg(not(feature = "tracing"))]
use super::trace::{TraceEvent, TracedRequest};
#[cfg(feature = "tracing")]
pub(super) use with_tracing::{is_on, span, write};

#[cfg(not(feature = "tracing"))]
pub(super) fn is_on() -> bool {
    false
}

#[cfg(not(feature = "tracing"))]
pub(super) fn write(_: &TracedRequest, _: &TraceEvent<'_>) {}

#[cfg(feature = "tracing")]
mod with_tracing {
    use tracing::{Level, Span, info, info_span};

    use crate::http::client::trace::{TraceEvent, TracedRequest};

    /// Whether anybody listens. If not, the log costs next to nothing.
    pub(crate) fn is_on() -> bool {
        tracing::enabled!(target: "aio::client", Level::INFO)
    }

    /// An event for each request, once it has ended.
    pub(crate) fn write(request: &TracedRequest, event: &TraceEvent<'_>) {
        let (received, error, outcome) = match event {
            TraceEvent::Ended { received } => (Some(*received), None, "answered"),
            TraceEvent::Failed { error } => (None, Some(*error), "failed"),
            TraceEvent::Cancelled => (None, None, "cancelled"),
            _ => return,
        };
        info!(
            target: "aio::client",
            id = request.id(),
            method = %request.method(),
            url = request.url(),
            status = request.status().map(|status| status.as_u16()),
            bytes = received,
            micros = request.elapsed().as_micros() as u64,
            error = error.map(tracing::field::display),
            "{outcome}"
        );
    }

    /// The span around what a request does until its answer comes.
    pub(crate) fn span(request: &TracedRequest) -> Span {
        info_span!(
            target: "aio::client",
            "request",
            id = request.id(),
            method = %request.method(),
            url = request.url()
        )
    }
}
