//! The pipes to a process, as connections that go one way.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    process::ChildStdin,
};

use crate::stream::{Io, StreamReader, StreamWriter, share};

/// Writes to a process.
pub(super) fn writer(pipe: ChildStdin) -> StreamWriter {
    StreamWriter::new(share(Input(Some(pipe)), None, None))
}

/// Reads from a process.
pub(super) fn reader<P>(pipe: P) -> StreamReader
where
    P: AsyncRead + AsFd + Unpin + 'static,
{
    StreamReader::new(share(Output(pipe), None, None))
}

/// `None` once the process has been told that nothing more comes: a pipe says so by being closed.
struct Input(Option<ChildStdin>);

impl AsyncRead for Input {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Input {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Some(pipe) => Pin::new(pipe).poll_write(cx, bytes),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0 = None;
        Poll::Ready(Ok(()))
    }
}

impl Io for Input {
    fn with_fd(&self, f: &mut dyn FnMut(BorrowedFd<'_>)) {
        if let Some(pipe) = &self.0 {
            f(pipe.as_fd());
        }
    }
}

struct Output<P>(P);

impl<P: AsyncRead + Unpin> AsyncRead for Output<P> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl<P: Unpin> AsyncWrite for Output<P> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl<P: AsyncRead + AsFd + Unpin + 'static> Io for Output<P> {
    fn with_fd(&self, f: &mut dyn FnMut(BorrowedFd<'_>)) {
        f(self.0.as_fd());
    }
}
