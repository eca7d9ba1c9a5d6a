//! actix-web, as its documentation has it, with one worker.

use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};

use super::page;
use super::site::Site;

async fn hello(name: web::Path<String>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(page::HTML)
        .body(page::hello(&name))
}

/// One worker, and the thread that accepts for it.
#[procs::task]
pub fn one_worker(site: Site) {
    let listener = site.listen();
    let app = || App::new().route("/hello/{name}", web::get().to(hello));
    let serving = actix_web::rt::System::new().block_on(async {
        HttpServer::new(app)
            .workers(1)
            .tcp_nodelay(true)
            .keep_alive(Duration::from_secs(75))
            .disable_signals()
            .listen(listener)?
            .run()
            .await
    });
    serving.expect("it serves");
}
