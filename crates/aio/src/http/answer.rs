//! From a request's head to its response.

use std::{
    error::Error,
    fmt,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use ::http::{HeaderName, HeaderValue, StatusCode, Version, header, request::Parts};
use hyper::body::Incoming;

use super::{
    body::ResponseBody,
    connection::{Course, Service},
    flight::Flight,
    hang_up::HangUp,
    intake::Source,
    io::Wire,
    pace::Paced,
    request::Request,
    response::{IntoResponse, Response},
    route::{Handling, OnDisconnect},
    site::Handled,
    upgrade::Upgrade,
};
use crate::{current, error::Panicked, task};

/// The client hung up on a handler that is not to be run to its end.
#[derive(Debug)]
pub(crate) struct HungUp;

impl fmt::Display for HungUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client hung up")
    }
}

impl Error for HungUp {}

pub(crate) type Answer = Result<::http::Response<ResponseBody>, HungUp>;

pub(crate) fn answer(
    service: &Service,
    request: ::http::Request<Incoming>,
    peer: Option<SocketAddr>,
    wire: &Rc<Wire>,
    upgrade: Option<&Upgrade>,
) -> Answering {
    let site = &service.site;
    let (head, body) = request.into_parts();
    let id = site.request_ids.then(|| request_id(&head));
    let is_http2 = head.version == Version::HTTP_2;
    // HTTP/1's gate has refused already what is to be refused.
    #[cfg(feature = "http2")]
    let refused = is_http2
        .then(|| super::http2::refusal(&head, &site.limits))
        .flatten();
    #[cfg(not(feature = "http2"))]
    let refused: Option<StatusCode> = None;
    // A stream that the client takes back is free again at once, but its handler may be run to its end.
    let crowded = is_http2 && wire.busy.get() >= site.limits.streams as usize;
    let full = crowded || site.handling.get() >= site.limits.requests;
    #[cfg_attr(
        not(feature = "tracing"),
        expect(unused_mut, reason = "the log is tracing's")
    )]
    let mut flight = Flight::new(wire, site);
    #[cfg(feature = "tracing")]
    let span = {
        flight.access =
            super::access::Access::begin(&head, wire.link(peer), &site.proxies, id.as_deref());
        super::access::span(&head, id.as_deref())
    };
    let body = Paced::new(body, is_http2.then_some(&site.limits));
    let mut request = Request::new(head, Source::Incoming(body), site.clone());
    request.set_wire(wire.clone(), peer);
    if let Some(id) = &id {
        request.set_id(id.clone());
    }
    // HTTP/2's client may leave one request alone.
    let stream = upgrade.is_none().then(Rc::<HangUp>::default);
    if let Some(stream) = &stream {
        request.set_stream(stream.clone());
    }
    let begun = match refused {
        Some(status) => Ok(Handled::Now(Box::new(status.into_response()))),
        None if full => Ok(Handled::Now(Box::new(overloaded()))),
        None => catch_unwind(AssertUnwindSafe(|| site.handle(request))),
    };
    let state = match begun {
        Ok(Handled::Later(handling, policy)) => {
            #[cfg(feature = "tracing")]
            let handling = super::access::within(handling, span);
            State::Handling(handling, policy)
        }
        Ok(Handled::Now(answer)) => State::Answered(answer),
        Err(payload) => State::Answered(Box::new(failed(Panicked::new(payload)))),
    };
    Answering {
        state,
        flight: Some(flight),
        id,
        course: service.course.clone(),
        wire: wire.clone(),
        upgrade: upgrade.cloned(),
        stream,
        watching: None,
    }
}

fn overloaded() -> Response {
    StatusCode::SERVICE_UNAVAILABLE
        .into_response()
        .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
}

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

fn request_id(head: &Parts) -> Rc<str> {
    let sent = head.headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match sent {
        Some(id) if !id.is_empty() && id.len() <= 64 && id.bytes().all(harmless) => id.into(),
        _ => {
            let mut bytes = [0; 16];
            // Without the system's randomness all ids are alike, which harms no one but who reads the log.
            let _ = getrandom::fill(&mut bytes);
            format!("{:032x}", u128::from_ne_bytes(bytes)).into()
        }
    }
}

/// How far the answer to a request is.
enum State {
    /// The handler runs.
    Handling(Handling, OnDisconnect),
    /// It was answered without a handler.
    Answered(Box<Response>),
    /// hyper has the answer, or the client is gone.
    Done,
}

/// A handler at work. Dropped before its end, because the client hung up, it goes on as a task of its own: what it does
/// to a database is not cut off in the middle.
pub(crate) struct Answering {
    state: State,
    flight: Option<Flight>,
    id: Option<Rc<str>>,
    course: Rc<Course>,
    wire: Rc<Wire>,
    upgrade: Option<Upgrade>,
    stream: Option<Rc<HangUp>>,
    /// Ends with the client, for a handler that is not to outlive it.
    watching: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl Future for Answering {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        let answer = match std::mem::replace(&mut self.state, State::Done) {
            State::Handling(mut handling, policy) => {
                match catch_unwind(AssertUnwindSafe(|| handling.as_mut().poll(cx))) {
                    Ok(Poll::Ready(answer)) => answer,
                    Ok(Poll::Pending) => {
                        if policy == OnDisconnect::Cancel && self.poll_hung_up(cx).is_ready() {
                            return Poll::Ready(Err(HungUp));
                        }
                        self.state = State::Handling(handling, policy);
                        return Poll::Pending;
                    }
                    Err(payload) => failed(Panicked::new(payload)),
                }
            }
            State::Answered(answer) => *answer,
            State::Done => return Poll::Pending,
        };
        Poll::Ready(Ok(self.send_off(answer)))
    }
}

impl Answering {
    fn poll_hung_up(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let wire = &self.wire;
        let watching = self.watching.get_or_insert_with(|| {
            let wire = wire.clone();
            Box::pin(async move { wire.hung_up().await })
        });
        watching.as_mut().poll(cx)
    }

    fn send_off(&mut self, answer: Response) -> ::http::Response<ResponseBody> {
        let mut answer = answer.into_http();
        if let Some(id) = &self.id
            && let Ok(id) = HeaderValue::from_str(id)
        {
            answer.headers_mut().insert(REQUEST_ID, id);
        }
        if let (Some(switch), Some(upgrade)) = (answer.body_mut().switch.take(), &self.upgrade) {
            upgrade.set(switch);
            self.wire.open_gate();
        }
        #[cfg(feature = "tracing")]
        if let Some(access) = self
            .flight
            .as_mut()
            .and_then(|flight| flight.access.as_mut())
        {
            access.answered(&answer);
        }
        answer.body_mut().flight = self.flight.take();
        answer
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let State::Handling(handling, policy) = std::mem::replace(&mut self.state, State::Done)
        else {
            return;
        };
        if let Some(stream) = &self.stream {
            stream.tell();
        }
        let finish = policy == OnDisconnect::Finish && !self.course.aborting.get();
        if let (true, Ok(engine)) = (finish, current::engine()) {
            let flight = self.flight.take();
            let rest = async move {
                handling.await;
                drop(flight);
            };
            task::spawn(&engine, rest).detach();
        }
    }
}

fn failed(panicked: Panicked) -> Response {
    if let Ok(engine) = current::engine() {
        engine
            .reporter
            .report("a request's handler panicked", None, &panicked);
    }
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
