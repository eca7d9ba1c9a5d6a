//! Forms with files, part by part.

use std::{fmt, fs, io::Write, path::Path, sync::Arc};

use bytes::{Bytes, BytesMut};

use super::{
    boundary::{PartHead, Splitter, Step, boundary},
    intake::Source,
    limits::Limits,
    request::Request,
};
use crate::{error::BodyError, thread::to_thread};

/// A multipart form, whose parts are read one after the other; made by [`Request::multipart`].
pub struct Multipart {
    source: Source,
    splitter: Splitter,
    limits: Limits,
    body_limit: usize,
    parts: usize,
    came: u64,
}

/// One part of a multipart form: a field, or a file. Dropped before its end, the rest of it is skipped.
pub struct Part<'a> {
    form: &'a mut Multipart,
    head: PartHead,
    ended: bool,
}

impl Request {
    /// The body as a `multipart/form-data` form. Only a piece of it is held at a time, however large the files are; the
    /// whole is held to [`Limits::form_bytes`](super::Limits::form_bytes), [`Limits::parts`](super::Limits::parts) and
    /// [`Limits::part_headers`](super::Limits::part_headers).
    /// The body is gone from the request then.
    ///
    /// # Errors
    ///
    /// [`BodyError::WrongType`] (415) when it is no such form.
    ///
    /// ```
    /// use aio::http::{App, Request, Response, TestClient};
    ///
    /// async fn upload(mut request: Request) -> Result<String, Response> {
    ///     let mut form = request.multipart()?;
    ///     let mut said = String::new();
    ///     while let Some(mut part) = form.next_part().await? {
    ///         let (name, file) = (part.name().to_owned(), part.file_name().map(str::to_owned));
    ///         let mut size = 0;
    ///         while let Some(piece) = part.chunk().await? {
    ///             size += piece.len();
    ///         }
    ///         said += &format!("{name} {file:?} {size};");
    ///     }
    ///     Ok(said)
    /// }
    ///
    /// aio::run(async {
    ///     let client = TestClient::new(App::new().post("/", upload)).await?;
    ///     let form = "--x\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b.txt\"\r\n\r\nhello\r\n--x--\r\n";
    ///     let sent = client.post("/").header("content-type", "multipart/form-data; boundary=x").body(form);
    ///     assert_eq!(sent.send().await.text(), "a Some(\"b.txt\") 5;");
    ///     Ok::<(), std::io::Error>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn multipart(&mut self) -> Result<Multipart, BodyError> {
        let kind = self.header("content-type").unwrap_or("nothing");
        let boundary = boundary(kind).ok_or_else(|| BodyError::WrongType {
            expected: "multipart/form-data",
            got: kind.to_owned(),
        })?;
        let limits = self.0.body.context.site.limits;
        Ok(Multipart {
            source: std::mem::replace(&mut self.0.body.source, Source::Whole(Bytes::new())),
            splitter: Splitter::new(&boundary, limits.part_headers),
            limits,
            body_limit: self.0.body.context.body_limit,
            parts: 0,
            came: 0,
        })
    }
}

impl Multipart {
    /// The next part; `None` after the last. What is left of the one before is skipped.
    ///
    /// # Errors
    ///
    /// [`BodyError::TooLarge`] and [`BodyError::TooManyParts`] (413), [`BodyError::BadForm`] (400),
    /// [`BodyError::TimedOut`] (408), [`BodyError::Broken`] when the client hung up.
    pub async fn next_part(&mut self) -> Result<Option<Part<'_>>, BodyError> {
        loop {
            match self.step().await? {
                Step::Headers(headers) => {
                    self.parts += 1;
                    if self.parts > self.limits.parts {
                        return Err(BodyError::TooManyParts);
                    }
                    let head = PartHead::parse(&headers)?;
                    return Ok(Some(Part {
                        form: self,
                        head,
                        ended: false,
                    }));
                }
                Step::End => return Ok(None),
                Step::Data(_) | Step::PartEnd | Step::More => {}
            }
        }
    }

    /// What comes next, when as much of the body has come as it takes.
    async fn step(&mut self) -> Result<Step, BodyError> {
        loop {
            match self.splitter.step()? {
                Step::More => {}
                step => return Ok(step),
            }
            let Some(piece) = self.source.piece().await? else {
                let why = "it ends before its last boundary";
                return Err(BodyError::BadForm(why.to_owned()));
            };
            self.came += piece.len() as u64;
            let limit = self.limits.form_bytes;
            if self.came > limit {
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                return Err(BodyError::TooLarge { limit });
            }
            self.splitter.push(piece);
        }
    }
}

impl Part<'_> {
    /// The field's name; empty when the client gave none.
    pub fn name(&self) -> &str {
        &self.head.name
    }

    /// The name of the file on the client's side. The client may have written anything into it: never open it as a path.
    pub fn file_name(&self) -> Option<&str> {
        self.head.file_name.as_deref()
    }

    /// The media type, as the client says.
    pub fn content_type(&self) -> Option<&str> {
        self.head.content_type.as_deref()
    }

    /// The next piece; `None` at the part's end.
    ///
    /// # Errors
    ///
    /// As [`Multipart::next_part`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        if self.ended {
            return Ok(None);
        }
        match self.form.step().await? {
            Step::Data(data) => Ok(Some(data)),
            _ => {
                self.ended = true;
                Ok(None)
            }
        }
    }

    /// Reads the whole part.
    ///
    /// # Errors
    ///
    /// As [`Multipart::next_part`]; [`BodyError::TooLarge`] above the route's limit for bodies, too.
    pub async fn read(&mut self) -> Result<Bytes, BodyError> {
        let limit = self.form.body_limit;
        let mut whole = BytesMut::new();
        while let Some(piece) = self.chunk().await? {
            if whole.len() + piece.len() > limit {
                return Err(BodyError::TooLarge { limit });
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// Reads the whole part as text.
    ///
    /// # Errors
    ///
    /// As [`read`](Part::read), and [`BodyError::NotText`].
    pub async fn text(&mut self) -> Result<String, BodyError> {
        let bytes = self.read().await?;
        String::from_utf8(bytes.into()).map_err(|_| BodyError::NotText)
    }

    /// Writes the part into a new file, on other threads, and gives its size. Only a piece of it is held at a time; the
    /// form's limits hold. A file that is not finished, since the client hung up or this is dropped, is removed.
    ///
    /// # Errors
    ///
    /// As [`Multipart::next_part`]; [`BodyError::NotStored`] (500) when the file is there already, or cannot be
    /// written.
    ///
    /// ```
    /// use aio::http::{App, Request, Response, TestClient};
    ///
    /// async fn upload(mut request: Request) -> Result<String, Response> {
    ///     let mut form = request.multipart()?;
    ///     let mut saved = 0;
    ///     while let Some(mut part) = form.next_part().await? {
    ///         // A name of our own: the client's may lead anywhere.
    ///         let path = std::env::temp_dir().join(format!("upload-{}", std::process::id()));
    ///         saved += part.save(&path).await?;
    ///         # std::fs::remove_file(path).unwrap();
    ///     }
    ///     Ok(format!("{saved} bytes"))
    /// }
    ///
    /// aio::run(async {
    ///     let client = TestClient::new(App::new().post("/", upload)).await?;
    ///     let form = "--x\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b.txt\"\r\n\r\nhello\r\n--x--\r\n";
    ///     let sent = client.post("/").header("content-type", "multipart/form-data; boundary=x").body(form);
    ///     assert_eq!(sent.send().await.text(), "5 bytes");
    ///     Ok::<(), std::io::Error>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn save(&mut self, path: impl AsRef<Path>) -> Result<u64, BodyError> {
        let path: Arc<Path> = path.as_ref().into();
        let new = path.clone();
        let opened = on_thread(&path, move || fs::File::create_new(new)).await;
        let file = Arc::new(opened?);
        let mut unfinished = Unfinished(Some(path.clone()));
        let mut size = 0;
        while let Some(piece) = self.chunk().await? {
            size += piece.len() as u64;
            let file = file.clone();
            on_thread(&path, move || (&*file).write_all(&piece)).await?;
        }
        unfinished.0 = None;
        Ok(size)
    }
}

/// What files need is done where it blocks nobody.
async fn on_thread<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, BodyError> {
    let done = to_thread(work).await.map_err(std::io::Error::other);
    done.and_then(|done| done)
        .map_err(|error| BodyError::NotStored {
            path: path.to_owned(),
            why: error.to_string(),
        })
}

/// A file that is removed unless it becomes whole.
struct Unfinished(Option<Arc<Path>>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Gone already, or the folder is: nothing is left then, either.
            let _ = fs::remove_file(path);
        }
    }
}

impl fmt::Debug for Multipart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Multipart")
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("name", &self.name())
            .field("file_name", &self.file_name())
            .finish_non_exhaustive()
    }
}
