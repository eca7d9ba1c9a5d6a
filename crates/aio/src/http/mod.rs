//! HTTP: an [`App`] of routes, served by a [`Server`] or by [`run_app`]; a client; WebSockets.
//!
//! - **Apps**: [`App`], [`Route`], [`Next`] for middleware, [`Setup`] for startup hooks, [`StaticFiles`],
//!   [`TrustedProxies`].
//! - **Requests and responses**: [`Request`], [`Response`] and [`IntoResponse`], [`Cookie`], [`Validators`], [`Event`].
//! - **Serving**: [`run_app`], [`run_app_per_core`], [`serve_until_signal`], [`Server`], [`Listener`], [`Limits`].
//! - **Testing**: [`TestClient`], [`TestServer`].
//! - With features: `WebSocket` (`ws`), `ClientSession`, `FormData`, `CookieJar`, `TraceEvent` (`client`), `Multipart`
//!   (`multipart`), `Key` for cookies that are signed or encrypted (`cookies`), `App::compress` (`compress`), `App::layer`
//!   and `AppService` (`tower`).
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

#[cfg(feature = "tracing")]
mod access;
mod answer;
mod app;
#[cfg(any(feature = "client", feature = "ws"))]
mod base64;
mod body;
#[cfg(feature = "multipart")]
mod boundary;
#[cfg(feature = "client")]
mod client;
mod clients;
mod coding;
#[cfg(feature = "compress")]
mod compress;
mod conditional;
mod connection;
mod cookies;
mod flight;
mod forwarded;
#[cfg(feature = "http2")]
mod frames;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod hang_up;
mod hooks;
#[cfg(feature = "http2")]
mod http2;
mod intake;
mod io;
mod limits;
mod lines;
mod listener;
mod media;
mod middleware;
#[cfg(feature = "multipart")]
mod multipart;
mod pace;
mod range;
mod request;
mod response;
mod route;
mod router;
mod run_app;
mod scope;
mod screen;
mod server;
mod site;
mod socket;
mod sse;
mod static_files;
mod testing;
mod text;
mod timer;
#[cfg(feature = "tower")]
mod tower;
mod upgrade;
mod watch;
#[cfg(feature = "ws")]
mod websocket;
#[cfg(feature = "http2")]
mod windows;

pub use ::http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header,
};
pub use app::App;
pub use body::{BodyWriter, ResponseBody};
#[cfg(feature = "client")]
pub use client::{
    ClientLimits, ClientNext, ClientRequest, ClientResponse, ClientSession, CookieJar, FormData,
    SessionBuilder, TraceEvent, TracedRequest,
};
pub use conditional::Validators;
#[cfg(feature = "cookies")]
pub use cookies::Key;
pub use cookies::{Cookie, SameSite};
pub use forwarded::TrustedProxies;
pub use hooks::Setup;
pub use intake::RequestBody;
pub use limits::Limits;
pub use listener::Listener;
pub use middleware::Next;
#[cfg(feature = "multipart")]
pub use multipart::{Multipart, Part};
pub use request::Request;
pub use response::{IntoResponse, Response};
pub use route::{OnDisconnect, Route};
pub use run_app::{run_app, run_app_per_core, serve_until_signal};
pub use server::Server;
pub use sse::{Event, EventSender};
pub use static_files::StaticFiles;
pub use testing::{TestClient, TestRequest, TestResponse, TestServer};
pub use text::escape;
#[cfg(feature = "tower")]
pub use tower::{AppService, NextService};
#[cfg(feature = "ws")]
pub use websocket::{CloseFrame, Message, WebSocket, WebSocketOptions, WebSocketSender};

pub use crate::error::{BodyError, Gone, ParamError, ProxyError, RouteError};
#[cfg(feature = "client")]
pub use crate::error::{ClientError, ClientErrorKind, ClientPhase};
#[cfg(feature = "ws")]
pub use crate::error::{WebSocketError, WebSocketFault};
