//! Python's aiohttp and websockets, as clients and as servers.

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use aio::http::{ClientSession, FormData, Message, TestServer, WebSocketOptions};

use super::{Folder, app};
use crate::{Outcome, on_loop};

fn python(script: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var("AIO_PYTHON").unwrap_or("python3".to_owned()));
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/");
    command
        .arg("-B")
        .arg(format!("{folder}{script}"))
        .args(arguments);
    command
}

/// The client of this package asks our server.
pub fn asks(package: &str) -> Outcome {
    on_loop(async || {
        let folder = Folder::new(package)?;
        let server = TestServer::start(app(&folder)?).await?;
        let mut client = python(
            "client.py",
            &[server.url("").trim_end_matches('/'), package],
        );
        let output = aio::to_thread(move || client.output()).await??;
        server.close().await;
        match output.stdout.ends_with(b"ok\n") {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
        }
    })
}

/// A server of Python's. It ends with its standard input, and so with us.
struct Served {
    child: Child,
    port: u16,
}

impl Served {
    fn start(package: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let mut command = python("server.py", &[package]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("its output is piped")?;
        let mut served = Served { child, port: 0 };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        served.port = line.trim().parse()?;
        Ok(served)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn is_asked() -> Outcome {
    let server = Served::start("aiohttp")?;
    on_loop(async || {
        let session = ClientSession::builder()
            .no_proxy()
            .base_url(&format!("http://127.0.0.1:{}/", server.port))
            .build()?;
        let asked = session
            .post("show")
            .query(&[("q", "ä b")])
            .basic_auth("a", "b")
            .body("x");
        let shown: BTreeMap<String, serde_json::Value> = asked.send().await?.json().await?;
        let told = |name: &str| shown.get(name).map(ToString::to_string).unwrap_or_default();
        assert_eq!(told("query"), "{\"q\":\"ä b\"}");
        assert_eq!(told("auth"), "\"Basic YTpi\"");
        assert_eq!((&*told("length"), &*told("body")), ("1", "\"x\""));
        assert!(told("agent").starts_with("\"aio/"), "{shown:?}");
        let folder = Folder::new("aiohttp-form")?;
        let file = folder.write("doc.pdf", vec![b'x'; 100_000])?;
        let form = FormData::new()
            .text("na me", "Änn")
            .file("doc", &file)
            .await?;
        let fields = session
            .post("form")
            .multipart(form)
            .send()
            .await?
            .text()
            .await?;
        let expected =
            "{\"na me\": \"\\u00c4nn\", \"doc\": [\"doc.pdf\", \"application/pdf\", 100000]}";
        assert_eq!(fields, expected);
        for visit in ["1", "2"] {
            assert_eq!(session.get("visits").send().await?.text().await?, visit);
        }
        let lines: String = (1..=100).map(|number| format!("line {number}\n")).collect();
        assert_eq!(session.get("stream").send().await?.text().await?, lines);
        let mut long = session.get("compressed").send().await?;
        assert_eq!(
            long.content_length(),
            None,
            "its length is known compressed only"
        );
        let mut received = 0;
        while let Some(piece) = long.chunk().await? {
            received += piece.len();
        }
        assert_eq!((received, long.received()), (100_000, 100_000));
        assert_eq!(session.get("latin").send().await?.text().await?, "café");
        let redirected = session.post("redirect").body("gone").send().await?;
        assert!(redirected.text().await?.contains("\"method\": \"GET\""));
        let put = session
            .put("show")
            .file(&file)
            .await?
            .send()
            .await?
            .text()
            .await?;
        assert!(put.contains("\"length\": 100000"), "{}", &put[..200]);
        let gone = session.get("nowhere").send().await?.raise_for_status();
        assert!(gone.is_err_and(|error| error.status().is_some_and(|status| status == 404)));
        let asking = (0..100).map(|number| {
            let session = session.clone();
            aio::create_task(async move {
                let asked = session.get("show").query(&[("q", number)]);
                asked.send().await?.text().await
            })
        });
        for (number, text) in aio::gather_settled(asking).await.into_iter().enumerate() {
            assert!(text??.contains(&format!("\"{number}\"")));
        }
        Ok(())
    })
}

pub fn echoes(package: &str) -> Outcome {
    let server = Served::start(package)?;
    on_loop(async || {
        let session = ClientSession::builder().no_proxy().build()?;
        let url = format!("ws://127.0.0.1:{}/ws", server.port);
        for deflate in [false, true] {
            let options = WebSocketOptions {
                deflate,
                protocols: vec!["other".to_owned(), "chat".to_owned()],
                ..WebSocketOptions::default()
            };
            let mut socket = session.ws_connect_with(&url, options).await?;
            assert_eq!(socket.protocol(), Some("chat"));
            for size in [0, 1, 125, 126, 65_535, 65_536, 900_000] {
                let text = "abcdefghi\u{e4}".repeat(size / 10 + 1);
                socket.send(text.clone()).await?;
                assert_eq!(socket.receive().await?, Some(Message::Text(text)));
                let bytes: Vec<u8> = (0..size).map(|number| (number % 251) as u8).collect();
                socket.send(bytes.clone()).await?;
                assert_eq!(socket.receive().await?, Some(Message::Binary(bytes.into())));
            }
            socket.sender().ping().await?;
            if package == "aiohttp" {
                socket.send("close").await?;
                assert_eq!(socket.receive().await?, None);
                let frame = socket.close_frame().ok_or("it says why")?;
                assert_eq!((frame.code, &*frame.reason), (3002, "as asked"));
            } else {
                socket.close(1000, "bye").await;
            }
        }
        Ok(())
    })
}
