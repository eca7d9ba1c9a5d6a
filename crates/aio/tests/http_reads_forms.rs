//! Forms with files: read part by part as they come, held to their limits, saved whole or not at all.
#![cfg(feature = "multipart")]

#[path = "common/folder.rs"]
mod folder;

use std::{fs, io, time::Duration};

use aio::http::{App, Limits, Request, Response, Server, StatusCode, TestClient, TestResponse};
use folder::Folder;

fn on_loop(test: impl AsyncFnOnce() -> io::Result<()>) -> io::Result<()> {
    aio::run(aio::wait_for(test(), Duration::from_secs(20)))??
}

/// Sends a body as a form whose boundary is `b`.
async fn send(client: &TestClient, body: String) -> TestResponse {
    let kind = "multipart/form-data; boundary=b";
    let request = client.post("/").header("content-type", kind);
    request.body(body).send().await
}

#[test]
fn a_form_with_files_is_read_part_by_part_and_held_to_its_limits() -> io::Result<()> {
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
        let post = async |body: String| send(&client, body).await;
        let good = post(part("a", "1") + &part("b", "two") + "--b--\r\n").await;
        assert_eq!(good.text(), "a=1;b=two;");
        for (body, status) in [
            (part("a", "1").repeat(4) + "--b--\r\n", 413),
            (part("a", &"x".repeat(1500)) + "--b--\r\n", 413),
            (part("a", &"x".repeat(3000)) + "--b--\r\n", 413),
            // It does not end.
            (part("a", "1"), 400),
        ] {
            assert_eq!(post(body.clone()).await.status(), status, "{body}");
        }
        assert_eq!(client.post("/").body("x").send().await.status(), 415);
        Ok(())
    })
}

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

/// Sent over a socket, a piece at a time: what a form has not said yet is waited for, and no more than a piece is held.
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
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n").into_bytes()
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
        let path = folder.path().join("upload");
        let to = path.clone();
        let app = App::new().post("/", async move |mut request: Request| {
            let mut form = request.multipart()?;
            let mut part = form.next_part().await?.ok_or(StatusCode::BAD_REQUEST)?;
            let size = part.save(&to).await?;
            Ok::<_, Response>(Response::text(size.to_string()))
        });
        aio::get_running_loop()?.set_exception_handler(|_| {});
        let client = TestClient::new(app).await?;
        let save = async |end: &str| {
            send(&client, format!("--b\r\n\r\n{}{end}", "x".repeat(200_000))).await
        };
        let broken = save("").await;
        assert_eq!((broken.status().as_u16(), path.exists()), (400, false));
        assert_eq!(save("\r\n--b--").await.text(), "200000");
        assert_eq!(fs::read(&path)?, vec![b'x'; 200_000]);
        let again = save("\r\n--b--").await;
        assert_eq!(again.status(), 500, "nothing is overwritten");
        assert!(
            !again.text().contains("upload"),
            "the client is not told where"
        );
        Ok(())
    })
}
