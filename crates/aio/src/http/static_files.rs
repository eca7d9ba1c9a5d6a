//! Files of a folder, served as they are.

use std::{
    fs::File,
    io,
    os::{fd::OwnedFd, unix::fs::FileExt},
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use ::http::{HeaderValue, Method, StatusCode, header};
use bytes::Bytes;
use futures_core::Stream;
use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat, openat2},
    sys::stat::Mode,
};

use super::{
    app::App,
    coding::accepted,
    conditional::Validators,
    media,
    range::{Part, parse},
    request::Request,
    response::{IntoResponse, Response},
    route::Route,
};
use crate::thread::{OnThread, to_thread};

/// How much of a file is read at a time.
const PIECE: u64 = 64 * 1024;

/// What a name is tried with, and the coding that it then has, the best first where the client likes them alike.
const VARIANTS: [(&str, &str); 3] = [("br", ".br"), ("zstd", ".zst"), ("gzip", ".gz")];

/// A folder whose files are served: with ranges, entity tags, conditions, and variants that were compressed beforehand.
///
/// Only regular files beneath the folder are served: no path leads out of it, no symbolic link is followed, nothing that
/// begins with a dot is shown, no folder is listed: its `index.html` is served, if it has one, at its path with a slash at
/// the end, to which the one without is redirected. Files are opened and read on other threads. A file `page.html.br`,
/// `.zst` or `.gz` beside `page.html` is sent to clients that take it, whichever they like best. Several ranges at once
/// are answered with the whole file.
///
/// ```no_run
/// use aio::http::{App, StaticFiles, run_app};
///
/// let files = StaticFiles::new("public")?.cache_control("public, max-age=3600");
/// run_app(App::new().files("/static", files), "127.0.0.1:8000")?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct StaticFiles {
    root: Arc<OwnedFd>,
    cache_control: Option<HeaderValue>,
}

impl StaticFiles {
    /// Serves the files beneath `folder`. The folder is opened now: what is later renamed to its path is not it.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, or is no folder: the text names it.
    pub fn new(folder: impl AsRef<Path>) -> io::Result<Self> {
        let folder = folder.as_ref();
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = openat(AT_FDCWD, folder, flags, Mode::empty()).map_err(|error| {
            let error = io::Error::from(error);
            let text = format!("cannot serve the files of {}: {error}", folder.display());
            io::Error::new(error.kind(), text)
        })?;
        Ok(StaticFiles {
            root: Arc::new(root),
            cache_control: None,
        })
    }

    /// Sends `Cache-Control` with every file; text that no header can hold is left out.
    pub fn cache_control(mut self, value: &str) -> Self {
        self.cache_control = HeaderValue::from_str(value).ok();
        self
    }

    /// The response for a file, by its path beneath the folder: for handlers that choose the file themselves.
    pub async fn serve(&self, request: &Request, path: &str) -> Response {
        match self.find(request, path).await {
            Ok(found) => self.answer(request, found, path),
            Err(response) => response,
        }
    }

    /// As [`serve`](StaticFiles::serve), for a path that the client has asked for: links within a folder's index lead to
    /// where they should only if the folder's own path ends with a slash.
    async fn serve_asked(&self, request: &Request, path: &str) -> Response {
        match self.find(request, path).await {
            Ok(found) if found.is_index && !request.path().ends_with('/') => to_folder(request),
            Ok(found) => self.answer(request, found, path),
            Err(response) => response,
        }
    }

    async fn find(&self, request: &Request, path: &str) -> Result<Found, Response> {
        let known = VARIANTS.map(|(coding, _)| coding);
        let codings = accepted(request.headers(), &known);
        let (root, path) = (self.root.clone(), path.to_owned());
        match to_thread(move || find(&root, &path, &codings)).await {
            Ok(found) => found.ok_or_else(|| StatusCode::NOT_FOUND.into_response()),
            Err(_) => Err(StatusCode::SERVICE_UNAVAILABLE.into_response()),
        }
    }

    fn answer(&self, request: &Request, found: Found, path: &str) -> Response {
        let name = match found.is_index {
            true => "index.html",
            false => path.rsplit('/').next().unwrap_or(""),
        };
        let mut state = Validators::new().etag(&found.tag());
        if let Some(modified) = found.modified {
            state = state.modified(modified);
        }
        if let Some(short) = state.check(request) {
            return self.dress(state.mark(short), None);
        }
        let size = found.size;
        let wanted = request
            .header("range")
            .filter(|_| *request.method() == Method::GET && state.allow_range(request));
        let (status, part) = match parse(wanted, size) {
            Part::Whole => (StatusCode::OK, 0..size),
            Part::Bytes(part) => (StatusCode::PARTIAL_CONTENT, part),
            Part::Outside => {
                let outside = Response::new(StatusCode::RANGE_NOT_SATISFIABLE);
                return with_text(outside, header::CONTENT_RANGE, &format!("bytes */{size}"));
            }
        };
        let described = format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1));
        let response = self.dress(Response::file(found.file, part), found.coding);
        let mut response = state.mark(response.with_status(status).with_type(media::of(name)));
        if status == StatusCode::PARTIAL_CONTENT {
            response = with_text(response, header::CONTENT_RANGE, &described);
        }
        let headers = response.headers_mut();
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        response
    }

    fn dress(&self, mut response: Response, coding: Option<&'static str>) -> Response {
        let headers = response.headers_mut();
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if let Some(coding) = coding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        if let Some(value) = &self.cache_control {
            headers.insert(header::CACHE_CONTROL, value.clone());
        }
        response
    }
}

fn with_text(response: Response, name: header::HeaderName, text: &str) -> Response {
    match HeaderValue::from_str(text) {
        Ok(value) => response.with_header(name, value),
        Err(_) => response,
    }
}

impl App {
    /// Serves the files of a folder beneath `prefix`. An example is at [`StaticFiles`].
    pub fn files(self, prefix: &str, files: StaticFiles) -> Self {
        let pattern = format!("{}/{{path:*}}", prefix.trim_end_matches('/'));
        self.add_route(Route::new(
            Method::GET,
            &pattern,
            async move |request: Request| {
                let path = request.match_info("path").unwrap_or("").to_owned();
                files.serve_asked(&request, &path).await
            },
        ))
    }
}

impl Response {
    /// Bytes of a file, read on other threads as fast as the client takes them.
    fn file(file: File, part: std::ops::Range<u64>) -> Self {
        let size = part.end - part.start;
        let pieces = Pieces {
            file: Arc::new(file),
            at: part.start,
            end: part.end,
            reading: None,
        };
        let body = super::body::ResponseBody::pieces(pieces, Some(size));
        Response::streamed("application/octet-stream", body)
    }
}

/// A file that may be served.
struct Found {
    file: File,
    size: u64,
    modified: Option<std::time::SystemTime>,
    coding: Option<&'static str>,
    is_index: bool,
}

impl Found {
    /// Another size or another time, to the nanosecond, is another state.
    fn tag(&self) -> String {
        let modified = self
            .modified
            .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        format!(
            "{:x}-{:x}{}",
            modified.unwrap_or_default().as_nanos(),
            self.size,
            self.coding.unwrap_or("")
        )
    }
}

/// Sends the client to the same path with a slash at its end. The target is relative, so that no path, however odd, leads
/// to another site.
fn to_folder(request: &Request) -> Response {
    let folder = request.raw_path().rsplit('/').next().unwrap_or("");
    let mut target = format!("./{folder}/");
    if let Some(query) = request.0.head.uri.query() {
        target = format!("{target}?{query}");
    }
    Response::redirect_with(StatusCode::PERMANENT_REDIRECT, &target)
}

fn find(root: &OwnedFd, path: &str, codings: &[&'static str]) -> Option<Found> {
    let path = Path::new(path);
    if !is_plain(path) {
        return None;
    }
    if let Some(found) = variant(root, path, codings) {
        return Some(found);
    }
    let index: PathBuf = path.join("index.html");
    let mut found = variant(root, &index, codings)?;
    found.is_index = true;
    Some(found)
}

/// Only names, none of them hidden.
fn is_plain(path: &Path) -> bool {
    let text = path.as_os_str().as_encoded_bytes();
    let odd = text.contains(&0) || text.contains(&b'\\') || text.windows(2).any(|two| two == b"//");
    !odd && path.components().all(|component| match component {
        Component::Normal(name) => !name.as_encoded_bytes().starts_with(b"."),
        _ => false,
    })
}

/// The file, or a variant of it that the client takes; only where there is a file is a variant looked for.
fn variant(root: &OwnedFd, path: &Path, codings: &[&'static str]) -> Option<Found> {
    let plain = open(root, path)?;
    let ending = |coding: &str| VARIANTS.iter().find(|(known, _)| *known == coding);
    for (coding, ending) in codings.iter().filter_map(|coding| ending(coding)) {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        if let Some(mut found) = open(root, Path::new(&name)) {
            found.coding = Some(coding);
            return Some(found);
        }
    }
    Some(plain)
}

/// Opens a regular file beneath the root. Without waiting: a pipe in its place must not hold us up.
fn open(root: &OwnedFd, path: &Path) -> Option<Found> {
    // Large files also where a word has 32 bits: only there is the flag not zero, and not set by the library.
    let flags = OFlag::O_RDONLY
        | OFlag::O_CLOEXEC
        | OFlag::O_NONBLOCK
        | OFlag::O_NOCTTY
        | OFlag::O_LARGEFILE;
    let beneath = ResolveFlag::RESOLVE_BENEATH
        | ResolveFlag::RESOLVE_NO_SYMLINKS
        | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let how = OpenHow::new().flags(flags).resolve(beneath);
    let opened = match openat2(root, path, how) {
        // A kernel before 5.6, or a sandbox that does not know the call.
        Err(Errno::ENOSYS | Errno::EPERM) => walk(root, path, flags),
        opened => opened,
    };
    let file = File::from(opened.ok()?);
    let metadata = file.metadata().ok()?;
    metadata.is_file().then(|| Found {
        file,
        size: metadata.len(),
        modified: metadata.modified().ok(),
        coding: None,
        is_index: false,
    })
}

/// Opens name after name, following no link. The path holds plain names only, so none leads upwards.
fn walk(root: &OwnedFd, path: &Path, flags: OFlag) -> Result<OwnedFd, Errno> {
    let folder = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    let name = path.file_name().ok_or(Errno::ENOENT)?;
    let mut at: Option<OwnedFd> = None;
    for component in path.parent().into_iter().flat_map(Path::components) {
        at = Some(openat(
            at.as_ref().unwrap_or(root),
            component.as_os_str(),
            folder,
            Mode::empty(),
        )?);
    }
    openat(
        at.as_ref().unwrap_or(root),
        name,
        flags | OFlag::O_NOFOLLOW,
        Mode::empty(),
    )
}

/// A part of a file, piece by piece.
struct Pieces {
    file: Arc<File>,
    at: u64,
    end: u64,
    reading: Option<OnThread<io::Result<Bytes>>>,
}

impl Stream for Pieces {
    type Item = Result<Bytes, io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        use std::task::{Poll, ready};
        let this = &mut *self;
        if this.at >= this.end {
            return Poll::Ready(None);
        }
        let reading = this.reading.get_or_insert_with(|| {
            let (file, at) = (this.file.clone(), this.at);
            let size = (this.end - at).min(PIECE) as usize;
            to_thread(move || {
                let mut piece = vec![0; size];
                // A file that has become shorter must not be filled up with zeros.
                file.read_exact_at(&mut piece, at)?;
                Ok(Bytes::from(piece))
            })
        });
        let read = ready!(std::pin::Pin::new(reading).poll(cx));
        this.reading = None;
        let piece = read.map_err(io::Error::other).and_then(|piece| piece);
        if let Ok(piece) = &piece {
            this.at += piece.len() as u64;
        } else {
            this.at = this.end;
        }
        Poll::Ready(Some(piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without openat2, too, links lead nowhere.
    #[test]
    fn the_walk_follows_no_link() -> io::Result<()> {
        let folder = std::env::temp_dir().join(format!("aio-walk-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("sub"))?;
        std::fs::write(folder.join("sub/file"), "x")?;
        std::os::unix::fs::symlink("sub", folder.join("link"))?;
        std::os::unix::fs::symlink("sub/file", folder.join("name"))?;
        let root = StaticFiles::new(&folder)?.root;
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        assert!(walk(&root, Path::new("sub/file"), flags).is_ok());
        for path in ["link/file", "name", "sub/none", ""] {
            assert!(walk(&root, Path::new(path), flags).is_err(), "{path}");
        }
        std::fs::remove_dir_all(folder)
    }
}
