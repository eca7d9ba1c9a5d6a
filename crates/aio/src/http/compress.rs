//! Compression of responses, as the client and we agree on it.

use std::{
    io::{self, Write},
    pin::Pin,
    task::{Context, Poll, ready},
};

use ::http::{HeaderValue, StatusCode, header};
use bytes::Bytes;
use hyper::body::{Body, Frame};

use super::{
    app::App,
    body::{BoxError, ResponseBody},
    coding::accepted,
    middleware::Next,
    request::Request,
    response::Response,
};

/// Smaller bodies would hardly shrink.
const LEAST: u64 = 256;
/// How much is compressed before others have their turn.
const PIECE: usize = 32 * 1024;
const BROTLI_BUFFER: usize = 4096;
/// Of 11: more takes longer than the wire saves.
const BROTLI_QUALITY: u32 = 4;
const BROTLI_WINDOW: u32 = 20;
const ZSTD_LEVEL: i32 = 3;

/// Ours, the best first.
const CODINGS: [&str; 3] = ["br", "zstd", "gzip"];

impl App {
    /// Compresses responses with brotli, zstd or gzip, whichever the client likes best.
    ///
    /// Text, JSON, XML and the like are compressed, from 256 bytes on; images, events and what has a coding already are
    /// left as they are, and so is what says `Cache-Control: no-transform`. A page that shows a secret beside what a
    /// stranger can choose should not be compressed: its length may give the secret away.
    ///
    /// ```
    /// use aio::http::{App, Request, TestClient};
    ///
    /// aio::run(async {
    ///     let app = App::new().compress().get("/", async |_: Request| "hello ".repeat(1000));
    ///     let client = TestClient::new(app).await?;
    ///     let answer = client.get("/").header("accept-encoding", "gzip, br").send().await;
    ///     assert_eq!(answer.header("content-encoding"), Some("br"));
    ///     assert!(answer.body().len() < 100);
    ///     Ok::<(), std::io::Error>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn compress(self) -> Self {
        self.wrap(async |request: Request, next: Next| {
            let chosen = accepted(request.headers(), &CODINGS).first().copied();
            let response = next.run(request).await;
            if !is_worth_it(&response) {
                return response;
            }
            encoded(response, chosen)
        })
    }
}

fn is_worth_it(response: &Response) -> bool {
    let headers = response.headers();
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
            .unwrap_or("")
    };
    let kind = text(header::CONTENT_TYPE)
        .split(';')
        .next()
        .unwrap_or("")
        .trim();
    let shrinks = (kind.starts_with("text/") && kind != "text/event-stream")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
        || matches!(
            kind,
            "application/json" | "application/javascript" | "application/xml" | "application/wasm"
        );
    let whole = !matches!(
        response.status(),
        StatusCode::PARTIAL_CONTENT
            | StatusCode::NO_CONTENT
            | StatusCode::NOT_MODIFIED
            | StatusCode::SWITCHING_PROTOCOLS
    );
    shrinks
        && whole
        && !headers.contains_key(header::CONTENT_ENCODING)
        && !text(header::CACHE_CONTROL).contains("no-transform")
        && response.body_size().is_none_or(|size| size >= LEAST)
}

fn encoded(mut response: Response, coding: Option<&'static str>) -> Response {
    let headers = response.headers_mut();
    let lines = headers.get_all(header::VARY).iter();
    let mut varied = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(',').map(str::trim));
    if !varied.any(|name| name == "*" || name.eq_ignore_ascii_case("accept-encoding")) {
        headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    let Some(encoder) = coding.and_then(|coding| Encoder::new(coding).ok()) else {
        return response;
    };
    let (mut head, body) = response.into_http().into_parts();
    let headers = &mut head.headers;
    headers.insert(
        header::CONTENT_ENCODING,
        HeaderValue::from_static(coding.unwrap_or("")),
    );
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::ACCEPT_RANGES);
    // The same meaning, no longer the same bytes.
    let weak = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let weak = weak
        .filter(|tag| !tag.starts_with("W/"))
        .map(|tag| format!("W/{tag}"));
    if let Some(weak) = weak.and_then(|tag| HeaderValue::from_str(&tag).ok()) {
        headers.insert(header::ETAG, weak);
    }
    let body = Compressed {
        plain: body,
        left: Bytes::new(),
        encoder: Some(encoder),
    };
    Response::from_http(::http::Response::from_parts(
        head,
        ResponseBody::foreign(body),
    ))
}

enum Encoder {
    Gzip(flate2::write::GzEncoder<Vec<u8>>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Encoder {
    fn new(coding: &str) -> io::Result<Self> {
        Ok(match coding {
            "br" => Encoder::Brotli(Box::new(brotli::CompressorWriter::new(
                Vec::new(),
                BROTLI_BUFFER,
                BROTLI_QUALITY,
                BROTLI_WINDOW,
            ))),
            "zstd" => Encoder::Zstd(zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?),
            _ => Encoder::Gzip(flate2::write::GzEncoder::new(
                Vec::new(),
                flate2::Compression::fast(),
            )),
        })
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Encoder::Gzip(encoder) => encoder,
            Encoder::Brotli(encoder) => encoder,
            Encoder::Zstd(encoder) => encoder,
        }
    }

    fn take(&mut self) -> Bytes {
        let out = match self {
            Encoder::Gzip(encoder) => encoder.get_mut(),
            Encoder::Brotli(encoder) => encoder.get_mut(),
            Encoder::Zstd(encoder) => encoder.get_mut(),
        };
        Bytes::from(std::mem::take(out))
    }

    fn finish(self) -> io::Result<Bytes> {
        Ok(Bytes::from(match self {
            Encoder::Gzip(encoder) => encoder.finish()?,
            Encoder::Brotli(encoder) => encoder.into_inner(),
            Encoder::Zstd(encoder) => encoder.finish()?,
        }))
    }
}

/// A body on its way through an encoder. What has come is sent on as soon as no more is at hand, so a slow stream is not
/// held back.
struct Compressed {
    plain: ResponseBody,
    left: Bytes,
    /// None when all has been given out.
    encoder: Option<Encoder>,
}

impl Body for Compressed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        loop {
            let Some(encoder) = &mut this.encoder else {
                return Poll::Ready(None);
            };
            if this.left.is_empty() {
                let next = ready!(Pin::new(&mut this.plain).poll_frame(cx));
                match next {
                    Some(Ok(frame)) => this.left = frame.into_data().unwrap_or_default(),
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => {
                        let last = this.encoder.take().map(Encoder::finish).transpose()?;
                        let last = last.filter(|last| !last.is_empty());
                        return Poll::Ready(last.map(|last| Ok(Frame::data(last))));
                    }
                }
            }
            let piece = this.left.split_to(this.left.len().min(PIECE));
            encoder.writer().write_all(&piece)?;
            if this.left.is_empty() && !this.plain.is_end_stream() && this.plain.is_lazy() {
                encoder.writer().flush()?;
            }
            let out = encoder.take();
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(out))));
            }
        }
    }
}
