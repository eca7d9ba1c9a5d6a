//! Encrypting a connection that is open.

use std::{
    io,
    os::fd::BorrowedFd,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::unix::UCred,
};
use tokio_rustls::TlsStream;

use super::{ClientConfig, ServerConfig};
use crate::stream::{Io, Socket, StreamReader, StreamWriter, halves, share};

/// Goes on in TLS as the client, on a connection that began without: what `start_tls` is in asyncio.
///
/// `server_name` is whom the server's certificate must name. What was written is sent first. Dropping the future before
/// it is done closes the connection.
///
/// # Errors
///
/// When the handshake fails or takes too long; when the reader holds bytes that came before the handshake, for whoever
/// could slip them in would be taken for the server.
pub async fn connect(
    reader: StreamReader,
    writer: StreamWriter,
    server_name: &str,
    config: &ClientConfig,
) -> io::Result<(StreamReader, StreamWriter)> {
    let socket = plain(reader, writer).await?;
    Ok(halves(secure_client(socket, server_name, config).await?))
}

/// Goes on in TLS as the server, on a connection that began without. See [`connect`].
///
/// # Errors
///
/// As [`connect`].
pub async fn accept(
    reader: StreamReader,
    writer: StreamWriter,
    config: &ServerConfig,
) -> io::Result<(StreamReader, StreamWriter)> {
    let socket = plain(reader, writer).await?;
    Ok(halves(secure_server(socket, config).await?))
}

async fn plain(reader: StreamReader, writer: StreamWriter) -> io::Result<Rc<dyn Socket>> {
    if reader.has_bytes() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "bytes came before the handshake: read all of the plain part first, the peer sends no more of it",
        ));
    }
    writer.into_socket().await
}

pub(crate) async fn secure_client(
    socket: Rc<dyn Socket>,
    server_name: &str,
    config: &ClientConfig,
) -> io::Result<Rc<dyn Socket>> {
    let (peer, local) = (socket.peer_addr(), socket.local_addr());
    let stream = config.handshake(Wire(socket), server_name).await?;
    Ok(share(TlsStream::from(stream), peer, local))
}

pub(crate) async fn secure_server(
    socket: Rc<dyn Socket>,
    config: &ServerConfig,
) -> io::Result<Rc<dyn Socket>> {
    let (peer, local) = (socket.peer_addr(), socket.local_addr());
    let stream = config.handshake(Wire(socket)).await?;
    Ok(share(TlsStream::from(stream), peer, local))
}

/// The connection beneath the encryption. Closed with it.
pub(crate) struct Wire(Rc<dyn Socket>);

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_shutdown(cx)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Io for TlsStream<Wire> {
    const IS_SESSION: bool = true;

    fn peer_cred(&self) -> Option<UCred> {
        self.get_ref().0.0.peer_cred()
    }

    fn with_fd(&self, f: &mut dyn FnMut(BorrowedFd<'_>)) {
        self.get_ref().0.0.with_fd(f);
    }

    fn alpn_protocol(&self) -> Option<Vec<u8>> {
        self.get_ref().1.alpn_protocol().map(<[u8]>::to_vec)
    }

    fn peer_certificates(&self) -> Vec<Vec<u8>> {
        let shown = self.get_ref().1.peer_certificates().unwrap_or_default();
        shown
            .iter()
            .map(|certificate| certificate.to_vec())
            .collect()
    }
}
