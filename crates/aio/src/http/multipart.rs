//! Forms with files, part by part.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use hyper::body::{Body, Incoming};

use super::{
    intake::{Source, broken},
    request::Request,
};
use crate::error::BodyError;

/// A multipart form, whose parts are read one after the other; made by [`Request::multipart`].
pub struct Multipart {
    inner: multer::Multipart<'static>,
    parts: usize,
    most_parts: usize,
    body_limit: usize,
}

/// One part of a multipart form: a field, or a file.
pub struct Part {
    inner: multer::Field<'static>,
    body_limit: usize,
}

impl Request {
    /// The body as a `multipart/form-data` form. Only a piece of it is held at a time, however large the files are; the
    /// whole is held to [`Limits::form_bytes`](super::Limits::form_bytes) and [`Limits::parts`](super::Limits::parts).
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
        let wrong = |got: &str| BodyError::WrongType {
            expected: "multipart/form-data",
            got: got.to_owned(),
        };
        let kind = self
            .header("content-type")
            .ok_or_else(|| wrong("nothing"))?;
        let boundary = multer::parse_boundary(kind).map_err(|_| wrong(kind))?;
        let limits = self.0.body.context.site.limits;
        let sizes = multer::SizeLimit::new().whole_stream(limits.form_bytes);
        let constraints = multer::Constraints::new().size_limit(sizes);
        let source = std::mem::replace(&mut self.0.body.source, Source::Whole(Bytes::new()));
        let stream = match source {
            Source::Whole(bytes) => Frames::Whole(bytes),
            Source::Incoming(incoming) => Frames::Incoming(incoming),
            #[cfg(feature = "tower")]
            Source::Foreign(_) => return Err(wrong("a body of a foreign service")),
        };
        Ok(Multipart {
            inner: multer::Multipart::with_constraints(stream, boundary, constraints),
            parts: 0,
            most_parts: limits.parts,
            body_limit: self.0.body.context.body_limit,
        })
    }
}

/// The pieces of a body, as multer takes them: it wants to be able to leave the thread.
enum Frames {
    Whole(Bytes),
    Incoming(Incoming),
}

impl Stream for Frames {
    type Item = Result<Bytes, hyper::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut *self {
            Frames::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Frames::Whole(bytes) => Poll::Ready(Some(Ok(std::mem::take(bytes)))),
            Frames::Incoming(incoming) => loop {
                let frame = std::task::ready!(Pin::new(&mut *incoming).poll_frame(cx));
                match frame.map(|frame| frame.map(|frame| frame.into_data())) {
                    Some(Ok(Ok(data))) => return Poll::Ready(Some(Ok(data))),
                    Some(Ok(Err(_))) => {}
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => return Poll::Ready(None),
                }
            },
        }
    }
}

impl Multipart {
    /// The next part; `None` after the last. What is left of the one before is skipped.
    ///
    /// # Errors
    ///
    /// [`BodyError::TooLarge`] and [`BodyError::TooManyParts`] (413), [`BodyError::BadForm`] (400),
    /// [`BodyError::TimedOut`] (408), [`BodyError::Broken`] when the client hung up.
    pub async fn next_part(&mut self) -> Result<Option<Part>, BodyError> {
        let Some(inner) = self.inner.next_field().await.map_err(translate)? else {
            return Ok(None);
        };
        self.parts += 1;
        if self.parts > self.most_parts {
            return Err(BodyError::TooManyParts);
        }
        Ok(Some(Part {
            inner,
            body_limit: self.body_limit,
        }))
    }
}

impl Part {
    /// The field's name; empty when the client gave none.
    pub fn name(&self) -> &str {
        self.inner.name().unwrap_or("")
    }

    /// The name of the file on the client's side. The client may have written anything into it: never open it as a path.
    pub fn file_name(&self) -> Option<&str> {
        self.inner.file_name()
    }

    /// The media type, as the client says.
    pub fn content_type(&self) -> Option<&str> {
        let kind = self.inner.headers().get(::http::header::CONTENT_TYPE)?;
        kind.to_str().ok()
    }

    /// The next piece; `None` at the part's end.
    ///
    /// # Errors
    ///
    /// As [`Multipart::next_part`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        self.inner.chunk().await.map_err(translate)
    }

    /// Reads the whole part.
    ///
    /// # Errors
    ///
    /// As [`Multipart::next_part`]; [`BodyError::TooLarge`] above the route's limit for bodies, too.
    pub async fn read(&mut self) -> Result<Bytes, BodyError> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.chunk().await? {
            if whole.len() + piece.len() > self.body_limit {
                return Err(BodyError::TooLarge {
                    limit: self.body_limit,
                });
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
}

fn translate(error: multer::Error) -> BodyError {
    match error {
        multer::Error::StreamSizeExceeded { limit }
        | multer::Error::FieldSizeExceeded { limit, .. } => BodyError::TooLarge {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        },
        multer::Error::StreamReadFailed(error) => broken(&*error),
        other => BodyError::BadForm(other.to_string()),
    }
}

impl fmt::Debug for Multipart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Multipart")
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("name", &self.name())
            .field("file_name", &self.file_name())
            .finish_non_exhaustive()
    }
}
