//! Ours, as anybody would write it.

use std::convert::Infallible;
use std::io;
use std::num::NonZeroUsize;

use aio::SharedListener;
use aio::http::{App, Listener, Request, Response, Server, StaticFiles, WebSocket, WebSocketError};

use super::page;
use super::site::Site;

fn app(site: &Site) -> App {
    App::new()
        .get("/hello/{name}", async |request: Request| {
            Response::html(page::hello(request.match_info("name").unwrap_or_default()))
        })
        .get("/people", async |_: Request| Response::json(&*page::PEOPLE))
        .post("/echo", async |mut request: Request| {
            request.read().await.map(Response::bytes)
        })
        .get("/ws", async |request: Request| {
            WebSocket::upgrade(request, async |mut socket: WebSocket| {
                while let Some(message) = socket.receive().await? {
                    socket.send(message).await?;
                }
                Ok::<(), WebSocketError>(())
            })
        })
        .files(
            "/files",
            StaticFiles::new(&site.folder).expect("the folder"),
        )
}

async fn serve(site: &Site, listener: io::Result<Listener>) {
    let server = Server::start(app(site), [listener.expect("it listens")]).await;
    server.expect("it starts").serve_forever().await;
}

/// On one loop.
#[procs::task]
pub fn one_loop(site: Site) {
    let listener = site.listen();
    aio::run(async { serve(&site, Listener::from_tcp(listener)).await }).expect("a loop");
}

/// On two loops, each on a thread of its own, between which connections are spread evenly.
#[procs::task]
pub fn two_loops(site: Site) {
    let shared = SharedListener::from_std(site.listen()).expect("it listens");
    let two = NonZeroUsize::new(2).expect("not zero");
    let served = aio::run_loops(two, async |_| {
        serve(&site, Listener::shared(&shared)).await;
        Ok::<(), Infallible>(())
    });
    served.expect("two loops");
}
