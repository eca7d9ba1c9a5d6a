//! Serves one of everything, at the defaults that a user gets.
//!
//! `cargo run -p aio --features multipart,ws --example http_suite -- 8000 FOLDER` listens on port 8000 (0 picks a free
//! one), serves the files of FOLDER (the present one by default) at `/static/`, and prints
//!
//! ```text
//! Server started at http://127.0.0.1:8000...
//! ```
//!
//! `GET /` ok, `POST /echo` the body, `GET /ws` a WebSocket that echoes, `GET /stream` 100 lines in chunks, `GET /json`,
//! `POST /form` the fields as JSON, `GET /slow` after 2 s, `GET /redirect` to `/`, `GET /cookies` sets one and lists all.

use std::{collections::BTreeMap, env, error::Error, time::Duration};

use aio::http::{
    App, Cookie, Gone, Request, Response, StaticFiles, WebSocket, WebSocketError, run_app,
};

async fn echo(mut request: Request) -> Result<Response, Response> {
    Ok(Response::bytes(request.read().await?))
}

async fn websocket(request: Request) -> Response {
    WebSocket::upgrade(request, async |mut socket: WebSocket| {
        while let Some(message) = socket.receive().await? {
            socket.send(message).await?;
        }
        Ok::<(), WebSocketError>(())
    })
}

async fn stream(_: Request) -> Response {
    Response::write_with(async |body| {
        for number in 1..=100 {
            body.write(format!("line {number}\n")).await?;
        }
        Ok::<(), Gone>(())
    })
    .with_type("text/plain; charset=utf-8")
}

async fn form(mut request: Request) -> Result<Response, Response> {
    let mut fields = BTreeMap::new();
    if request.content_type() != Some("multipart/form-data") {
        fields = request.form().await?;
        return Ok(Response::json(&fields));
    }
    let mut form = request.multipart()?;
    while let Some(mut part) = form.next_part().await? {
        fields.insert(part.name().to_owned(), part.text().await?);
    }
    Ok(Response::json(&fields))
}

async fn slow(_: Request) -> &'static str {
    aio::sleep(Duration::from_secs(2)).await;
    "slow"
}

async fn cookies(request: Request) -> Response {
    let seen = request.header("cookie").unwrap_or("none").to_owned();
    Response::text(seen).with_cookie(Cookie::new("flavour", "oat and raisin"))
}

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = env::args().nth(1).as_deref().unwrap_or("8000").parse()?;
    let folder = env::args().nth(2).unwrap_or(".".to_owned());
    let app = App::new()
        .get("/", async |_: Request| "ok")
        .post("/echo", echo)
        .files("/static", StaticFiles::new(folder)?)
        .get("/ws", websocket)
        .get("/stream", stream)
        .get("/json", async |_: Request| {
            Response::json(&BTreeMap::from([("answer", 42)]))
        })
        .post("/form", form)
        .get("/slow", slow)
        .get("/redirect", async |_: Request| Response::redirect("/"))
        .get("/cookies", cookies);
    run_app(app, ("127.0.0.1", port))?;
    Ok(())
}
