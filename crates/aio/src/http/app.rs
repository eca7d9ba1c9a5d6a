//! The application: routes, what is around them, and what they share.

use std::{fmt, rc::Rc};

use ::http::Method;

use super::{
    forwarded::TrustedProxies,
    hooks::{Hook, Setup},
    limits::Limits,
    middleware::{Middleware, Next, middleware},
    request::Request,
    response::IntoResponse,
    route::Route,
    scope::State,
    site::Site,
};
use crate::error::RouteError;

/// Routes and the functions that answer them.
///
/// A pattern is made of segments: a literal, `{name}` for any one segment, `{name:regex}` for one that a regular
/// expression describes, or `{name:*}` for all that is left. A literal wins over a `{name:regex}`, that over a
/// `{name}`, and that over a `{name:*}`, whatever the order in which they were added. Patterns are compared with the
/// decoded segments of the path, and slashes count: `/a` and `/a/` are two paths, unless the app
/// [redirects](App::redirect_slashes). A handler is any
/// `async fn(Request)` that returns a [`Response`](super::Response) or what becomes one; it need not be `Send`.
///
/// An unknown path is answered with 404, a known one with another method with 405 and `Allow`, `HEAD` as `GET` without
/// the body, `OPTIONS` with `Allow` unless it has a handler. A handler that panics answers 500, and the loop's
/// exception handler hears of it. When the client hangs up, the handler is run to its end, unless its
/// [route](Route::on_disconnect) says otherwise.
///
/// A pattern that cannot be is reported by [`check`](App::check) and when the app is served.
///
/// An example is at the [module](super).
pub struct App {
    pub(crate) routes: Vec<Route>,
    pub(crate) nested: Vec<(String, App)>,
    pub(crate) chain: Vec<Middleware>,
    pub(crate) state: State,
    pub(crate) startup: Vec<Hook>,
    pub(crate) limits: Limits,
    pub(crate) request_ids: bool,
    pub(crate) redirect_slashes: bool,
    pub(crate) proxies: TrustedProxies,
}

impl App {
    /// An app that answers everything with 404.
    pub fn new() -> Self {
        App {
            routes: Vec::new(),
            nested: Vec::new(),
            chain: Vec::new(),
            state: State::default(),
            startup: Vec::new(),
            limits: Limits::default(),
            request_ids: false,
            redirect_slashes: false,
            proxies: TrustedProxies::default(),
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

    /// Answers `PUT` of `pattern` with `handler`.
    pub fn put<H, R>(self, pattern: &str, handler: H) -> Self
    where
        H: AsyncFn(Request) -> R + 'static,
        R: IntoResponse + 'static,
    {
        self.route(Method::PUT, pattern, handler)
    }

    /// Answers `PATCH` of `pattern` with `handler`.
    pub fn patch<H, R>(self, pattern: &str, handler: H) -> Self
    where
        H: AsyncFn(Request) -> R + 'static,
        R: IntoResponse + 'static,
    {
        self.route(Method::PATCH, pattern, handler)
    }

    /// Answers `DELETE` of `pattern` with `handler`.
    pub fn delete<H, R>(self, pattern: &str, handler: H) -> Self
    where
        H: AsyncFn(Request) -> R + 'static,
        R: IntoResponse + 'static,
    {
        self.route(Method::DELETE, pattern, handler)
    }

    /// Answers `method` of `pattern` with `handler`.
    pub fn route<H, R>(self, method: Method, pattern: &str, handler: H) -> Self
    where
        H: AsyncFn(Request) -> R + 'static,
        R: IntoResponse + 'static,
    {
        self.add_route(Route::new(method, pattern, handler))
    }

    /// Adds a route that was made apart.
    pub fn add_route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// Has `app` answer what begins with `prefix`, which may have `{name}`s. The nested app's `/` is then the prefix with a
    /// slash, an empty pattern the prefix alone.
    ///
    /// The nested app keeps its own state, which wins over this app's, and its own middleware, which runs within this
    /// app's. Its limits are of no effect: those of the app that is served hold for all.
    ///
    /// ```
    /// use aio::http::{App, Request, TestClient};
    ///
    /// aio::run(async {
    ///     let posts = App::new().get("/{post}", async |request: Request| {
    ///         format!("{} of {}", request.match_info("post").unwrap(), request.match_info("user").unwrap())
    ///     });
    ///     let client = TestClient::new(App::new().nest("/users/{user}/posts", posts)).await?;
    ///     assert_eq!(client.get("/users/ann/posts/7").send().await.text(), "7 of ann");
    ///     Ok::<(), std::io::Error>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn nest(mut self, prefix: &str, app: App) -> Self {
        self.nested.push((prefix.to_owned(), app));
        self
    }

    /// Runs `middleware` around every handler, nested apps' and the answers 404 and 405 included. The first that was
    /// added is the outermost. An example is at [`Next`].
    pub fn wrap<M, R>(mut self, middleware: M) -> Self
    where
        M: AsyncFn(Request, Next) -> R + 'static,
        R: IntoResponse + 'static,
    {
        self.chain.push(self::middleware(middleware));
        self
    }

    /// Puts a value where handlers find it by its type, with [`Request::state`]. A second of the same type takes the
    /// first one's place.
    pub fn state<T: 'static>(self, value: T) -> Self {
        self.state.insert(value);
        self
    }

    /// Runs `hook` before the server accepts its first connection, in the order in which hooks were added, an app's own
    /// before those of the apps nested in it. An error keeps the server from starting; what was set up until then is
    /// cleaned up.
    ///
    /// ```
    /// use aio::http::{App, Request, Setup, TestClient};
    ///
    /// struct Database(&'static str);
    ///
    /// async fn open_database(setup: Setup) -> Result<(), std::io::Error> {
    ///     setup.insert(Database("rows"));
    ///     setup.on_cleanup(async || println!("the database is closed"));
    ///     Ok(())
    /// }
    ///
    /// aio::run(async {
    ///     let app = App::new().on_startup(open_database).get("/", async |request: Request| {
    ///         request.state::<Database>().map_or("none", |database| database.0)
    ///     });
    ///     let client = TestClient::new(app).await?;
    ///     assert_eq!(client.get("/").send().await.text(), "rows");
    ///     client.close().await;
    ///     Ok::<(), std::io::Error>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_startup<H, E>(mut self, hook: H) -> Self
    where
        H: AsyncFn(Setup) -> Result<(), E> + 'static,
        E: fmt::Display + 'static,
    {
        let hook = Rc::new(hook);
        self.startup.push(Rc::new(move |setup| {
            let hook = hook.clone();
            Box::pin(async move { hook(setup).await.map_err(|error| error.to_string()) })
        }));
        self
    }

    /// What clients may use up.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Gives every request an id, sent back as `x-request-id`. One that the client sent is kept when it is of at most 64
    /// letters, digits and `-_.`; otherwise 128 random bits make one. Handlers see it with [`Request::id`].
    pub fn request_ids(mut self) -> Self {
        self.request_ids = true;
        self
    }

    /// Sends who asks for an unknown path to the known one that has a slash more or less at its end, or single slashes
    /// where there are several: with status 308, query and all. Without this such a path is a 404. Of a nested app it has
    /// no effect.
    ///
    /// ```
    /// use aio::http::{App, Request, TestClient};
    ///
    /// aio::run(async {
    ///     let app = App::new().redirect_slashes().get("/users/", async |_: Request| "ann, ben");
    ///     let client = TestClient::new(app).await?;
    ///     let answer = client.get("//users?page=2").send().await;
    ///     assert_eq!((answer.status().as_u16(), answer.header("location")), (308, Some("/users/?page=2")));
    ///     assert_eq!(client.get("/nobody").send().await.status(), 404);
    ///     Ok::<(), std::io::Error>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn redirect_slashes(mut self) -> Self {
        self.redirect_slashes = true;
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
        Site::new(self).map(|_| ())
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
            .field("routes", &self.routes)
            .field("nested", &self.nested)
            .field("state", &self.state)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
