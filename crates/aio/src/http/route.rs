//! One route: a method, a pattern, a handler, and what holds for it alone.

use std::{fmt, pin::Pin, rc::Rc};

use ::http::Method;

use super::{
    middleware::{Chain, Middleware, Next, middleware},
    request::Request,
    response::{IntoResponse, Response},
    scope::Scope,
};

pub(crate) type Handling = Pin<Box<dyn Future<Output = Response>>>;
pub(crate) type Handler = Rc<dyn Fn(Request) -> Handling>;

pub(crate) fn handler<H, R>(function: H) -> Handler
where
    H: AsyncFn(Request) -> R + 'static,
    R: IntoResponse + 'static,
{
    let function = Rc::new(function);
    Rc::new(move |request| {
        let function = function.clone();
        Box::pin(async move { function(request).await.into_response() })
    })
}

/// What becomes of a handler whose client hangs up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDisconnect {
    /// It is run to its end: what it does to a database is not cut off in the middle. The default.
    #[default]
    Finish,
    /// It is dropped where it awaits: nobody will see what it computes.
    Cancel,
}

/// A method, a pattern and a handler, with what holds for this route alone.
///
/// ```
/// use aio::http::{App, Method, OnDisconnect, Request, Route, TestClient};
///
/// aio::run(async {
///     let upload = Route::new(Method::PUT, "/files/{name}", async |mut request: Request| {
///         request.read().await.map(|body| format!("{} bytes", body.len()))
///     });
///     let app = App::new().add_route(upload.body_limit(64 * 1024 * 1024).on_disconnect(OnDisconnect::Cancel));
///     let client = TestClient::new(app).await?;
///     assert_eq!(client.put("/files/a").body("hello").send().await.text(), "5 bytes");
///     Ok::<(), std::io::Error>(())
/// })??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Route {
    /// None for every method.
    pub(crate) method: Option<Method>,
    pub(crate) pattern: String,
    pub(crate) handler: Handler,
    pub(crate) on_disconnect: OnDisconnect,
    pub(crate) body_limit: Option<usize>,
    pub(crate) chain: Vec<Middleware>,
}

impl Route {
    /// Answers `method` of `pattern` with `handler`.
    pub fn new<H, R>(method: Method, pattern: &str, handler: H) -> Self
    where
        H: AsyncFn(Request) -> R + 'static,
        R: IntoResponse + 'static,
    {
        Route::with(Some(method), pattern, self::handler(handler))
    }

    /// Answers `pattern` with `handler`, whatever the method.
    pub fn any<H, R>(pattern: &str, handler: H) -> Self
    where
        H: AsyncFn(Request) -> R + 'static,
        R: IntoResponse + 'static,
    {
        Route::with(None, pattern, self::handler(handler))
    }

    pub(crate) fn with(method: Option<Method>, pattern: &str, handler: Handler) -> Self {
        Route {
            method,
            pattern: pattern.to_owned(),
            handler,
            on_disconnect: OnDisconnect::Finish,
            body_limit: None,
            chain: Vec::new(),
        }
    }

    /// What becomes of the handler when the client hangs up.
    pub fn on_disconnect(mut self, policy: OnDisconnect) -> Self {
        self.on_disconnect = policy;
        self
    }

    /// The most bytes of a body that is read as a whole, in place of [`Limits::body`](super::Limits::body).
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = Some(bytes);
        self
    }

    /// Runs `middleware` around this route's handler, within the app's middleware.
    pub fn wrap<M, R>(mut self, middleware: M) -> Self
    where
        M: AsyncFn(Request, Next) -> R + 'static,
        R: IntoResponse + 'static,
    {
        self.chain.push(self::middleware(middleware));
        self
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("method", &self.method)
            .field("pattern", &self.pattern)
            .field("on_disconnect", &self.on_disconnect)
            .finish_non_exhaustive()
    }
}

/// A route in its app, ready to be run.
pub(crate) struct Target {
    pub(crate) scope: Rc<Scope>,
    pub(crate) chain: Chain,
    pub(crate) handler: Handler,
    pub(crate) on_disconnect: OnDisconnect,
    pub(crate) body_limit: Option<usize>,
}

impl Target {
    pub(crate) fn new(route: &Route, scope: &Rc<Scope>) -> Rc<Self> {
        Rc::new(Target {
            chain: Chain {
                of_app: scope.chain.clone(),
                of_route: route.chain.clone().into(),
            },
            scope: scope.clone(),
            handler: route.handler.clone(),
            on_disconnect: route.on_disconnect,
            body_limit: route.body_limit,
        })
    }

    pub(crate) fn start(&self, request: Request) -> Handling {
        if self.chain.is_empty() {
            (self.handler)(request)
        } else {
            Next::new(self.chain.clone(), self.handler.clone()).start(request)
        }
    }
}
