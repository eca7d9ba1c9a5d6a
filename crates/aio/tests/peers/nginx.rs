//! Our client asks nginx.

use std::{
    cell::Cell,
    net::TcpListener,
    process::{Child, Command, Stdio},
    rc::Rc,
    time::Duration,
};

use aio::http::{ClientSession, TraceEvent, Version};

use super::{Folder, certificates, runs};
use crate::{Outcome, on_loop};

/// Debian puts it where users' paths do not lead.
const PROGRAMS: [&str; 2] = ["nginx", "/usr/sbin/nginx"];

/// How it is started, if it is there.
pub fn program() -> Option<&'static str> {
    PROGRAMS.into_iter().find(|program| runs(program, &["-v"]))
}

/// nginx, serving a folder with the file `digits` and the larger `long`.
struct Nginx {
    child: Child,
    port: u16,
    authority: String,
    _folder: Folder,
}

impl Nginx {
    /// Three times: the port that was free may be somebody else's by now.
    async fn start(name: &str, of_listener: &str) -> Result<Self, Box<dyn std::error::Error>> {
        for _ in 0..2 {
            if let Ok(nginx) = Nginx::try_to_start(name, of_listener).await {
                return Ok(nginx);
            }
        }
        Nginx::try_to_start(name, of_listener).await
    }

    async fn try_to_start(
        name: &str,
        of_listener: &str,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let folder = Folder::new(name)?;
        let [authority, certificate, key] = certificates()?;
        folder.write("certificate.pem", certificate)?;
        folder.write("key.pem", key)?;
        folder.write("digits", "0123456789")?;
        folder.write("long", "long ".repeat(20_000))?;
        // Nobody hands nginx a port: it takes the one that was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let root = folder.path().display();
        let config = format!(
            "daemon off; master_process off; pid {root}/pid; error_log {root}/log;
            events {{ worker_connections 64; }}
            http {{
                access_log off; types {{ }} default_type text/plain;
                client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;
                uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
                gzip on; gzip_types text/plain; keepalive_timeout 60; keepalive_requests 3;
                server {{
                    listen 127.0.0.1:{port} {of_listener}; root {root};
                    ssl_certificate {root}/certificate.pem; ssl_certificate_key {root}/key.pem;
                    location /moved {{ return 301 /digits; }}
                }}
            }}"
        );
        let config = folder.write("nginx.conf", config)?;
        let mut command = Command::new(program().ok_or("it is there")?);
        command.args(["-c", &config, "-e", &format!("{root}/log")]);
        let child = command.stderr(Stdio::null()).spawn()?;
        let mut nginx = Nginx {
            child,
            port,
            authority,
            _folder: folder,
        };
        while aio::open_connection(("127.0.0.1", port)).await.is_err() {
            if let Some(status) = nginx.child.try_wait()? {
                return Err(format!("nginx does not start: {status}").into());
            }
            aio::sleep(Duration::from_millis(10)).await;
        }
        Ok(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn files() -> Outcome {
    on_loop(async || {
        let nginx = Nginx::start("nginx-files", "").await?;
        let session = ClientSession::builder()
            .no_proxy()
            .base_url(&format!("http://127.0.0.1:{}/", nginx.port))
            .build()?;
        let whole = session.get("digits").send().await?;
        assert_eq!(whole.content_length(), Some(10));
        let tag = whole.header("etag").ok_or("nginx gives one")?.to_owned();
        assert_eq!(whole.text().await?, "0123456789");
        let part = session
            .get("digits")
            .header("range", "bytes=2-4")
            .send()
            .await?;
        assert_eq!(part.status(), 206);
        assert_eq!(part.header("content-range"), Some("bytes 2-4/10"));
        assert_eq!(part.text().await?, "234");
        let beyond = session
            .get("digits")
            .header("range", "bytes=20-")
            .send()
            .await?;
        assert_eq!(beyond.status(), 416);
        let known = session
            .get("digits")
            .header("if-none-match", &tag)
            .send()
            .await?;
        assert_eq!(
            (known.status().as_u16(), known.bytes().await?.len()),
            (304, 0)
        );
        let long = session.get("long").send().await?;
        assert_eq!(
            (long.content_length(), long.header("content-encoding")),
            (None, None)
        );
        assert_eq!(long.text().await?, "long ".repeat(20_000));
        let raw = ClientSession::builder()
            .no_proxy()
            .decompress(false)
            .build()?;
        let url = format!("http://127.0.0.1:{}/long", nginx.port);
        let raw = raw
            .get(&url)
            .header("accept-encoding", "gzip")
            .send()
            .await?;
        assert_eq!(raw.header("content-encoding"), Some("gzip"));
        assert!(raw.bytes().await?.starts_with(b"\x1f\x8b"));
        let head = session.head("digits").send().await?;
        assert_eq!(
            (head.content_length(), head.bytes().await?.len()),
            (Some(10), 0)
        );
        let moved = session.get("moved").send().await?;
        assert!(moved.url().ends_with("/digits") && moved.text().await? == "0123456789");
        assert_eq!(session.get("nowhere").send().await?.status(), 404);
        let refused = session.post("digits").body("x").send().await?;
        assert_eq!(refused.status(), 405);
        Ok(())
    })
}

pub fn keep_alive() -> Outcome {
    on_loop(async || {
        let nginx = Nginx::start("nginx-alive", "").await?;
        let made = Rc::new(Cell::new(0));
        let count = made.clone();
        let session = ClientSession::builder().no_proxy().trace(move |_, event| {
            if let TraceEvent::Connected = event {
                count.set(count.get() + 1);
            }
        });
        let session = session.build()?;
        let url = format!("http://127.0.0.1:{}/digits", nginx.port);
        // nginx closes after every third.
        for _ in 0..12 {
            assert_eq!(session.get(&url).send().await?.text().await?, "0123456789");
        }
        assert_eq!(made.get(), 4);
        Ok(())
    })
}

pub fn tls() -> Outcome {
    on_loop(async || {
        let nginx = Nginx::start("nginx-tls", "ssl http2").await?;
        let session = ClientSession::builder()
            .no_proxy()
            .resolve("localhost", ([127, 0, 0, 1], nginx.port).into())
            .root_certificate(nginx.authority.as_bytes())
            .build()?;
        let url = format!("https://localhost:{}/long", nginx.port);
        let response = session.get(&url).send().await?;
        assert_eq!(response.version(), Version::HTTP_2);
        assert_eq!(response.text().await?, "long ".repeat(20_000));
        let strange = ClientSession::builder().no_proxy().build()?;
        let error = strange
            .get(&url)
            .send()
            .await
            .err()
            .ok_or("it is not trusted")?;
        assert!(error.is_connect(), "{error}");
        Ok(())
    })
}
