//! Forms with files.

use std::{fmt, io, path::Path};

use bytes::Bytes;
use futures_core::Stream;

use super::upload::{self, Chain, Pieces, Upload};
use crate::http::body::BoxError;
use crate::http::media;

/// A form whose fields may be files, as browsers send it: `multipart/form-data`.
///
/// Files are read while they are sent. A form of texts and bytes alone can be sent again after a redirect.
///
/// ```
/// use aio::http::{App, ClientSession, FormData, Request, TestServer};
///
/// aio::run(async {
///     let app = App::new().post("/", async |mut request: Request| request.text().await);
///     let server = TestServer::start(app).await?;
///     let form = FormData::new()
///         .text("name", "Ann")
///         .bytes("picture", "ann.png", &b"..."[..]);
///     let answer = ClientSession::new()?.post(&server.url("/")).multipart(form).send().await?;
///     assert!(answer.text().await?.contains("filename=\"ann.png\"\r\nContent-Type: image/png"));
///     Ok::<(), Box<dyn std::error::Error>>(())
/// })??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct FormData {
    fields: Vec<Field>,
}

struct Field {
    head: String,
    content: Content,
}

enum Content {
    Whole(Bytes),
    Stream(Pieces, Option<u64>),
}

impl FormData {
    /// A form without fields.
    pub fn new() -> Self {
        FormData::default()
    }

    /// Adds a field of text.
    pub fn text(mut self, name: &str, value: impl Into<String>) -> Self {
        let head = format!("name=\"{}\"", escaped(name));
        self.add(head, Content::Whole(value.into().into()));
        self
    }

    /// Adds a file whose content is at hand. Its media type follows from its name.
    pub fn bytes(mut self, name: &str, file: &str, content: impl Into<Bytes>) -> Self {
        self.add(of_file(name, file), Content::Whole(content.into()));
        self
    }

    /// Adds a file of the disk under its own name. It is opened now, and read while it is sent.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened.
    pub async fn file(mut self, name: &str, path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let (pieces, length) = upload::open(path).await?;
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        self.add(of_file(name, &file), Content::Stream(pieces, Some(length)));
        Ok(self)
    }

    /// Adds a file whose content a stream gives. With its length, the whole form's length is told to the server.
    ///
    /// # Panics
    ///
    /// Outside of a loop: a task of the loop reads the stream.
    pub fn stream<S, E>(mut self, name: &str, file: &str, length: Option<u64>, content: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + 'static,
        E: Into<BoxError> + 'static,
    {
        let content = Content::Stream(upload::pumped(content), length);
        self.add(of_file(name, file), content);
        self
    }

    fn add(&mut self, disposition: String, content: Content) {
        let head = format!("Content-Disposition: form-data; {disposition}\r\n\r\n");
        self.fields.push(Field { head, content });
    }

    /// The value for `Content-Type`, and the body.
    pub(super) fn encode(self) -> (String, Upload) {
        let boundary = boundary();
        let kind = format!("multipart/form-data; boundary={boundary}");
        let (mut done, mut text, mut length) = (Vec::new(), Vec::new(), Some(0));
        for field in self.fields {
            text.extend_from_slice(format!("--{boundary}\r\n{}", field.head).as_bytes());
            match field.content {
                Content::Whole(bytes) => text.extend_from_slice(&bytes),
                Content::Stream(pieces, of_stream) => {
                    length = of_stream.and_then(|more| Some(length? + text.len() as u64 + more));
                    done.push(once(std::mem::take(&mut text)));
                    done.push(pieces);
                }
            }
            text.extend_from_slice(b"\r\n");
        }
        text.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        if done.is_empty() {
            return (kind, Upload::Whole(text.into()));
        }
        let length = length.map(|length| length + text.len() as u64);
        done.push(once(text));
        let all = upload::boxed(Chain(done.into_iter(), None));
        (kind, Upload::Once(Some((all, length))))
    }
}

fn of_file(name: &str, file: &str) -> String {
    let (name, kind) = (escaped(name), media::of(file));
    let file = escaped(file);
    format!("name=\"{name}\"; filename=\"{file}\"\r\nContent-Type: {kind}")
}

/// As browsers escape names, so that none can end its own header.
fn escaped(name: &str) -> String {
    name.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// What no content has: 128 bits that nobody knows beforehand.
fn boundary() -> String {
    let mut bytes = [0; 16];
    // Without randomness the boundary is still one that hardly any content has.
    let _ = getrandom::fill(&mut bytes);
    format!("aio-form-{:032x}", u128::from_le_bytes(bytes))
}

fn once(bytes: Vec<u8>) -> Pieces {
    struct Once(Option<Bytes>);
    impl Stream for Once {
        type Item = io::Result<Bytes>;

        fn poll_next(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Self::Item>> {
            std::task::Poll::Ready(self.0.take().map(Ok))
        }
    }
    upload::boxed(Once(Some(bytes.into())))
}

impl fmt::Debug for FormData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormData")
            .field("fields", &self.fields.len())
            .finish()
    }
}
