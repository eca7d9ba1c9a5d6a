//! How users test their apps, as the book shows it.
#![cfg(feature = "http")]

use aio::http::{App, Request, Response, StatusCode, TestClient, TestServer};

async fn sign_up(mut request: Request) -> Result<(StatusCode, String), Response> {
    let name: String = request.json().await?;
    Ok((StatusCode::CREATED, format!("hello, {name}")))
}

fn app() -> App {
    App::new().post("/users", sign_up)
}

#[test]
fn a_user_signs_up() -> Result<(), Box<dyn std::error::Error>> {
    aio::run(async {
        let client = TestClient::new(app()).await?;
        let answer = client.post("/users").json("ann").send().await;
        assert_eq!(
            (answer.status(), answer.text()),
            (StatusCode::CREATED, "hello, ann")
        );
        assert_eq!(client.get("/users").send().await.status(), 405);
        client.close().await;
        Ok(())
    })?
}

/// With a socket, for what concerns connections, and for clients of other makes.
#[test]
fn who_says_nonsense_is_refused() -> Result<(), Box<dyn std::error::Error>> {
    aio::run(async {
        let server = TestServer::start(app()).await?;
        let (mut reader, writer) = aio::open_connection(server.address()).await?;
        writer.write(b"nonsense\r\n\r\n");
        assert!(reader.read_to_end().await?.starts_with(b"HTTP/1.1 400 "));
        server.close().await;
        Ok(())
    })?
}
