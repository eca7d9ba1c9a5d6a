//! One connection, from its first byte to its last: with `http2`, the only files that know which codec is used.

use std::{
    cell::Cell,
    future::poll_fn,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use ::http::StatusCode;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;

use super::{
    answer::answer,
    gate::{Gate, Phase},
    io::{Io, Spare, Wire},
    limits::Limits,
    screen::Screen,
    site::Site,
    socket::Socket,
    timer::Alarm,
    upgrade::Upgrade,
};
use crate::combine::wait_for;

/// What a server tells its connections.
#[derive(Default)]
pub(crate) struct Course {
    /// Answer what has been asked, then close.
    pub(crate) closing: Cell<bool>,
    /// The deadline has passed: handlers are not to be run to their end.
    pub(crate) aborting: Cell<bool>,
}

/// What a connection is told, and tells, while it is served.
#[derive(Default)]
pub(crate) struct Standing {
    /// Nothing is asked at the moment.
    pub(crate) idle: Cell<bool>,
    /// Its place is needed, or its time is over.
    pub(crate) shed: Cell<bool>,
}

/// Whom a connection serves, and how.
pub(crate) struct Service {
    pub(crate) site: Rc<Site>,
    pub(crate) course: Rc<Course>,
    pub(crate) spare: Spare,
}

/// How a connection's codec has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// In good order, or by its client.
    Over,
    /// The codec has queued a refusal.
    Refused,
    /// The client takes nothing.
    Stuck,
}

pub(crate) async fn serve(
    socket: Socket,
    peer: Option<SocketAddr>,
    service: Rc<Service>,
    standing: Rc<Standing>,
) {
    let wire = Wire::new(socket, service.spare.clone());
    let _closing = Closing(wire.clone());
    #[cfg(feature = "http2")]
    match super::http2::is_spoken(&wire, &service.site.limits).await {
        Some(true) => return super::http2::serve(wire, peer, service, standing).await,
        Some(false) => {}
        None => return,
    }
    wire.set_screen(Screen::Gate(Gate::new(&service.site.limits)));
    let upgrade = Upgrade::default();
    let (of_service, of_wire, of_upgrade) = (service.clone(), wire.clone(), upgrade.clone());
    let answers =
        service_fn(move |request| answer(&of_service, request, peer, &of_wire, Some(&of_upgrade)));
    let mut connection =
        codec(&service.site.limits).serve_connection(TokioIo::new(Io(wire.clone())), answers);
    let end = drive(&wire, &service, &standing, |cx, close| {
        if close {
            Pin::new(&mut connection).graceful_shutdown();
        }
        connection.poll_without_shutdown(cx)
    })
    .await;
    if let Some(switched) = upgrade.take() {
        let mut early = connection.into_parts().read_buf;
        let ahead = wire.take_prefix();
        if !ahead.is_empty() {
            early = [early, ahead].concat().into();
        }
        switched(wire.take_socket(), early, service.course.clone()).await;
        return;
    }
    drop(connection);
    finish(&wire, end).await;
}

/// Closes the socket when the connection's task ends, however long handlers hold on to their requests.
struct Closing(Rc<Wire>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.hang_up.tell();
        drop(self.0.take_socket());
    }
}

pub(super) fn codec(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // The gate and the watch before the codec know more exact limits of size and time. A client that has ended its side
    // still gets its answers.
    builder
        .header_read_timeout(None)
        .half_close(true)
        .max_header_size(2 * (limits.header_bytes + limits.request_line));
    if limits.headers > Limits::default().headers {
        // Any other number than hyper's own costs an allocation per request.
        builder.max_headers(limits.headers);
    }
    builder
}

/// Polls a codec, sends what it has written, and holds the client to the limits of time.
pub(crate) async fn drive(
    wire: &Wire,
    service: &Service,
    standing: &Standing,
    mut poll: impl FnMut(&mut Context<'_>, bool) -> Poll<hyper::Result<()>>,
) -> End {
    let limits = &service.site.limits;
    let mut told = false;
    let mut alarm = Alarm::default();
    poll_fn(move |cx| {
        loop {
            let close = !told && (service.course.closing.get() || standing.shed.get());
            told |= close;
            let polled = poll(cx, close);
            if let Poll::Ready(Err(_)) = wire.poll_drain(cx) {
                // The client is gone; whatever the codec still hopes for will not come.
                return Poll::Ready(End::Over);
            }
            match polled {
                Poll::Ready(Err(error)) if error.is_parse() => return Poll::Ready(End::Refused),
                Poll::Ready(_) => return Poll::Ready(End::Over),
                Poll::Pending => {}
            }
            if wire.poll_ahead(cx).is_ready() {
                continue;
            }
            let between = matches!(wire.phase(), Phase::Between | Phase::Open);
            standing.idle.set(between && wire.busy.get() == 0);
            let Some(due) = wire.due(limits, told) else {
                return Poll::Pending;
            };
            if alarm.poll_until(due, cx).is_pending() {
                return Poll::Pending;
            }
            if let Some(end) = expire(wire, limits, standing, told, cx) {
                return Poll::Ready(end);
            }
        }
    })
    .await
}

/// Patience has ended: what follows from it, unless the codec is to be polled again.
fn expire(
    wire: &Wire,
    limits: &Limits,
    standing: &Standing,
    told: bool,
    cx: &mut Context<'_>,
) -> Option<End> {
    if wire.is_stuck(limits) {
        return Some(End::Stuck);
    }
    match wire.phase() {
        Phase::Between | Phase::Open if told => return Some(End::Over),
        Phase::Between | Phase::Open => standing.shed.set(true),
        Phase::Head => wire.refusal.set(Some(StatusCode::REQUEST_TIMEOUT)),
        Phase::Body if wire.poll_readable(cx).is_ready() => wire.watch.not_the_client(),
        Phase::Body => wire.fault.set(Some(std::io::ErrorKind::TimedOut)),
    }
    None
}

/// Says the last word and closes.
async fn finish(wire: &Wire, end: End) {
    match (end, wire.refusal.get()) {
        (End::Stuck, _) => wire.reset(),
        (End::Over, Some(status)) => {
            wire.push(&refusal(status));
            linger(wire).await;
        }
        (End::Over, None) if wire.fault.get().is_none() => {
            // A client that is gone need not be told.
            let _ = wait_for(poll_fn(|cx| wire.poll_shutdown(cx)), LINGER_TIME).await;
        }
        (End::Over | End::Refused, _) => linger(wire).await,
    }
}

fn refusal(status: StatusCode) -> Vec<u8> {
    let reason = status.canonical_reason().unwrap_or("Refused");
    let text = format!("{}: {reason}", status.as_u16());
    let date = httpdate::fmt_http_date(SystemTime::now());
    format!(
        "HTTP/1.1 {} {reason}\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n\
         content-length: {}\r\ndate: {date}\r\n\r\n{text}",
        status.as_u16(),
        text.len()
    )
    .into_bytes()
}

/// Ends a connection whose client was refused. A socket that is closed with bytes unread is reset, and the client might
/// lose the answer: read them first.
pub(crate) async fn linger(wire: &Wire) {
    let lingering = async {
        poll_fn(|cx| wire.poll_shutdown(cx)).await?;
        let mut discarded = 0;
        while discarded < LINGER_BYTES {
            match poll_fn(|cx| wire.poll_piece(cx)).await?.len() {
                0 => break,
                count => discarded += count,
            }
        }
        Ok::<(), std::io::Error>(())
    };
    // An error or a timeout here concerns a client that is gone or will not stop sending.
    let _ = wait_for(lingering, LINGER_TIME).await;
}

/// How long, and for how many bytes, a refused client is listened to.
const LINGER_TIME: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 * 1024;
