//! Static files: ranges, conditions, variants, and what must never be served.
#![cfg(feature = "http")]

#[path = "common/folder.rs"]
mod folder;

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use aio::http::{App, Method, Request, Response, Route, StaticFiles, TestClient, Validators};
use folder::Folder;

fn on_loop(test: impl AsyncFnOnce() -> io::Result<()>) -> io::Result<()> {
    aio::run(aio::wait_for(test(), Duration::from_secs(20)))??
}

/// A folder with a part that is for all, and one that is not.
struct Site(Folder);

impl Site {
    fn new(name: &str) -> io::Result<Self> {
        let site = Site(Folder::new(name)?);
        fs::create_dir_all(site.public("sub"))?;
        fs::write(site.public("a.txt"), "0123456789")?;
        fs::write(site.public("empty.txt"), "")?;
        fs::write(site.public("sub/index.html"), "<p>index</p>")?;
        fs::write(site.public("big.bin"), vec![7; 300_000])?;
        fs::write(site.0.path().join("secret.txt"), "secret")?;
        Ok(site)
    }

    fn public(&self, name: &str) -> PathBuf {
        self.0.path().join("public").join(name)
    }

    async fn client(&self) -> io::Result<TestClient> {
        let files = StaticFiles::new(self.public(""))?.cache_control("max-age=60");
        TestClient::new(App::new().files("/static", files)).await
    }
}

#[test]
fn a_file_is_sent_whole_or_in_part() -> io::Result<()> {
    on_loop(async || {
        let site = Site::new("parts")?;
        let client = site.client().await?;
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
        let site = Site::new("index")?;
        fs::create_dir(site.public("a b:c"))?;
        fs::write(site.public("a b:c/index.html"), "odd")?;
        let client = site.client().await?;
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
        let site = Site::new("known")?;
        let client = site.client().await?;
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
        fs::write(site.public("a.txt"), "changed")?;
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
        let site = Site::new("variants")?;
        fs::write(site.public("a.txt.gz"), "gzipped")?;
        fs::write(site.public("a.txt.br"), "brotli")?;
        fs::write(site.public("a.txt.zst"), "zstandard")?;
        symlink(site.0.path().join("secret.txt"), site.public("big.bin.gz"))?;
        let client = site.client().await?;
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
        let site = Site::new("outside")?;
        symlink(site.0.path().join("secret.txt"), site.public("link.txt"))?;
        symlink(site.0.path(), site.public("up"))?;
        symlink("a.txt", site.public("inside.txt"))?;
        symlink("/proc/self/root", site.public("magic"))?;
        fs::write(site.public(".hidden"), "hidden")?;
        fs::create_dir(site.public(".git"))?;
        fs::write(site.public(".git/config"), "hidden")?;
        let made = std::process::Command::new("mkfifo")
            .arg(site.public("pipe"))
            .status()?;
        assert!(made.success());
        let client = site.client().await?;
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
        assert!(StaticFiles::new(site.public("none")).is_err());
        Ok(())
    })
}
