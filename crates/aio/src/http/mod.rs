//! HTTP: an [`App`] of routes, served by a [`Server`] or by [`run_app`].
//!
//! ```
//! use aio::http::{App, Request, Response, Server, escape};
//!
//! async fn hello(request: Request) -> Response {
//!     let name = request.match_info("name").unwrap_or("world");
//!     Response::html(format!("<h1>hello, {}!</h1>", escape(name)))
//! }
//!
//! aio::run(async {
//!     let app = App::new().get("/hello/{name}", hello);
//!     let server = Server::bind(app, "127.0.0.1:0").await?;
//!     let (mut reader, writer) = aio::open_connection(server.local_addr()).await?;
//!     writer.write(b"GET /hello/%3Cb%3E HTTP/1.0\r\n\r\n");
//!     let answer = String::from_utf8(reader.read_to_end().await?).expect("it is text");
//!     assert!(answer.ends_with("<h1>hello, &lt;b&gt;!</h1>"), "{answer}");
//!     Ok::<(), std::io::Error>(())
//! })??;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod app;
mod body;
mod connection;
mod io;
mod limits;
mod request;
mod response;
mod router;
mod run_app;
mod server;
mod text;
mod timer;

pub use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
pub use app::App;
pub use limits::Limits;
pub use request::Request;
pub use response::{IntoResponse, Response};
pub use run_app::run_app;
pub use server::Server;
pub use text::escape;

pub use crate::error::{BodyError, RouteError};
