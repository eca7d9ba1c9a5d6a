//! What runs around handlers.

use std::{fmt, rc::Rc};

use super::{
    request::Request,
    response::{IntoResponse, Response},
    route::{Handler, Handling},
};
use crate::{catch::catch, error::Panicked};

/// A function around the rest of the chain.
pub(crate) type Middleware = Rc<dyn Fn(Request, Next) -> Handling>;

pub(crate) fn middleware<M, R>(function: M) -> Middleware
where
    M: AsyncFn(Request, Next) -> R + 'static,
    R: IntoResponse + 'static,
{
    let function = Rc::new(function);
    Rc::new(move |request, next| {
        let function = function.clone();
        Box::pin(async move { function(request, next).await.into_response() })
    })
}

/// The rest of the chain, as a middleware sees it: further middleware, and the handler at the end.
///
/// Dropping it without [`run`](Next::run) answers in the handler's place.
///
/// ```
/// use aio::http::{App, Request, TestClient};
///
/// aio::run(async {
///     let app = App::new()
///         .wrap(async |request, next| {
///             let mut response = next.run(request).await;
///             response.headers_mut().insert("x-frame-options", "DENY".parse().unwrap());
///             response
///         })
///         .get("/", async |_: Request| "framed by nobody");
///     let client = TestClient::new(app).await?;
///     assert_eq!(client.get("/").send().await.header("x-frame-options"), Some("DENY"));
///     Ok::<(), std::io::Error>(())
/// })??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Next {
    chain: Chain,
    /// How many of the chain have begun.
    begun: usize,
    handler: Handler,
}

/// The app's middleware, and the route's own.
#[derive(Clone)]
pub(crate) struct Chain {
    pub(crate) of_app: Rc<[Middleware]>,
    pub(crate) of_route: Rc<[Middleware]>,
}

impl Chain {
    fn get(&self, place: usize) -> Option<&Middleware> {
        let of_app = self.of_app.len();
        self.of_app
            .get(place)
            .or_else(|| self.of_route.get(place.checked_sub(of_app)?))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.of_app.is_empty() && self.of_route.is_empty()
    }
}

impl Next {
    pub(crate) fn new(chain: Chain, handler: Handler) -> Self {
        Next {
            chain,
            begun: 0,
            handler,
        }
    }

    /// Runs the rest of the chain and gives its response. Also an unknown path comes this far: its response is a 404.
    pub async fn run(self, request: Request) -> Response {
        self.start(request).await
    }

    /// As [`run`](Next::run), but a panic is a value: for a middleware that answers it with a page of its own. Nobody else
    /// hears of it then.
    ///
    /// ```
    /// use aio::http::{App, Next, Request, Response, StatusCode, TestClient};
    ///
    /// async fn error_pages(request: Request, next: Next) -> Response {
    ///     let response = match next.try_run(request).await {
    ///         Ok(response) => response,
    ///         Err(panicked) => Response::failed(panicked),
    ///     };
    ///     match response.status() {
    ///         StatusCode::NOT_FOUND => Response::html("<h1>Not here</h1>").with_status(response.status()),
    ///         StatusCode::INTERNAL_SERVER_ERROR => Response::html("<h1>Our fault</h1>").with_status(response.status()),
    ///         _ => response,
    ///     }
    /// }
    ///
    /// aio::run(async {
    ///     let app = App::new().wrap(error_pages).get("/", async |request: Request| -> String {
    ///         panic!("no {} today", request.path())
    ///     });
    ///     let client = TestClient::new(app).await?;
    ///     assert_eq!(client.get("/").send().await.text(), "<h1>Our fault</h1>");
    ///     assert_eq!(client.get("/nowhere").send().await.text(), "<h1>Not here</h1>");
    ///     Ok::<(), std::io::Error>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn try_run(self, request: Request) -> Result<Response, Panicked> {
        catch(async move { self.start(request).await }).await
    }

    pub(crate) fn start(mut self, request: Request) -> Handling {
        match self.chain.get(self.begun).cloned() {
            Some(middleware) => {
                self.begun += 1;
                middleware(request, self)
            }
            None => (self.handler)(request),
        }
    }
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").finish_non_exhaustive()
    }
}
