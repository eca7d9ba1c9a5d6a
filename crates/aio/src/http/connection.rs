//! One connection, from its first byte to its last: the only file that knows which codec is used.

use std::{
    cell::Cell,
    convert::Infallible,
    future::poll_fn,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use tokio::net::TcpStream;

use super::{
    app::{App, Handled, Handling},
    io::{Io, Scratch, Wire},
    limits::Limits,
    response::Response,
    timer::LoopTimer,
};
use crate::{combine::wait_for, current, task};

/// What a server tells its connections.
#[derive(Default)]
pub(crate) struct Course {
    /// Answer what has been asked, then close.
    pub(crate) closing: Cell<bool>,
    /// The deadline has passed: handlers are not to be run to their end.
    pub(crate) aborting: Cell<bool>,
}

pub(crate) async fn serve(stream: TcpStream, app: Rc<App>, scratch: Scratch, course: Rc<Course>) {
    let Ok(peer) = stream.peer_addr() else { return };
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let builder = codec(app.limit());
    let wire = Wire::new(stream, scratch);
    let handlers = course.clone();
    let service = service_fn(move |request| answer(&app, request, peer, &handlers));
    let mut connection = std::pin::pin!(builder.serve_connection(Io(wire.clone()), service));
    let mut told = false;
    let ended = poll_fn(|cx| {
        if course.closing.get() && !told {
            told = true;
            connection.as_mut().graceful_shutdown();
        }
        let polled = connection.as_mut().poll(cx);
        match wire.poll_drain(cx) {
            // The client is gone; whatever hyper still hopes for will not come.
            Poll::Ready(Err(_)) => Poll::Ready(Ok(())),
            Poll::Ready(Ok(())) | Poll::Pending => polled,
        }
    });
    if let Err(error) = ended.await {
        turn_away(&wire, &error).await;
    }
}

fn codec(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(LoopTimer)
        .header_read_timeout(limits.header_time)
        .max_header_size(limits.header_bytes);
    if limits.headers != Limits::default().headers {
        // Any other number than hyper's own costs an allocation per request.
        builder.max_headers(limits.headers);
    }
    builder
}

/// Ends a connection whose request was refused: hyper has queued the answer, save for one that came too slowly.
async fn turn_away(wire: &Wire, error: &hyper::Error) {
    if error.is_timeout() && wire.in_request.get() {
        wire.push(
            b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        );
    }
    // A socket that is closed with bytes unread is reset, and the client might lose the answer: read them first.
    let lingering = async {
        poll_fn(|cx| wire.poll_shutdown(cx)).await?;
        let mut discarded = 0;
        while discarded < LINGER_BYTES {
            match poll_fn(|cx| wire.poll_discard(cx)).await? {
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

type Answer = Result<::http::Response<super::body::Payload>, Infallible>;

fn answer(
    app: &App,
    request: ::http::Request<hyper::body::Incoming>,
    peer: SocketAddr,
    course: &Rc<Course>,
) -> Answering {
    let course = course.clone();
    match app.handle(request, peer) {
        Handled::Later(handling) => Answering {
            handling: Some(handling),
            answer: None,
            course,
        },
        Handled::Now(answer) => Answering {
            handling: None,
            answer: Some(answer),
            course,
        },
    }
}

/// A handler at work. Dropped before its end, because the client hung up, it goes on as a task of its own: what it does
/// to a database is not cut off in the middle.
struct Answering {
    handling: Option<Handling>,
    answer: Option<Response>,
    course: Rc<Course>,
}

impl Future for Answering {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        let this = &mut *self;
        if let Some(handling) = &mut this.handling {
            let Poll::Ready(answer) = handling.as_mut().poll(cx) else {
                return Poll::Pending;
            };
            this.handling = None;
            this.answer = Some(answer);
        }
        match this.answer.take() {
            Some(answer) => Poll::Ready(Ok(answer.into_inner())),
            None => Poll::Pending,
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let Some(handling) = self.handling.take() else {
            return;
        };
        if let (false, Ok(engine)) = (self.course.aborting.get(), current::engine()) {
            task::spawn(&engine, handling).detach();
        }
    }
}
