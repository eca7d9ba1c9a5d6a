//! Streams between programs of one machine.

use std::{
    fs, io,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileTypeExt, MetadataExt},
    },
    path::{Path, PathBuf},
    rc::Rc,
};

use tokio::net::{UnixListener, UnixSocket, UnixStream};

use super::{
    listen::{Acceptor, BACKLOG},
    reader::StreamReader,
    server::{Server, handle},
    socket::{Socket, halves, share},
    writer::StreamWriter,
};
use crate::{current, outcome::Outcome};

/// Connects to the Unix socket at `path`. On Linux a path that begins with a zero byte is a name without a file.
///
/// # Errors
///
/// When nobody listens there, with the path in the text. Outside a loop, an error that wraps
/// [`NoRunningLoop`](crate::NoRunningLoop).
///
/// ```
/// use aio::{StreamReader, StreamWriter};
///
/// let path = std::env::temp_dir().join(format!("aio-example-{}", std::process::id()));
/// aio::run(async {
///     let greet = async |_reader: StreamReader, writer: StreamWriter| {
///         let peer = writer.peer_cred().expect("a Unix socket knows its peer");
///         assert_eq!(peer.pid(), Some(std::process::id() as i32));
///         writer.write(b"hello");
///     };
///     let _server = aio::start_unix_server(&path, greet).await?;
///     let (mut reader, _writer) = aio::open_unix_connection(&path).await?;
///     assert_eq!(reader.read_to_end().await?, b"hello");
///     Ok::<(), std::io::Error>(())
/// })??;
/// assert!(!path.exists(), "gone with its server");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn open_unix_connection(
    path: impl AsRef<Path>,
) -> io::Result<(StreamReader, StreamWriter)> {
    Ok(halves(connect_unix(path.as_ref()).await?))
}

/// Connects to a path.
pub(crate) async fn connect_unix(path: &Path) -> io::Result<Rc<dyn Socket>> {
    current::engine()?;
    match UnixStream::connect(path).await {
        Ok(stream) => Ok(share(stream, None, None)),
        Err(error) => Err(explain(
            "connect to",
            path,
            error,
            "is a server listening there?",
        )),
    }
}

/// As [`start_server`](crate::start_server), on a Unix socket at `path`. The file is removed with the server. One that a
/// program left behind that was killed is replaced; one that somebody listens on is not.
///
/// # Errors
///
/// When the path cannot be bound: the text names it and says what to do. Outside a loop, an error that wraps
/// [`NoRunningLoop`](crate::NoRunningLoop).
///
/// An example is at [`open_unix_connection`].
pub async fn start_unix_server<H, O>(
    path: impl AsRef<Path>,
    handler: H,
) -> io::Result<Server<PathBuf>>
where
    H: AsyncFn(StreamReader, StreamWriter) -> O + 'static,
    O: Outcome + 'static,
{
    let handler = Rc::new(handler);
    let listener = bind_unix(path.as_ref()).await?;
    Server::start(listener, move |stream| {
        let handler = handler.clone();
        async move { handle(&*handler, share(stream, None, None)).await }
    })
}

/// A listening socket and its file.
pub(crate) struct UnixPath {
    listener: UnixListener,
    path: PathBuf,
    /// Device and number of the file; `None` for a name without one.
    file: Option<(u64, u64)>,
}

impl Acceptor for UnixPath {
    type Stream = UnixStream;
    type Address = PathBuf;

    fn local_addr(&self) -> io::Result<PathBuf> {
        Ok(self.path.clone())
    }

    async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for UnixPath {
    fn drop(&mut self) {
        // Another server may have taken the path over meanwhile.
        if self.file.is_some() && self.file == file_at(&self.path) {
            // Somebody else was quicker.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Binds a path, in place of what a dead program left there.
pub(crate) async fn bind_unix(path: &Path) -> io::Result<UnixPath> {
    current::engine()?;
    let bound = match listen(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_stale(path).await => {
            fs::remove_file(path).and_then(|()| listen(path))
        }
        bound => bound,
    };
    match bound {
        Ok(listener) => Ok(UnixPath {
            listener,
            path: path.to_owned(),
            file: file_at(path),
        }),
        Err(error) => {
            let advice = match error.kind() {
                io::ErrorKind::AddrInUse => "stop the program that uses it, or take another path",
                io::ErrorKind::NotFound => "make the folder first",
                _ => "may this program write there?",
            };
            Err(explain("listen on", path, error, advice))
        }
    }
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    socket.listen(BACKLOG)
}

/// Whether a socket is there that nobody listens on.
async fn is_stale(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    is_socket && UnixStream::connect(path).await.is_err_and(refused)
}

fn file_at(path: &Path) -> Option<(u64, u64)> {
    if path.as_os_str().as_bytes().starts_with(&[0]) {
        return None;
    }
    let file = fs::symlink_metadata(path).ok()?;
    Some((file.dev(), file.ino()))
}

fn explain(tried: &str, path: &Path, error: io::Error, advice: &str) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("cannot {tried} {}: {error}; {advice}", path.display()),
    )
}
