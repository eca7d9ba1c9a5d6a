//! axum, as its documentation has it.

use axum::body::Bytes;
use axum::extract::Path;
use axum::response::Html;
use axum::serve::ListenerExt;
use axum::{Json, Router, routing};
use tokio::runtime::Runtime;
use tower_http::services::ServeDir;

use super::page;
use super::site::Site;

async fn serve(site: &Site) {
    let app = Router::new()
        .route(
            "/hello/{name}",
            routing::get(async |Path(name): Path<String>| Html(page::hello(&name))),
        )
        .route("/people", routing::get(async || Json(&*page::PEOPLE)))
        .route("/echo", routing::post(async |body: Bytes| body))
        .nest_service("/files", ServeDir::new(&site.folder));
    let listener = tokio::net::TcpListener::from_std(site.listen()).expect("it listens");
    let listener = listener.tap_io(|stream| {
        stream.set_nodelay(true).expect("the socket is ours");
    });
    axum::serve(listener, app).await.expect("it serves");
}

/// Accepts on a thread of the runtime's, too.
fn spawned(runtime: &Runtime, site: Site) {
    let serving = runtime.spawn(async move { serve(&site).await });
    runtime.block_on(serving).expect("it serves");
}

/// On one thread, as our loop.
#[procs::task]
pub fn one_thread(site: Site) {
    super::on_one_thread(serve(&site));
}

/// As `#[tokio::main]` runs it: on a thread for each processor, between which tasks move.
#[procs::task]
pub fn by_default(site: Site) {
    let runtime = tokio::runtime::Runtime::new();
    spawned(&runtime.expect("a runtime"), site);
}

/// As many threads as we have loops.
#[procs::task]
pub fn two_threads(site: Site) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build();
    spawned(&runtime.expect("a runtime"), site);
}
