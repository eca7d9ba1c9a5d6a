//! The body of a response, as hyper takes it.

use std::{
    cell::RefCell,
    error::Error,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use hyper::body::{Body, Frame, SizeHint};

use super::{flight::Flight, upgrade::Switch};
use crate::{
    current,
    error::{Gone, Panicked},
    sleep::{Sleep, sleep},
};

/// Any error of a body.
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;
type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, BoxError>>>>;
type Writing = Pin<Box<dyn Future<Output = Result<(), BoxError>>>>;
type Polled = Poll<Option<Result<Frame<Bytes>, BoxError>>>;

/// The body of a [`Response`](super::Response), as tower's services see it.
#[derive(Default)]
pub struct ResponseBody {
    kind: Kind,
    /// Ends with the body: then the request has been answered.
    pub(crate) flight: Option<Flight>,
    /// What follows on the connection when the protocol is switched.
    pub(crate) switch: Option<Switch>,
}

enum Kind {
    Whole(Bytes),
    Pieces(Pieces, Option<u64>),
    Written(Box<Written>),
    #[cfg(any(feature = "compress", feature = "tower"))]
    Foreign(Pin<Box<dyn Body<Data = Bytes, Error = BoxError>>>),
}

impl Default for Kind {
    fn default() -> Self {
        Kind::Whole(Bytes::new())
    }
}

impl ResponseBody {
    fn new(kind: Kind) -> Self {
        ResponseBody {
            kind,
            flight: None,
            switch: None,
        }
    }

    pub(crate) fn whole(bytes: Bytes) -> Self {
        ResponseBody::new(Kind::Whole(bytes))
    }

    pub(crate) fn pieces<S, E>(stream: S, size: Option<u64>) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + 'static,
        E: Into<BoxError>,
    {
        ResponseBody::new(Kind::Pieces(Box::pin(Converted::new(stream)), size))
    }

    pub(crate) fn written<F, E>(
        slot: Rc<RefCell<Slot>>,
        future: F,
        keep_alive: Option<Duration>,
    ) -> Self
    where
        F: Future<Output = Result<(), E>> + 'static,
        E: Into<BoxError>,
    {
        let future = Box::pin(async move { future.await.map_err(Into::into) });
        ResponseBody::new(Kind::Written(Box::new(Written {
            future: Some(future),
            slot,
            keep_alive: keep_alive.map(|period| (period, sleep(period))),
        })))
    }

    #[cfg(any(feature = "compress", feature = "tower"))]
    pub(crate) fn foreign<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error = BoxError> + 'static,
    {
        ResponseBody::new(Kind::Foreign(Box::pin(body)))
    }

    /// Whether more of it may be long in coming.
    #[cfg(feature = "compress")]
    pub(crate) fn is_lazy(&self) -> bool {
        !matches!(self.kind, Kind::Whole(_) | Kind::Pieces(_, Some(_)))
    }

    /// The body, if it is at hand as a whole.
    pub(crate) fn bytes(&self) -> Option<&Bytes> {
        match &self.kind {
            Kind::Whole(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let this = &mut *self;
        if let Kind::Whole(bytes) = &mut this.kind {
            if bytes.is_empty() {
                return Poll::Ready(None);
            }
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes)))));
        }
        let polled = catch_unwind(AssertUnwindSafe(|| match &mut this.kind {
            Kind::Whole(_) => Poll::Ready(None),
            Kind::Pieces(stream, _) => stream.as_mut().poll_next(cx).map_ok(Frame::data),
            Kind::Written(written) => written.poll_piece(cx).map_ok(Frame::data),
            #[cfg(any(feature = "compress", feature = "tower"))]
            Kind::Foreign(body) => body.as_mut().poll_frame(cx),
        }));
        let polled = polled.unwrap_or_else(|payload| {
            Poll::Ready(Some(Err(Panicked::new(payload).to_string().into())))
        });
        if let Poll::Ready(Some(Err(error))) = &polled {
            // The status has been sent, so the client learns of it by the connection's end alone.
            this.kind = Kind::default();
            if let Ok(engine) = current::engine() {
                engine
                    .reporter
                    .report("a response's body failed", None, error);
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Whole(bytes) => bytes.is_empty(),
            #[cfg(any(feature = "compress", feature = "tower"))]
            Kind::Foreign(body) => body.is_end_stream(),
            _ => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Pieces(_, Some(size)) => SizeHint::with_exact(*size),
            #[cfg(any(feature = "compress", feature = "tower"))]
            Kind::Foreign(body) => body.size_hint(),
            _ => SizeHint::default(),
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody")
            .field("size", &self.size_hint())
            .finish_non_exhaustive()
    }
}

/// A stream whose errors are boxed.
pub(crate) struct Converted<S>(Pin<Box<S>>);

impl<S> Converted<S> {
    pub(crate) fn new(stream: S) -> Self {
        Converted(Box::pin(stream))
    }
}

impl<S, E> Stream for Converted<S>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Into<BoxError>,
{
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx).map_err(Into::into)
    }
}

/// What a writer has written and hyper has not yet taken.
#[derive(Default)]
pub(crate) struct Slot {
    piece: Option<Bytes>,
    reader: Option<Waker>,
    writers: Vec<Waker>,
    closed: bool,
}

/// A body that a coroutine writes. The coroutine runs when hyper wants more, and is dropped with the response.
struct Written {
    future: Option<Writing>,
    slot: Rc<RefCell<Slot>>,
    keep_alive: Option<(Duration, Sleep)>,
}

impl Written {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BoxError>>> {
        let mut ended = self.future.is_none();
        if let Some(future) = &mut self.future
            && let Poll::Ready(outcome) = future.as_mut().poll(cx)
        {
            self.future = None;
            ended = true;
            if let Err(error) = outcome {
                return Poll::Ready(Some(Err(error)));
            }
        }
        if let Some(piece) = self.take(cx) {
            if let Some((period, next)) = &mut self.keep_alive {
                *next = sleep(*period);
            }
            return Poll::Ready(Some(Ok(piece)));
        }
        if ended {
            return Poll::Ready(None);
        }
        if let Some((period, next)) = &mut self.keep_alive
            && Pin::new(&mut *next).poll(cx).is_ready()
        {
            *next = sleep(*period);
            // So that the new one wakes us.
            let _ = Pin::new(next).poll(cx);
            return Poll::Ready(Some(Ok(Bytes::from_static(b":\n\n"))));
        }
        Poll::Pending
    }

    fn take(&self, cx: &mut Context<'_>) -> Option<Bytes> {
        let mut slot = self.slot.borrow_mut();
        let piece = slot.piece.take();
        slot.reader = Some(cx.waker().clone());
        let writers = std::mem::take(&mut slot.writers);
        drop(slot);
        writers.into_iter().for_each(Waker::wake);
        piece
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let mut slot = self.slot.borrow_mut();
        slot.closed = true;
        let writers = std::mem::take(&mut slot.writers);
        drop(slot);
        writers.into_iter().for_each(Waker::wake);
    }
}

/// Writes a response's body as it comes to be; see [`Response::write_with`](super::Response::write_with).
#[derive(Clone)]
pub struct BodyWriter {
    pub(crate) slot: Rc<RefCell<Slot>>,
}

impl BodyWriter {
    /// Sends a piece. Waits while the client has not taken what was written before: so a slow client slows the writer
    /// down, and fills no memory. Dropped before its end, it may have sent nothing.
    ///
    /// # Errors
    ///
    /// [`Gone`] when the response has ended. Within the coroutine that writes it this does not happen: that is dropped
    /// when the client hangs up.
    pub async fn write(&self, piece: impl Into<Bytes>) -> Result<(), Gone> {
        let mut piece = Some(piece.into());
        std::future::poll_fn(|cx| self.poll_write(cx, &mut piece)).await
    }

    fn poll_write(
        &self,
        cx: &mut Context<'_>,
        piece: &mut Option<Bytes>,
    ) -> Poll<Result<(), Gone>> {
        let mut slot = self.slot.borrow_mut();
        if slot.closed {
            return Poll::Ready(Err(Gone));
        }
        if piece.as_ref().is_some_and(Bytes::is_empty) {
            // An empty piece would end nothing and send nothing.
            return Poll::Ready(Ok(()));
        }
        if slot.piece.is_some() {
            slot.writers.push(cx.waker().clone());
            return Poll::Pending;
        }
        slot.piece = piece.take();
        if let Some(reader) = slot.reader.take()
            && !reader.will_wake(cx.waker())
        {
            reader.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for BodyWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyWriter").finish_non_exhaustive()
    }
}
