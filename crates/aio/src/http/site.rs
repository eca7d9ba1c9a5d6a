//! An app made ready to answer: its routes in a tree, those of nested apps included.

use std::{cell::Cell, rc::Rc};

use ::http::{HeaderName, HeaderValue, Method, StatusCode, header};

use super::{
    app::App,
    forwarded::TrustedProxies,
    hooks::{Cleanups, Hook, Setup},
    limits::Limits,
    middleware::{Chain, Next},
    request::Request,
    response::{IntoResponse, Response, location},
    route::{Handler, Handling, OnDisconnect, Target},
    router::{Router, Undecodable},
    scope::Scope,
};
use crate::error::RouteError;

/// The handlers of one pattern. Few, so a list is faster than a map.
type Methods = Vec<(Option<Method>, Rc<Target>)>;

/// What becomes of a request.
pub(crate) enum Handled {
    /// A handler answers it.
    Later(Handling, OnDisconnect),
    /// No handler is needed.
    Now(Box<Response>),
}

pub(crate) struct Site {
    router: Router<Methods>,
    /// Where nested apps begin, and the app itself, whose prefix is empty.
    scopes: Vec<(String, Rc<Scope>)>,
    hooks: Vec<(Hook, Setup)>,
    pub(crate) cleanups: Cleanups,
    pub(crate) limits: Limits,
    pub(crate) request_ids: bool,
    redirect_slashes: bool,
    pub(crate) proxies: TrustedProxies,
    /// Requests that are being handled.
    pub(crate) handling: Cell<usize>,
}

impl Site {
    pub(crate) fn new(app: &App) -> Result<Rc<Self>, RouteError> {
        let mut site = Site {
            router: Router::new(),
            scopes: Vec::new(),
            hooks: Vec::new(),
            cleanups: Cleanups::default(),
            limits: app.limits,
            request_ids: app.request_ids,
            redirect_slashes: app.redirect_slashes,
            proxies: app.proxies.clone(),
            handling: Cell::new(0),
        };
        site.take_in(app, "", None)?;
        // The longest prefix that fits is the innermost app.
        site.scopes
            .sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Ok(Rc::new(site))
    }

    fn take_in(
        &mut self,
        app: &App,
        prefix: &str,
        parent: Option<&Rc<Scope>>,
    ) -> Result<(), RouteError> {
        let outer = parent.map_or(&[][..], |scope| &scope.chain);
        let scope = Rc::new(Scope {
            state: app.state.clone(),
            chain: outer.iter().chain(&app.chain).cloned().collect(),
            parent: parent.cloned(),
        });
        let setup = Setup {
            state: app.state.clone(),
            cleanups: self.cleanups.clone(),
        };
        self.hooks
            .extend(app.startup.iter().map(|hook| (hook.clone(), setup.clone())));
        for route in &app.routes {
            let whole = format!("{prefix}{}", route.pattern);
            // One that is neither empty nor begins with a slash is told as it was written.
            let fits = route.pattern.is_empty() || route.pattern.starts_with('/');
            let pattern = if fits { &whole } else { &route.pattern };
            let methods = self.router.entry(pattern, Vec::new)?;
            if methods.iter().any(|(known, _)| *known == route.method) {
                return Err(RouteError::Duplicate {
                    method: route
                        .method
                        .as_ref()
                        .map_or("any", Method::as_str)
                        .to_owned(),
                    pattern: whole,
                });
            }
            methods.push((route.method.clone(), Target::new(route, &scope)));
        }
        for (place, nested) in &app.nested {
            let place = place.trim_end_matches('/');
            if !place.starts_with('/') || place.ends_with(":*}") {
                return Err(RouteError::BadPattern {
                    pattern: place.to_owned(),
                    why: "a nested app's prefix begins with a slash and has an end".to_owned(),
                });
            }
            self.take_in(nested, &format!("{prefix}{place}"), Some(&scope))?;
        }
        self.scopes.push((prefix.to_owned(), scope));
        Ok(())
    }

    /// Runs the startup hooks. After a failure what was set up has been cleaned up.
    pub(crate) async fn start(&self) -> Result<(), String> {
        for (hook, setup) in &self.hooks {
            if let Err(error) = hook(setup.clone()).await {
                self.cleanups.run().await;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Finds the handler and starts it; or the answer that needs none.
    pub(crate) fn handle(&self, mut request: Request) -> Handled {
        let path = request.raw_path();
        let found = match self.router.find(path) {
            Ok(Some(found)) => found,
            Ok(None) => {
                if *request.method() == Method::OPTIONS && path == "*" {
                    return self.refuse(request, StatusCode::NO_CONTENT, None);
                }
                if let Some(location) = self.elsewhere(&request) {
                    let to = Some((header::LOCATION, location));
                    return self.refuse(request, StatusCode::PERMANENT_REDIRECT, to);
                }
                return self.refuse(request, StatusCode::NOT_FOUND, None);
            }
            Err(Undecodable) => {
                return self.refuse(request, StatusCode::BAD_REQUEST, None);
            }
        };
        let methods = &found.leaf.value;
        let Some(target) = choose(methods, request.method()) else {
            let status = if *request.method() == Method::OPTIONS {
                StatusCode::NO_CONTENT
            } else {
                StatusCode::METHOD_NOT_ALLOWED
            };
            let allow = allowed(methods).map(|allow| (header::ALLOW, allow));
            return self.refuse(request, status, allow);
        };
        request.set_match(found.decoded, found.leaf, found.values);
        request.set_scope(target.scope.clone(), target.body_limit);
        Handled::Later(target.start(request), target.on_disconnect)
    }

    /// The same path with other slashes, where that one is known.
    fn elsewhere(&self, request: &Request) -> Option<HeaderValue> {
        if !self.redirect_slashes {
            return None;
        }
        let mut path = request.raw_path().to_owned();
        while path.contains("//") {
            path = path.replace("//", "/");
        }
        let other = match path.strip_suffix('/') {
            Some(shorter) => shorter.to_owned(),
            None => format!("{path}/"),
        };
        let known = |path: &String| {
            let found = self.router.find(path).ok().flatten();
            found.is_some_and(|found| choose(&found.leaf.value, request.method()).is_some())
        };
        let mut target = [path, other].into_iter().find(known)?;
        if let Some(query) = request.0.head.uri.query() {
            target = format!("{target}?{query}");
        }
        location(&target)
    }

    /// An answer without a handler, through the middleware of the app that the path belongs to.
    fn refuse(
        &self,
        mut request: Request,
        status: StatusCode,
        header: Option<(HeaderName, HeaderValue)>,
    ) -> Handled {
        let answer = move || {
            let response = match status {
                StatusCode::NO_CONTENT => Response::new(status),
                status => status.into_response(),
            };
            match &header {
                Some((name, value)) => response.with_header(name.clone(), value.clone()),
                None => response,
            }
        };
        let path = request.raw_path();
        let scope = self
            .scopes
            .iter()
            .find(|(prefix, _)| is_below(path, prefix));
        match scope {
            Some((_, scope)) if !scope.chain.is_empty() => {
                request.set_scope(scope.clone(), None);
                let handler: Handler = Rc::new(move |_| Box::pin(std::future::ready(answer())));
                let chain = Chain {
                    of_app: scope.chain.clone(),
                    of_route: Rc::new([]),
                };
                let handling = Next::new(chain, handler).start(request);
                Handled::Later(handling, OnDisconnect::Finish)
            }
            _ => Handled::Now(Box::new(answer())),
        }
    }
}

/// Whether the path begins with the prefix's segments.
fn is_below(path: &str, prefix: &str) -> bool {
    let mut segments = path.split('/');
    prefix.split('/').all(|expected| match segments.next() {
        Some(segment) => segment == expected || expected.starts_with('{'),
        None => false,
    })
}

fn choose<'a>(methods: &'a Methods, method: &Method) -> Option<&'a Rc<Target>> {
    let of = |method: Option<&Method>| {
        methods
            .iter()
            .find(|(known, _)| known.as_ref() == method)
            .map(|(_, target)| target)
    };
    of(Some(method))
        .or_else(|| (*method == Method::HEAD).then(|| of(Some(&Method::GET)))?)
        .or_else(|| of(None))
}

fn allowed(methods: &Methods) -> Option<HeaderValue> {
    let known = methods.iter().filter_map(|(method, _)| method.as_ref());
    let mut names: Vec<&str> = known.map(Method::as_str).collect();
    if names.contains(&"GET") && !names.contains(&"HEAD") {
        names.push("HEAD");
    }
    names.push("OPTIONS");
    names.sort_unstable();
    names.dedup();
    HeaderValue::from_str(&names.join(", ")).ok()
}
