//! Answers are compressed as the client likes it, where that is of use.
#![cfg(feature = "compress")]

use std::{
    io::{self, Read},
    time::Duration,
};

use aio::http::{App, Gone, Method, Request, Response, StatusCode, TestClient};

fn on_loop(test: impl AsyncFnOnce() -> io::Result<()>) -> io::Result<()> {
    aio::run(aio::wait_for(test(), Duration::from_secs(20)))??
}

#[test]
fn responses_are_compressed_as_the_client_likes_it() -> io::Result<()> {
    on_loop(async || {
        let text = "hello, compression! ".repeat(10_000);
        let (whole, streamed) = (text.clone(), text.clone());
        let app = App::new()
            .compress()
            .get("/text", async move |_: Request| whole.clone())
            .get("/small", async |_: Request| "small")
            .get("/varies", async |_: Request| {
                Response::text("v".repeat(1000)).with_header("vary", "Origin, Accept-Encoding")
            })
            .get("/part", async |_: Request| {
                Response::text("p".repeat(1000)).with_status(StatusCode::PARTIAL_CONTENT)
            })
            .get("/coded", async |_: Request| {
                Response::text("c".repeat(1000)).with_header("content-encoding", "identity")
            })
            .get("/as-it-is", async |_: Request| {
                Response::text("t".repeat(1000)).with_header("cache-control", "no-transform")
            })
            .get("/events", async |_: Request| {
                Response::events(async |events| {
                    events.send(aio::http::Event::new("e".repeat(1000))).await
                })
            })
            .get("/image", async |_: Request| {
                Response::bytes(vec![0; 5000]).with_type("image/png")
            })
            .get("/stream", async move |_: Request| {
                let text = streamed.clone();
                Response::write_with(async move |body| {
                    for piece in text.as_bytes().chunks(7777) {
                        body.write(piece.to_vec()).await?;
                    }
                    Ok::<(), Gone>(())
                })
                .with_type("text/plain")
            });
        let client = TestClient::new(app).await?;
        for path in ["/text", "/stream"] {
            let ask = async |accepted: &str| {
                client
                    .get(path)
                    .header("accept-encoding", accepted)
                    .send()
                    .await
            };
            let plain = ask("identity").await;
            assert_eq!(
                (plain.header("content-encoding"), plain.text()),
                (None, &*text)
            );
            assert_eq!(plain.header("vary"), Some("accept-encoding"));
            let gzip = ask("gzip, br;q=0.5").await;
            assert_eq!(gzip.header("content-encoding"), Some("gzip"));
            let mut out = String::new();
            flate2::read::GzDecoder::new(&gzip.body()[..]).read_to_string(&mut out)?;
            assert!(out == text, "{path}");
            let brotli = ask("br").await;
            assert_eq!(brotli.header("content-encoding"), Some("br"));
            let mut out = String::new();
            brotli::Decompressor::new(&brotli.body()[..], 4096).read_to_string(&mut out)?;
            assert!(out == text, "{path}");
            let zstd = ask("zstd").await;
            assert_eq!(zstd.header("content-encoding"), Some("zstd"));
            assert!(
                zstd::decode_all(&zstd.body()[..])? == text.as_bytes(),
                "{path}"
            );
        }
        let head = client.request(Method::HEAD, "/text");
        let head = head.header("accept-encoding", "gzip").send().await;
        assert_eq!(
            head.header("content-encoding"),
            Some("gzip"),
            "what GET would say"
        );
        let mixed = client
            .get("/varies")
            .header("accept-encoding", "gzip")
            .send()
            .await;
        let vary: Vec<_> = mixed.headers().get_all("vary").iter().collect();
        assert_eq!(vary, ["Origin, Accept-Encoding"], "said once");
        for path in [
            "/small",
            "/image",
            "/part",
            "/events",
            "/coded",
            "/as-it-is",
        ] {
            let answer = client
                .get(path)
                .header("accept-encoding", "gzip")
                .send()
                .await;
            let coding = answer.header("content-encoding");
            assert_eq!(coding, (path == "/coded").then_some("identity"), "{path}");
        }
        Ok(())
    })
}
