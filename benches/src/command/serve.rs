//! `compare serve`.

use std::path::PathBuf;

use aio::http::{App, HeaderValue, Response, StatusCode, header, run_app};
use clap::Args;

use crate::Failed;

/// What a folder of results may have, and what each file is.
const FILES: [(&str, &str, &str); 7] = [
    ("/", "index.html", "text/html; charset=utf-8"),
    ("/results.json", "results.json", "application/json"),
    ("/tables.md", "tables.md", "text/markdown; charset=utf-8"),
    ("/map.svg", "map.svg", "image/svg+xml"),
    ("/echo-scaling.svg", "echo-scaling.svg", "image/svg+xml"),
    ("/timeline.svg", "timeline.svg", "image/svg+xml"),
    ("/timeline.json", "timeline.json", "application/json"),
];

/// Serves the page of the last comparison with this workspace's own HTTP server, until ctrl-c.
#[derive(Args, Debug)]
pub struct Serve {
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000")]
    address: String,

    /// The folder that a comparison wrote
    #[arg(long, value_name = "DIR", default_value = "target/compare")]
    out: PathBuf,
}

impl Serve {
    /// Serves until it is told to stop. The files are read for each request, so that a new comparison shows at once.
    ///
    /// # Errors
    /// When there is no page yet, or the address cannot be listened on.
    pub fn run(&self) -> Result<(), Failed> {
        let page = self.out.join("index.html");
        if !page.is_file() {
            return Err(Failed::new(
                format!("serving {}", self.out.display()),
                "there is no index.html: run a comparison first, or name its folder with --out",
            ));
        }
        let app = FILES
            .into_iter()
            .fold(App::new(), |app, (route, name, kind)| {
                let path = self.out.join(name);
                app.get(route, move |_request| {
                    let path = path.clone();
                    async move { answer(path, kind).await }
                })
            });
        run_app(app, &self.address).map_err(Failed::at(format!("serving on {}", self.address)))
    }
}

async fn answer(path: PathBuf, kind: &'static str) -> Response {
    match aio::to_thread(move || std::fs::read(path)).await {
        Ok(Ok(bytes)) => Response::bytes(bytes)
            .with_header(header::CONTENT_TYPE, HeaderValue::from_static(kind))
            .with_header(header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        _ => Response::text("not written yet").with_status(StatusCode::NOT_FOUND),
    }
}
