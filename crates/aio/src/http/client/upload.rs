//! What a request sends.

use std::{
    future::poll_fn,
    io,
    path::Path,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;
use tokio::{
    fs::File,
    io::{AsyncRead, ReadBuf},
    sync::mpsc,
};

use crate::task::create_task;

use crate::http::body::{BoxError, Converted};

pub(super) type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, BoxError>> + Send>>;

/// What is sent at a time.
const PIECE: usize = 64 * 1024;

/// What a request sends.
pub(super) enum Upload {
    None,
    Whole(Bytes),
    /// It can be sent once, and then is taken.
    Once(Option<(Pieces, Option<u64>)>),
}

impl Upload {
    pub(super) fn stream<S, E>(stream: S, length: Option<u64>) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + 'static,
        E: Into<BoxError> + 'static,
    {
        Upload::Once(Some((pumped(stream), length)))
    }

    /// Whether it can be sent once more.
    pub(super) fn is_repeatable(&self) -> bool {
        !matches!(self, Upload::Once(_))
    }

    /// The same once more, if it can be sent again.
    pub(super) fn try_clone(&self) -> Option<Self> {
        match self {
            Upload::None => Some(Upload::None),
            Upload::Whole(bytes) => Some(Upload::Whole(bytes.clone())),
            Upload::Once(_) => None,
        }
    }

    /// Its length in bytes, where a header must tell it.
    pub(super) fn told_length(&self) -> Option<u64> {
        match self {
            Upload::Whole(bytes) if bytes.len() > PIECE => Some(bytes.len() as u64),
            Upload::Once(Some((_, length))) => *length,
            _ => None,
        }
    }

    /// The body to send, which counts in `taken` the pieces that it is relieved of.
    pub(super) fn body(&mut self, taken: &Arc<AtomicU64>) -> Option<reqwest::Body> {
        let pieces = match self {
            Upload::None => return None,
            Upload::Whole(bytes) if bytes.len() <= PIECE => return Some(bytes.clone().into()),
            Upload::Whole(bytes) => boxed(Slices(bytes.clone())),
            Upload::Once(once) => once.take()?.0,
        };
        Some(reqwest::Body::wrap_stream(Counted {
            pieces,
            taken: taken.clone(),
        }))
    }
}

pub(super) fn boxed<S, E>(stream: S) -> Pieces
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    Box::pin(Converted::new(stream))
}

/// The pieces of a stream that may not leave this thread: a task of the loop takes them when they are wanted, and ends
/// when nobody is there any more to want them.
pub(super) fn pumped<S, E>(stream: S) -> Pieces
where
    S: Stream<Item = Result<Bytes, E>> + 'static,
    E: Into<BoxError> + 'static,
{
    let (sender, receiver) = mpsc::channel(1);
    let pumping = async move {
        let mut stream = pin!(stream);
        // Room first: nothing is taken ahead of what the server takes.
        while let Ok(room) = sender.reserve().await {
            let mut gone = pin!(sender.closed());
            let next = poll_fn(|cx| match gone.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(None),
                Poll::Pending => stream.as_mut().poll_next(cx),
            });
            let Some(piece) = next.await else { return };
            room.send(piece.map_err(Into::into));
        }
    };
    create_task(pumping).detach();
    Box::pin(Received(receiver))
}

struct Received(mpsc::Receiver<Result<Bytes, BoxError>>);

impl Stream for Received {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

/// Bytes, a piece at a time: what is taken shows that the server still listens.
struct Slices(Bytes);

impl Stream for Slices {
    type Item = Result<Bytes, io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let length = self.0.len().min(PIECE);
        let piece = self.0.split_to(length);
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }
}

struct Counted {
    pieces: Pieces,
    taken: Arc<AtomicU64>,
}

impl Stream for Counted {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(self.pieces.as_mut().poll_next(cx));
        // A count of its own: nothing else is read by it.
        self.taken.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(next)
    }
}

/// One stream after the other.
pub(super) struct Chain(
    pub(super) std::vec::IntoIter<Pieces>,
    pub(super) Option<Pieces>,
);

impl Stream for Chain {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(current) = &mut self.1
                && let Some(piece) = ready!(current.as_mut().poll_next(cx))
            {
                return Poll::Ready(Some(piece));
            }
            self.1 = self.0.next();
            if self.1.is_none() {
                return Poll::Ready(None);
            }
        }
    }
}

/// Opens a file to be sent; gives its length, too. The loop is not blocked: other threads read.
pub(super) async fn open(path: &Path) -> io::Result<(Pieces, u64)> {
    let file = File::open(path).await?;
    let length = file.metadata().await?.len();
    let pieces = FilePieces { file, left: length };
    Ok((boxed(pieces), length))
}

/// As many bytes of a file as it had when it was opened.
struct FilePieces {
    file: File,
    left: u64,
}

impl Stream for FilePieces {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let length = usize::try_from(self.left).map_or(PIECE, |left| left.min(PIECE));
        if length == 0 {
            return Poll::Ready(None);
        }
        let mut piece = vec![0; length];
        let mut buffer = ReadBuf::new(&mut piece);
        ready!(Pin::new(&mut self.file).poll_read(cx, &mut buffer))?;
        let read = buffer.filled().len();
        if read == 0 {
            let short = "the file became shorter while it was sent";
            return Poll::Ready(Some(Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                short,
            ))));
        }
        piece.truncate(read);
        self.left -= read as u64;
        Poll::Ready(Some(Ok(piece.into())))
    }
}
