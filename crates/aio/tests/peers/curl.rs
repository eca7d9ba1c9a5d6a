//! curl asks our server.

use std::{process::Command, time::Duration};

use aio::http::{Listener, Server, TestServer};

use super::{Folder, app, certificates};
use crate::{Outcome, on_loop};

/// Runs curl to its end; gives what it prints. `-w` adds what it has seen.
async fn curl(arguments: &[&str]) -> Result<String, Box<dyn std::error::Error>> {
    let mut command = Command::new("curl");
    command
        .args(["-sS", "--max-time", "30", "--noproxy", "*"])
        .args(arguments);
    let output = aio::to_thread(move || command.output()).await??;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
    }
}

fn is(actual: &str, expected: &str) -> Outcome {
    match actual == expected {
        true => Ok(()),
        false => Err(format!("{actual:?} is not {expected:?}").into()),
    }
}

pub fn http1() -> Outcome {
    on_loop(async || {
        let folder = Folder::new("curl-http1")?;
        let server = TestServer::start(app(&folder)?).await?;
        let url = |path: &str| server.url(path);
        let both = [&*url("/hello/a"), &url("/hello/b")];
        let seen = "%{http_version} %{http_code} %{num_connects}\n";
        let text = curl(&["-w", seen, both[0], both[1]]).await?;
        is(&text, "hello, a! 1.1 200 1\nhello, b! 1.1 200 0\n")?;
        let text = curl(&["--http1.0", "-w", "%{http_version}", both[0]]).await?;
        is(&text, "hello, a! 1")?;
        is(
            &curl(&["--compressed", &url("/long")]).await?,
            &"long ".repeat(20_000),
        )?;
        is(
            &curl(&["-L", "-w", " %{num_redirects}", &url("/redirect")]).await?,
            "hello, again!  1",
        )?;
        is(&curl(&["-r", "2-4", &url("/files/digits")]).await?, "234")?;
        is(
            &curl(&["-r", "2-4,6-", "-w", " %{http_code}", &url("/files/digits")]).await?,
            "0123456789 200",
        )?;
        let head = curl(&["-I", "-w", "%{http_code}", &url("/files/digits")]).await?;
        let head = head.to_lowercase();
        assert!(head.contains("content-length: 10\r\n"), "{head}");
        let jar = folder.path().join("jar").display().to_string();
        let visit = ["-b", &jar, "-c", &jar, &url("/visits")];
        is(&curl(&visit).await?, "1")?;
        is(&curl(&visit).await?, "2")?;
        let lines: String = (1..=100).map(|number| format!("line {number}\n")).collect();
        is(&curl(&[&url("/stream")]).await?, &lines)?;
        server.close().await;
        Ok(())
    })
}

pub fn http2() -> Outcome {
    on_loop(async || {
        let folder = Folder::new("curl-http2")?;
        let server = TestServer::start(app(&folder)?).await?;
        let url = |path: &str| server.url(path);
        let prior = "--http2-prior-knowledge";
        is(&curl(&[prior, &url("/version")]).await?, "HTTP/2.0")?;
        let long = "long ".repeat(20_000);
        is(&curl(&[prior, "--compressed", &url("/long")]).await?, &long)?;
        let body = folder.write("body", "0123456789".repeat(50_000))?;
        let echoed = curl(&[prior, "--data-binary", &format!("@{body}"), &url("/echo")]).await?;
        is(&echoed, &"0123456789".repeat(50_000))?;
        // An upgrade is not offered: the answer is HTTP/1.1's.
        is(&curl(&["--http2", &url("/version")]).await?, "HTTP/1.1")?;
        server.close().await;
        Ok(())
    })
}

pub fn tls() -> Outcome {
    on_loop(async || {
        let folder = Folder::new("curl-tls")?;
        let [authority, certificate, key] = certificates()?;
        let authority = folder.write("authority.pem", authority)?;
        let config = aio::tls::ServerConfig::from_pem(certificate, key)?;
        let listener = Listener::tcp("127.0.0.1:0").await?.tls(&config);
        let server = Server::start(app(&folder)?, [listener]).await?;
        let port = server.local_addr().port();
        let host = format!("localhost:{port}:127.0.0.1");
        let url = format!("https://localhost:{port}/version");
        let trusting = ["--resolve", &host, "--cacert", &authority];
        for (choice, version) in [("--http2", "HTTP/2.0"), ("--http1.1", "HTTP/1.1")] {
            let text = curl(&[&trusting[..], &[choice, &url]].concat()).await?;
            is(&text, version)?;
        }
        // Over one connection; without TLS, this version of curl fails at that with any server.
        let paths = (0..50).map(|number| format!("https://localhost:{port}/hello/{number}"));
        let paths: Vec<String> = paths.collect();
        let connects = ["--parallel", "-w", "[%{num_connects}]"];
        let mut many = [&trusting[..], &connects].concat();
        many.extend(paths.iter().map(String::as_str));
        let answers = curl(&many).await?;
        let count = |text: &str| answers.matches(text).count();
        assert_eq!((count("hello, "), count("[0]"), count("[1]")), (50, 49, 1));
        assert!(
            curl(&["--resolve", &host, &url]).await.is_err(),
            "nobody vouches for it"
        );
        server.close(Duration::ZERO).await;
        Ok(())
    })
}

pub fn uploads() -> Outcome {
    on_loop(async || {
        let folder = Folder::new("curl-uploads")?;
        let server = TestServer::start(app(&folder)?).await?;
        let url = |path: &str| server.url(path);
        let body = "0123456789".repeat(50_000);
        let file = folder.write("body", &body)?;
        // Long enough that curl asks with Expect: 100-continue first.
        let expect = ["-H", "Expect: 100-continue", "-T", &file, &url("/echo")];
        is(&curl(&expect).await?, &body)?;
        let chunked = [
            "-H",
            "Transfer-Encoding: chunked",
            "-T",
            &file,
            &url("/echo"),
        ];
        is(&curl(&chunked).await?, &body)?;
        let doc = format!("doc=@{file}");
        is(
            &curl(&["-F", "name=Ann", "-F", &doc, &url("/form")]).await?,
            "name:3 doc:500000",
        )?;
        let json = [
            "-H",
            "Content-Type: application/json",
            "-d",
            "{\"a\":[1]}",
            &url("/json"),
        ];
        is(&curl(&json).await?, "{\"a\":[1]}")?;
        let large = folder.write("large", vec![b'x'; 2 << 20])?;
        let refused = [
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "-T",
            &large,
            &url("/echo"),
        ];
        is(&curl(&refused).await?, "413")?;
        server.close().await;
        Ok(())
    })
}
