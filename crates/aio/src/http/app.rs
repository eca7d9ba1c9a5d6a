//! The application: routes and their handlers.

use std::{
    fmt,
    future::poll_fn,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    task::Poll,
};

use ::http::{HeaderValue, Method, StatusCode, header};
use hyper::body::Incoming;

use super::{
    limits::Limits,
    request::Request,
    response::{IntoResponse, Response},
    router::{Router, Undecodable, decode_path},
};
use crate::{
    current,
    error::{Panicked, RouteError},
};

pub(crate) type Handling = Pin<Box<dyn Future<Output = Response>>>;

/// What becomes of a request.
pub(crate) enum Handled {
    /// A handler answers it.
    Later(Handling),
    /// No handler is needed.
    Now(Response),
}

type Handler = Rc<dyn Fn(Request) -> Handling>;

/// Routes and the functions that answer them.
///
/// A pattern is made of segments: a literal, `{name}` for any one segment, or `{name:*}` for all that is left. A
/// literal wins over a `{name}`, and that over a `{name:*}`, whatever the order in which they were added. A handler is
/// any `async fn(Request)` that returns a [`Response`] or what becomes one; it need not be `Send`.
///
/// An unknown path is answered with 404, a known one with another method with 405 and `Allow`, `HEAD` as `GET` without
/// the body. A handler that panics answers 500, and the loop's exception handler hears of it. When the client hangs up,
/// the handler is run to its end.
///
/// A pattern that cannot be is remembered and reported by [`check`](App::check) and when the app is served.
///
/// An example is at the [module](super).
pub struct App {
    router: Router<Methods>,
    limits: Limits,
    error: Option<RouteError>,
}

/// The handlers of one pattern. Few, so a list is faster than a map.
type Methods = Vec<(Method, Handler)>;

impl App {
    /// An app that answers everything with 404.
    pub fn new() -> Self {
        App {
            router: Router::new(),
            limits: Limits::default(),
            error: None,
        }
    }

    /// Answers `GET`, and `HEAD`, of `pattern` with `handler`.
    pub fn get<H, R>(self, pattern: &str, handler: H) -> Self
    where
        H: AsyncFn(Request) -> R + 'static,
        R: IntoResponse + 'static,
    {
        self.route(Method::GET, pattern, handler)
    }

    /// Answers `POST` of `pattern` with `handler`.
    pub fn post<H, R>(self, pattern: &str, handler: H) -> Self
    where
        H: AsyncFn(Request) -> R + 'static,
        R: IntoResponse + 'static,
    {
        self.route(Method::POST, pattern, handler)
    }

    /// Answers `method` of `pattern` with `handler`.
    pub fn route<H, R>(mut self, method: Method, pattern: &str, handler: H) -> Self
    where
        H: AsyncFn(Request) -> R + 'static,
        R: IntoResponse + 'static,
    {
        let handler = Rc::new(handler);
        let handler: Handler = Rc::new(move |request| {
            let handler = handler.clone();
            Box::pin(async move { handler(request).await.into_response() })
        });
        if let Err(error) = self.add(method, pattern, handler) {
            self.error.get_or_insert(error);
        }
        self
    }

    /// What clients may use up.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether all patterns could be added.
    ///
    /// # Errors
    ///
    /// The first [`RouteError`].
    ///
    /// ```
    /// use aio::http::{App, Request, RouteError};
    ///
    /// let app = App::new().get("no slash", async |_: Request| "");
    /// assert!(matches!(app.check(), Err(RouteError::BadPattern { .. })));
    /// let app = App::new().get("/a", async |_: Request| "").get("/a", async |_: Request| "");
    /// assert!(matches!(app.check(), Err(RouteError::Duplicate { .. })));
    /// ```
    pub fn check(&self) -> Result<(), RouteError> {
        self.error.clone().map_or(Ok(()), Err)
    }

    fn add(&mut self, method: Method, pattern: &str, handler: Handler) -> Result<(), RouteError> {
        let methods = self.router.entry(pattern, Vec::new)?;
        if methods.iter().any(|(known, _)| *known == method) {
            return Err(RouteError::Duplicate {
                method: method.to_string(),
                pattern: pattern.to_owned(),
            });
        }
        methods.push((method, handler));
        Ok(())
    }

    pub(crate) fn limit(&self) -> &Limits {
        &self.limits
    }

    /// Finds the handler and starts it; or the answer that needs none.
    pub(crate) fn handle(&self, request: ::http::Request<Incoming>, peer: SocketAddr) -> Handled {
        let path = request.uri().path();
        let (found, decoded) = match (self.router.find(path), decode_path(path)) {
            (Ok(Some(found)), Ok(decoded)) => (found, decoded.into_owned()),
            (Ok(None), Ok(_)) => return Handled::Now(StatusCode::NOT_FOUND.into_response()),
            (Err(Undecodable), _) | (_, Err(Undecodable)) => {
                return Handled::Now(StatusCode::BAD_REQUEST.into_response());
            }
        };
        let Some(handler) = choose(&found.leaf.value, request.method()) else {
            return Handled::Now(not_allowed(&found.leaf.value));
        };
        let mut request = Request::new(request, peer, self.limits.body);
        request.set_match(decoded, found.leaf.names.clone(), found.values);
        Handled::Later(guarded(handler, request))
    }
}

impl Default for App {
    fn default() -> Self {
        App::new()
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("limits", &self.limits)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

fn choose<'a>(methods: &'a Methods, method: &Method) -> Option<&'a Handler> {
    let of = |method: &Method| {
        methods
            .iter()
            .find(|(known, _)| known == method)
            .map(|(_, handler)| handler)
    };
    of(method).or_else(|| {
        if *method == Method::HEAD {
            of(&Method::GET)
        } else {
            None
        }
    })
}

fn not_allowed(methods: &Methods) -> Response {
    let mut names: Vec<&str> = methods.iter().map(|(method, _)| method.as_str()).collect();
    if names.contains(&"GET") && !names.contains(&"HEAD") {
        names.push("HEAD");
    }
    names.sort_unstable();
    let response = StatusCode::METHOD_NOT_ALLOWED.into_response();
    match HeaderValue::from_str(&names.join(", ")) {
        Ok(allowed) => response.with_header(header::ALLOW, allowed),
        Err(_) => response,
    }
}

/// The handler's future; a panic in it, or in the call that makes it, becomes a 500.
fn guarded(handler: &Handler, request: Request) -> Handling {
    let mut handling = match catch_unwind(AssertUnwindSafe(|| handler(request))) {
        Ok(handling) => handling,
        Err(payload) => return Box::pin(std::future::ready(failed(Panicked::new(payload)))),
    };
    Box::pin(poll_fn(move |cx| {
        match catch_unwind(AssertUnwindSafe(|| handling.as_mut().poll(cx))) {
            Ok(polled) => polled,
            Err(payload) => Poll::Ready(failed(Panicked::new(payload))),
        }
    }))
}

fn failed(panicked: Panicked) -> Response {
    if let Ok(engine) = current::engine() {
        engine
            .reporter
            .report("a request's handler panicked", None, &panicked);
    }
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
