//! hyper alone: what a server costs that has no routes, no limits and no timeouts.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use super::page;
use super::site::Site;

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (kind, body) = match request.uri().path() {
        "/people" => (
            "application/json",
            serde_json::to_vec(&*page::PEOPLE).expect("JSON").into(),
        ),
        "/echo" => (
            "application/octet-stream",
            request.into_body().collect().await?.to_bytes(),
        ),
        path => {
            let name = path.strip_prefix("/hello/").unwrap_or_default();
            (page::HTML, page::hello(name).into())
        }
    };
    let response = Response::builder().header("content-type", kind);
    Ok(response.body(Full::new(body)).expect("it is well-formed"))
}

/// On one thread.
#[procs::task]
pub fn one_thread(site: Site) {
    super::on_one_thread(async {
        let listener = tokio::net::TcpListener::from_std(site.listen()).expect("it listens");
        loop {
            let (stream, _) = listener.accept().await.expect("a client");
            stream.set_nodelay(true).expect("the socket is ours");
            let mut codec = hyper::server::conn::http1::Builder::new();
            codec.pipeline_flush(true);
            let serving = codec.serve_connection(TokioIo::new(stream), service_fn(answer));
            tokio::spawn(async move {
                // A client that goes is of no interest here.
                let _ = serving.await;
            });
        }
    });
}
