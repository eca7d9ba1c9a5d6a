//! HTTP/2 on a connection.

use std::{future::poll_fn, net::SocketAddr, pin::Pin, rc::Rc, time::Duration};

use ::http::{HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use bytes::{Bytes, BytesMut};
use hyper::{rt::Executor, server::conn::http2, service::service_fn};
use hyper_util::rt::TokioIo;

use super::{
    answer::answer,
    connection::{End, Service, Standing, drive, linger},
    frames::Frames,
    io::{Io, Wire},
    limits::Limits,
    lines::is_host,
    screen::Screen,
    timer::LoopTimer,
};
use crate::{combine::wait_for, current, task};

/// How a client that knows beforehand that we speak HTTP/2 begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whether the client begins as HTTP/2 does; what it has sent is left to be read. `None` when it said nothing in time.
pub(crate) async fn is_spoken(wire: &Wire, limits: &Limits) -> Option<bool> {
    let mut came = BytesMut::new();
    let decided = wait_for(
        async {
            loop {
                let piece: Bytes = poll_fn(|cx| wire.poll_piece(cx)).await.ok()?;
                came.extend_from_slice(&piece);
                let common = came.len().min(PREFACE.len());
                if came[..common] != PREFACE[..common] || piece.is_empty() {
                    return Some(false);
                }
                if common == PREFACE.len() {
                    return Some(true);
                }
            }
        },
        limits.header_time,
    )
    .await;
    let spoken = decided.ok()??;
    if came.is_empty() {
        return None;
    }
    wire.watch.read(came.len());
    wire.unread(came.freeze());
    Some(spoken)
}

/// Spawns what hyper needs beside the connection on the loop.
#[derive(Clone)]
struct OnLoop;

impl<F> Executor<F> for OnLoop
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn execute(&self, future: F) {
        if let Ok(engine) = current::engine() {
            // hyper asks for nothing that could fail: what it spawns gives no value that matters.
            task::spawn(&engine, async move { drop(future.await) }).detach();
        }
    }
}

/// What a head is refused with that the codec lets pass: HTTP/1's gate refuses the same.
pub(crate) fn refusal(head: &Parts, limits: &Limits) -> Option<StatusCode> {
    let target = head
        .uri
        .path_and_query()
        .map_or("", |target| target.as_str());
    let field = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
    if target.len() > limits.request_line {
        return Some(StatusCode::URI_TOO_LONG);
    }
    if head.headers.len() > limits.headers
        || head
            .headers
            .iter()
            .map(field)
            .any(|size| size > limits.header_field)
    {
        return Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    let target_fits = target.starts_with('/') || (target == "*" && head.method == Method::OPTIONS);
    (!target_fits || !is_one_host(head)).then_some(StatusCode::BAD_REQUEST)
}

/// Whether the head names one host, in one way: `:authority`, or `Host`, or both alike.
fn is_one_host(head: &Parts) -> bool {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let (host, second) = (hosts.next().map(HeaderValue::as_bytes), hosts.next());
    let authority = head
        .uri
        .authority()
        .map(|authority| authority.as_str().as_bytes());
    let alike = match (authority, host) {
        (Some(authority), Some(host)) => authority.eq_ignore_ascii_case(host),
        (None, None) => false,
        _ => true,
    };
    alike && second.is_none() && authority.or(host).is_some_and(is_host)
}

const WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
const FRAME: u32 = 16 * 1024;
/// Unless the head's own limit is lower still.
const HEADER_LIST: usize = 16 * 1024;
/// Streams that a client has opened and taken back before they were seen.
const PENDING_RESETS: usize = 20;
/// Streams that we had to take back for a fault of the client's.
const LOCAL_RESETS: usize = 100;
const PING_INTERVAL: Duration = Duration::from_secs(20);

fn codec(limits: &Limits) -> http2::Builder<OnLoop> {
    let mut builder = http2::Builder::new(OnLoop);
    builder
        .timer(LoopTimer)
        .max_concurrent_streams(limits.streams)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .max_header_list_size(limits.header_bytes.min(HEADER_LIST) as u32)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(LOCAL_RESETS)
        .max_send_buf_size(WINDOW as usize)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_INTERVAL);
    builder
}

pub(crate) async fn serve(
    wire: Rc<Wire>,
    peer: Option<SocketAddr>,
    service: Rc<Service>,
    standing: Rc<Standing>,
) {
    wire.set_screen(Screen::Frames(Box::new(Frames::new())));
    let (of_service, of_wire) = (service.clone(), wire.clone());
    let answers = service_fn(move |request| answer(&of_service, request, peer, &of_wire, None));
    let connection =
        codec(&service.site.limits).serve_connection(TokioIo::new(Io(wire.clone())), answers);
    let mut connection = std::pin::pin!(connection);
    let end = drive(&wire, &service, &standing, |cx, close| {
        if close {
            connection.as_mut().graceful_shutdown();
        }
        Pin::new(&mut connection).poll(cx)
    })
    .await;
    if end == End::Stuck {
        wire.reset();
    } else if wire.refusal.get().is_some() {
        wire.push_go_away();
        linger(&wire).await;
    }
}
