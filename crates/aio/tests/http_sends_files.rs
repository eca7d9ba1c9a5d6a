//! Static files: ranges, conditions, variants, and what must never be served. Compression and forms with files.
#![cfg(feature = "http")]

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use aio::http::{App, Method, Request, Response, Route, StaticFiles, TestClient, Validators};

fn on_loop(test: impl AsyncFnOnce() -> io::Result<()>) -> io::Result<()> {
    aio::run(aio::wait_for(test(), Duration::from_secs(20)))??
}

/// A folder of its own for one test; removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("aio-{name}-{}", std::process::id()));
        fs::create_dir_all(folder.join("public/sub"))?;
        fs::write(folder.join("public/a.txt"), "0123456789")?;
        fs::write(folder.join("public/empty.txt"), "")?;
        fs::write(folder.join("public/sub/index.html"), "<p>index</p>")?;
        fs::write(folder.join("public/big.bin"), vec![7; 300_000])?;
        fs::write(folder.join("secret.txt"), "secret")?;
        Ok(Folder(folder))
    }

    fn public(&self, name: &str) -> PathBuf {
        self.0.join("public").join(name)
    }

    async fn client(&self) -> io::Result<TestClient> {
        let files = StaticFiles::new(self.0.join("public"))?.cache_control("max-age=60");
        TestClient::new(App::new().files("/static", files)).await
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that cannot be removed is the system's concern.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_file_is_sent_whole_or_in_part() -> io::Result<()> {
    on_loop(async || {
        let folder = Folder::new("parts")?;
        let client = folder.client().await?;
        let whole = client.get("/static/a.txt").send().await;
        assert_eq!((whole.status().as_u16(), whole.text()), (200, "0123456789"));
        assert_eq!(
            whole.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        assert_eq!(whole.header("cache-control"), Some("max-age=60"));
        assert_eq!(
            client.get("/static/big.bin").send().await.body().len(),
            300_000
        );
        assert_eq!(
            client.get("/static/sub/").send().await.text(),
            "<p>index</p>"
        );
        assert_eq!(client.get("/static/empty.txt").send().await.text(), "");
        for (range, status, expected) in [
            ("bytes=2-4", 206, "234"),
            ("Bytes=2-4", 206, "234"),
            ("bytes=7-", 206, "789"),
            ("bytes=-3", 206, "789"),
            ("bytes=-30", 206, "0123456789"),
            ("bytes=5-99999999999999999999999", 206, "56789"),
            ("bytes=0-,0-,0-", 200, "0123456789"),
            ("bytes=a-b", 200, "0123456789"),
            ("lines=1-2", 200, "0123456789"),
        ] {
            let answer = client
                .get("/static/a.txt")
                .header("range", range)
                .send()
                .await;
            assert_eq!(
                (answer.status().as_u16(), answer.text()),
                (status, expected),
                "{range}"
            );
        }
        let part = client
            .get("/static/a.txt")
            .header("range", "bytes=2-4")
            .send()
            .await;
        assert_eq!(part.header("content-range"), Some("bytes 2-4/10"));
        let asked = client.request(Method::HEAD, "/static/a.txt");
        let head = asked.header("range", "bytes=2-4").send().await;
        let length = head.header("accept-ranges");
        assert_eq!(
            (head.status().as_u16(), length),
            (200, Some("bytes")),
            "ranges are GET's alone"
        );
        for outside in ["bytes=10-", "bytes=-0", "bytes=5-2"] {
            let answer = client
                .get("/static/a.txt")
                .header("range", outside)
                .send()
                .await;
            assert_eq!(answer.status(), 416, "{outside}");
            assert_eq!(answer.header("content-range"), Some("bytes */10"));
        }
        Ok(())
    })
}

/// Links within an index are relative to the folder, so its path must end with a slash.
#[test]
fn a_folders_index_is_at_its_path_with_a_slash() -> io::Result<()> {
    on_loop(async || {
        let folder = Folder::new("index")?;
        fs::create_dir(folder.public("a b:c"))?;
        fs::write(folder.public("a b:c/index.html"), "odd")?;
        let client = folder.client().await?;
        let index = client.get("/static/sub/").send().await;
        assert_eq!(
            (index.status().as_u16(), index.text()),
            (200, "<p>index</p>")
        );
        assert_eq!(
            index.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        for (path, to) in [
            ("/static/sub?x=1", "./sub/?x=1"),
            ("/static/a%20b:c", "./a%20b:c/"),
        ] {
            let answer = client.get(path).send().await;
            let location = answer.header("location").map(str::to_owned);
            assert_eq!(
                (answer.status().as_u16(), location.as_deref()),
                (308, Some(to)),
                "{path}"
            );
        }
        assert_eq!(client.get("/static/a.txt/").send().await.status(), 404);
        Ok(())
    })
}

#[test]
fn what_the_client_has_is_not_sent_again() -> io::Result<()> {
    on_loop(async || {
        let folder = Folder::new("known")?;
        let client = folder.client().await?;
        let first = client.get("/static/a.txt").send().await;
        let (tag, date) = (
            first.header("etag").unwrap(),
            first.header("last-modified").unwrap(),
        );
        let old = "Mon, 01 Jan 2001 00:00:00 GMT";
        for (header, value, status) in [
            ("if-none-match", tag, 304),
            ("if-none-match", "\"other\", *", 200),
            ("if-none-match", "\"other\"", 200),
            ("if-modified-since", date, 304),
            ("if-modified-since", old, 200),
            ("if-match", tag, 200),
            ("if-match", "\"other\"", 412),
            ("if-unmodified-since", old, 412),
            ("if-unmodified-since", date, 200),
        ] {
            let answer = client
                .get("/static/a.txt")
                .header(header, value)
                .send()
                .await;
            assert_eq!(answer.status(), status, "{header}: {value}");
        }
        for (condition, status) in [(tag, 206), ("\"other\"", 200), (date, 206), (old, 200)] {
            let asked = client.get("/static/a.txt").header("range", "bytes=0-1");
            assert_eq!(
                asked.header("if-range", condition).send().await.status(),
                status,
                "{condition}"
            );
        }
        fs::write(folder.public("a.txt"), "changed")?;
        let answer = client
            .get("/static/a.txt")
            .header("if-none-match", tag)
            .send()
            .await;
        assert_eq!(answer.text(), "changed");
        Ok(())
    })
}

#[test]
fn conditions_are_weighed_as_the_standard_says() -> io::Result<()> {
    on_loop(async || {
        let guarded = |validators: Validators| {
            Route::any("/", async move |request: Request| {
                let whole = || validators.mark(Response::text("whole"));
                validators.check(&request).unwrap_or_else(whole)
            })
        };
        let strong = || Validators::new().etag("a,b");
        let weak = || Validators::new().weak_etag("a,b");
        let dated = || Validators::new().modified(SystemTime::UNIX_EPOCH);
        for (validators, header, value, status) in [
            (strong(), "if-none-match", "\"x\", \"a,b\"", 304),
            (strong(), "if-none-match", "W/\"a,b\"", 304),
            (strong(), "if-none-match", "\"b\"", 200),
            (strong(), "if-match", "\"a,b\"", 200),
            (strong(), "if-match", "W/\"a,b\"", 412),
            (weak(), "if-match", "W/\"a,b\"", 412),
            (weak(), "if-match", "*", 200),
            (weak(), "if-none-match", "*", 304),
            (dated(), "if-match", "*", 200),
            (dated(), "if-match", "\"a\"", 412),
            (dated(), "if-none-match", "*", 304),
        ] {
            let client = TestClient::new(App::new().add_route(guarded(validators))).await?;
            let answer = client.get("/").header(header, value).send().await;
            assert_eq!(answer.status(), status, "{header}: {value}");
        }
        let client = TestClient::new(App::new().add_route(guarded(strong()))).await?;
        let twice = client.get("/").header("if-none-match", "\"x\"");
        let twice = twice.header("if-none-match", "\"a,b\"").send().await;
        assert_eq!(twice.status(), 304, "a list may have several lines");
        Ok(())
    })
}

#[test]
fn a_variant_is_sent_to_who_takes_it_and_checked_as_strictly() -> io::Result<()> {
    on_loop(async || {
        let folder = Folder::new("variants")?;
        fs::write(folder.public("a.txt.gz"), "gzipped")?;
        fs::write(folder.public("a.txt.br"), "brotli")?;
        fs::write(folder.public("a.txt.zst"), "zstandard")?;
        symlink(folder.0.join("secret.txt"), folder.public("big.bin.gz"))?;
        let client = folder.client().await?;
        for (accepted, coding, text) in [
            ("gzip, br", Some("br"), "brotli"),
            ("gzip", Some("gzip"), "gzipped"),
            ("br;q=0, gzip", Some("gzip"), "gzipped"),
            ("br;q=0.5, gzip;q=0.8, zstd;q=0.6", Some("gzip"), "gzipped"),
            ("br;q=0.5, zstd;q=0.6", Some("zstd"), "zstandard"),
            ("gzip;q=0.2, identity", None, "0123456789"),
            ("*;q=0.1", Some("br"), "brotli"),
            ("identity", None, "0123456789"),
        ] {
            let answer = client
                .get("/static/a.txt")
                .header("accept-encoding", accepted)
                .send()
                .await;
            assert_eq!(
                (answer.header("content-encoding"), answer.text()),
                (coding, text),
                "{accepted}"
            );
            assert_eq!(answer.header("vary"), Some("accept-encoding"));
            assert_eq!(
                answer.header("content-type"),
                Some("text/plain; charset=utf-8")
            );
        }
        let coded = async |header: &str, value: &str| {
            let asked = client.get("/static/a.txt").header("accept-encoding", "br");
            asked.header(header, value).send().await
        };
        let brotli = coded("range", "bytes=0-1").await;
        assert_eq!(
            (brotli.status().as_u16(), brotli.text()),
            (206, "br"),
            "a part of the coded file"
        );
        let tag = brotli.header("etag").unwrap_or("none").to_owned();
        let plain = client.get("/static/a.txt").send().await;
        assert_ne!(
            plain.header("etag"),
            Some(&*tag),
            "other bytes, another tag"
        );
        let known = coded("if-none-match", &tag).await;
        assert_eq!(
            (known.status().as_u16(), known.header("vary")),
            (304, Some("accept-encoding"))
        );
        assert_eq!(known.header("content-encoding"), None, "nothing is coded");
        let linked = client
            .get("/static/big.bin")
            .header("accept-encoding", "gzip")
            .send()
            .await;
        assert_eq!(
            (linked.header("content-encoding"), linked.body().len()),
            (None, 300_000)
        );
        Ok(())
    })
}

#[test]
fn no_path_leads_out_of_the_folder() -> io::Result<()> {
    on_loop(async || {
        let folder = Folder::new("outside")?;
        symlink(folder.0.join("secret.txt"), folder.public("link.txt"))?;
        symlink(&folder.0, folder.public("up"))?;
        symlink("a.txt", folder.public("inside.txt"))?;
        symlink("/proc/self/root", folder.public("magic"))?;
        fs::write(folder.public(".hidden"), "hidden")?;
        fs::create_dir(folder.public(".git"))?;
        fs::write(folder.public(".git/config"), "hidden")?;
        let made = std::process::Command::new("mkfifo")
            .arg(folder.public("pipe"))
            .status()?;
        assert!(made.success());
        let client = folder.client().await?;
        for path in [
            "/static/../secret.txt",
            "/static/%2e%2e%2fsecret.txt",
            "/static/..%5csecret.txt",
            "/static/%252e%252e/secret.txt",
            "/static//etc/passwd",
            "/static/%2fetc%2fpasswd",
            "/static/sub/../a.txt",
            "/static/./a.txt",
            "/static/link.txt",
            "/static/up/secret.txt",
            "/static/inside.txt",
            "/static/magic/etc/passwd",
            "/static/.hidden",
            "/static/.git/config",
            "/static/pipe",
            "/static/",
            "/static/none.txt",
        ] {
            let answer = client.get(path).send().await;
            assert_eq!(answer.status(), 404, "{path}: {}", answer.text());
        }
        assert!(StaticFiles::new(folder.public("none")).is_err());
        Ok(())
    })
}

#[cfg(feature = "compress")]
#[test]
fn responses_are_compressed_as_the_client_likes_it() -> io::Result<()> {
    use aio::http::{Gone, Request, Response};
    use std::io::Read;
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
                Response::text("p".repeat(1000)).with_status(aio::http::StatusCode::PARTIAL_CONTENT)
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
        let head = client.request(aio::http::Method::HEAD, "/text");
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

#[cfg(feature = "multipart")]
#[test]
fn a_form_with_files_is_read_part_by_part_and_held_to_its_limits() -> io::Result<()> {
    use aio::http::Limits;
    on_loop(async || {
        let app = App::new()
            .limits(Limits {
                parts: 3,
                form_bytes: 2000,
                body: 1000,
                ..Limits::default()
            })
            .post("/", async |mut request: Request| {
                let mut form = request.multipart()?;
                let mut said = String::new();
                while let Some(mut part) = form.next_part().await? {
                    said += part.name();
                    said += "=";
                    said += &part.text().await?;
                    said += ";";
                }
                Ok::<_, Response>(Response::text(said))
            });
        let client = TestClient::new(app).await?;
        let part = |name: &str, value: &str| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let post = async |body: String| {
            let kind = "multipart/form-data; boundary=b";
            client
                .post("/")
                .header("content-type", kind)
                .body(body)
                .send()
                .await
        };
        let good = post(part("a", "1") + &part("b", "two") + "--b--\r\n").await;
        assert_eq!(good.text(), "a=1;b=two;");
        assert_eq!(
            post(part("a", "1").repeat(4) + "--b--\r\n").await.status(),
            413
        );
        assert_eq!(
            post(part("a", &"x".repeat(1500)) + "--b--\r\n")
                .await
                .status(),
            413
        );
        assert_eq!(
            post(part("a", &"x".repeat(3000)) + "--b--\r\n")
                .await
                .status(),
            413
        );
        assert_eq!(post(part("a", "1")).await.status(), 400, "it does not end");
        assert_eq!(client.post("/").body("x").send().await.status(), 415);
        Ok(())
    })
}

/// What a layer counts is counted over all requests.
#[cfg(feature = "tower")]
#[test]
fn a_tower_layer_is_one_for_all_requests() -> io::Result<()> {
    use aio::http::Request;
    use std::{cell::Cell, rc::Rc};
    on_loop(async || {
        let (now, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (count, peak) = (now.clone(), most.clone());
        let app = App::new()
            .layer(tower::limit::ConcurrencyLimitLayer::new(2))
            .get("/", async move |_: Request| {
                count.set(count.get() + 1);
                peak.set(peak.get().max(count.get()));
                aio::sleep(Duration::from_millis(2)).await;
                count.set(count.get() - 1);
                "ok"
            });
        let client = Rc::new(TestClient::new(app).await?);
        let asking: Vec<_> = (0..10)
            .map(|_| {
                let client = client.clone();
                aio::create_task(async move { client.get("/").send().await.status().as_u16() })
            })
            .collect();
        let answers = aio::gather(asking).await.map_err(io::Error::other)?;
        assert_eq!(answers, [200; 10]);
        assert_eq!((now.get(), most.get()), (0, 2));
        Ok(())
    })
}

/// Pages of other sites may ask: tower-http's layer.
#[cfg(feature = "tower")]
#[test]
fn cross_origin_requests_are_allowed_by_a_layer_of_tower_http() -> io::Result<()> {
    use aio::http::Request;
    use tower_http::cors::CorsLayer;
    on_loop(async || {
        let cors = CorsLayer::new()
            .allow_origin(["https://shop.example".parse().map_err(io::Error::other)?])
            .allow_methods([Method::PUT]);
        let app = App::new()
            .layer(cors)
            .put("/cart", async |_: Request| "put");
        let client = TestClient::new(app).await?;
        let preflight = client
            .request(Method::OPTIONS, "/cart")
            .header("origin", "https://shop.example")
            .header("access-control-request-method", "PUT");
        let preflight = preflight.send().await;
        assert_eq!(preflight.status(), 200);
        assert_eq!(
            preflight.header("access-control-allow-methods"),
            Some("PUT")
        );
        let asked = client.put("/cart").header("origin", "https://shop.example");
        let answer = asked.send().await;
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some("https://shop.example")
        );
        let stranger = client
            .put("/cart")
            .header("origin", "https://evil.example")
            .send()
            .await;
        assert_eq!(stranger.header("access-control-allow-origin"), None);
        let unknown = client
            .get("/none")
            .header("origin", "https://shop.example")
            .send()
            .await;
        assert_eq!(
            unknown.header("access-control-allow-origin"),
            Some("https://shop.example")
        );
        Ok(())
    })
}

#[cfg(feature = "tower")]
#[test]
fn a_tower_service_answers_beneath_its_prefix() -> io::Result<()> {
    use aio::http::RequestBody;
    on_loop(async || {
        let service = tower::service_fn(async |request: http::Request<RequestBody>| {
            Ok::<_, String>(http::Response::new(request.uri().path().to_owned()))
        });
        let failing = tower::service_fn(async |_: http::Request<RequestBody>| {
            Err::<http::Response<String>, _>("broken")
        });
        let app = App::new()
            .mount_service("/tower", service)
            .mount_service("/fails", failing)
            .get("/own", async |_: Request| "own");
        aio::get_running_loop()?.set_exception_handler(|_| {});
        let client = TestClient::new(app).await?;
        assert_eq!(
            client.delete("/tower/a/b").send().await.text(),
            "/tower/a/b"
        );
        assert_eq!(client.get("/fails/x").send().await.status(), 500);
        assert_eq!(client.get("/own").send().await.text(), "own");
        Ok(())
    })
}

/// Sent over a socket, a piece at a time: what a form has not said yet is waited for, and no more than a piece is held.
#[cfg(feature = "multipart")]
mod forms {
    use super::*;
    use aio::http::{Request, Response, Server};

    /// Reads the parts called `read`, skips others, and tells what it saw.
    async fn told(mut request: Request) -> Result<String, Response> {
        let mut form = request.multipart()?;
        let mut told = String::new();
        while let Some(mut part) = form.next_part().await? {
            told += part.name();
            if part.name() == "read" {
                told += &format!("={}", part.text().await?.len());
            }
            told += ";";
        }
        Ok(told)
    }

    async fn post(body: &[&[u8]]) -> io::Result<String> {
        let server = Server::bind(App::new().post("/", told), "127.0.0.1:0").await?;
        let (mut reader, writer) = aio::open_connection(server.local_addr()).await?;
        let length: usize = body.iter().map(|piece| piece.len()).sum();
        writer.write(
            format!(
                "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\
                 Content-Type: multipart/form-data; boundary=b\r\n\r\n"
            )
            .as_bytes(),
        );
        for piece in body {
            writer.write(piece);
            // The server may have refused it by now; its answer tells.
            let _ = writer.drain().await;
            aio::yield_now().await;
        }
        let answer = reader.read_to_end().await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    #[test]
    fn a_form_is_read_as_it_comes_and_parts_may_be_skipped() -> io::Result<()> {
        on_loop(async || {
            let head = |name: &str| {
                format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n")
                    .into_bytes()
            };
            let long = vec![b'-'; 500_000];
            let answer = post(&[
                &head("skipped"),
                &long,
                b"\r\n",
                &head("read"),
                &long,
                b"\r\n--b--\r\n",
            ])
            .await?;
            assert!(answer.ends_with("skipped;read=500000;"), "{answer}");
            // Nobody reads the part that has no end: it must not be waited for any longer than the body.
            let endless = post(&[&head("skipped"), b"the body ends here"]).await?;
            assert!(endless.starts_with("HTTP/1.1 400 "), "{endless}");
            assert!(endless.contains("before its last boundary"), "{endless}");
            let headers = post(&[b"--b\r\nX: ", &long, b"\r\n\r\n\r\n--b--"]).await?;
            assert!(headers.starts_with("HTTP/1.1 400 "), "{headers}");
            assert!(headers.contains("8192 bytes"), "{headers}");
            Ok(())
        })
    }

    #[test]
    fn a_file_goes_to_the_disk_or_leaves_nothing_there() -> io::Result<()> {
        on_loop(async || {
            let folder = Folder::new("saved")?;
            let path = folder.public("upload");
            let to = path.clone();
            let app = App::new().post("/", async move |mut request: Request| {
                let mut form = request.multipart()?;
                let mut part = form
                    .next_part()
                    .await?
                    .ok_or(aio::http::StatusCode::BAD_REQUEST)?;
                let size = part.save(&to).await?;
                Ok::<_, Response>(Response::text(size.to_string()))
            });
            aio::get_running_loop()?.set_exception_handler(|_| {});
            let client = TestClient::new(app).await?;
            let send = async |end: &str| {
                let body = format!("--b\r\n\r\n{}{end}", "x".repeat(200_000));
                let kind = "multipart/form-data; boundary=b";
                client
                    .post("/")
                    .header("content-type", kind)
                    .body(body)
                    .send()
                    .await
            };
            let broken = send("").await;
            assert_eq!((broken.status().as_u16(), path.exists()), (400, false));
            assert_eq!(send("\r\n--b--").await.text(), "200000");
            assert_eq!(fs::read(&path)?, vec![b'x'; 200_000]);
            let again = send("\r\n--b--").await;
            assert_eq!(again.status(), 500, "nothing is overwritten");
            assert!(
                !again.text().contains("upload"),
                "the client is not told where"
            );
            Ok(())
        })
    }
}
