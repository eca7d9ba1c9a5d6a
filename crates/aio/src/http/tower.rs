//! Apps and tower: an app as a service, tower's layers and services in an app.

use std::{
    convert::Infallible,
    fmt,
    future::{Ready, ready},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use ::http::StatusCode;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    app::App,
    body::{BoxError, ResponseBody},
    intake::{RequestBody, Source},
    middleware::Next,
    request::{Message, Request},
    response::{IntoResponse, Response},
    route::Route,
    site::{Handled, Site},
};
use crate::current;

type Answering = Pin<Box<dyn Future<Output = Result<::http::Response<ResponseBody>, Infallible>>>>;

/// An app as a [`tower_service::Service`]; made by [`App::into_service`].
///
/// Clones answer for the same app. Its futures stay on their thread.
#[derive(Clone)]
pub struct AppService {
    site: Rc<Site>,
}

impl App {
    /// The app as a service, for servers and tests of tower's world. It has no connections, so limits of time and
    /// [`Request::peer_addr`] are the caller's concern; startup hooks have been run when this returns.
    ///
    /// # Errors
    ///
    /// [`RouteError`](super::RouteError), or a startup hook's error, as an [`io::Error`](std::io::Error).
    ///
    /// ```
    /// use aio::http::{App, Request};
    /// use tower_service::Service;
    ///
    /// aio::run(async {
    ///     let mut service = App::new().get("/", async |_: Request| "hello").into_service().await?;
    ///     let answer = service.call(http::Request::new(String::new())).await.unwrap();
    ///     assert_eq!(answer.status(), 200);
    ///     Ok::<(), std::io::Error>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn into_service(self) -> std::io::Result<AppService> {
        let site = Site::new(&self)?;
        site.start().await.map_err(std::io::Error::other)?;
        Ok(AppService { site })
    }

    /// Puts a tower layer around every handler, as [`wrap`](App::wrap) does with a middleware. The layer makes one
    /// service, which is cloned for each request: so what its clones share, a limit's count for one, is shared by all
    /// requests. An error of the layer answers 500, and the loop's exception handler hears of it.
    ///
    /// ```
    /// use aio::http::{App, Request, TestClient};
    /// use tower::util::MapResponseLayer;
    ///
    /// aio::run(async {
    ///     let teapot = MapResponseLayer::new(|mut response: http::Response<_>| {
    ///         *response.status_mut() = http::StatusCode::IM_A_TEAPOT;
    ///         response
    ///     });
    ///     let app = App::new().layer(teapot).get("/", async |_: Request| "short and stout");
    ///     let client = TestClient::new(app).await?;
    ///     assert_eq!(client.get("/").send().await.status(), 418);
    ///     Ok::<(), std::io::Error>(())
    /// })??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn layer<L, B>(self, layer: L) -> Self
    where
        L: Layer<NextService>,
        L::Service:
            Service<::http::Request<RequestBody>, Response = ::http::Response<B>> + Clone + 'static,
        <L::Service as Service<::http::Request<RequestBody>>>::Error: fmt::Display,
        B: Body<Data = Bytes> + 'static,
        B::Error: Into<BoxError>,
    {
        let service = layer.layer(NextService(()));
        self.wrap(async move |mut request: Request, next: Next| {
            request.0.body.context.next = Some(Box::new(next));
            called(service.clone(), request.into_http()).await
        })
    }

    /// Answers everything beneath `prefix`, whatever the method, with a tower service. It sees the whole path.
    pub fn mount_service<S, B>(self, prefix: &str, service: S) -> Self
    where
        S: Service<::http::Request<RequestBody>, Response = ::http::Response<B>> + Clone + 'static,
        S::Error: fmt::Display,
        B: Body<Data = Bytes> + 'static,
        B::Error: Into<BoxError>,
    {
        let pattern = format!("{}/{{path:*}}", prefix.trim_end_matches('/'));
        self.add_route(Route::any(&pattern, async move |request: Request| {
            called(service.clone(), request.into_http()).await
        }))
    }
}

/// Calls a service once it is ready.
async fn called<S, B>(mut service: S, request: ::http::Request<RequestBody>) -> Response
where
    S: Service<::http::Request<RequestBody>, Response = ::http::Response<B>>,
    S::Error: fmt::Display,
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<BoxError>,
{
    let answered = async {
        std::future::poll_fn(|cx| service.poll_ready(cx)).await?;
        service.call(request).await
    };
    match answered.await {
        Ok(response) => {
            Response::from_http(response.map(|body| ResponseBody::foreign(Boxed(Box::pin(body)))))
        }
        Err(error) => {
            if let Ok(engine) = current::engine() {
                engine
                    .reporter
                    .report("a tower service failed", None, &error);
            }
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

impl<B> Service<::http::Request<B>> for AppService
where
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<BoxError>,
{
    type Response = ::http::Response<ResponseBody>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: ::http::Request<B>) -> Answering {
        let (head, body) = request.into_parts();
        let source = Source::Foreign(Box::pin(Boxed(Box::pin(body))));
        match self
            .site
            .handle(Request::new(head, source, self.site.clone()))
        {
            Handled::Later(handling, _) => Box::pin(async move { Ok(handling.await.into_http()) }),
            Handled::Now(response) => Box::pin(ready(Ok(response.into_http()))),
        }
    }
}

impl fmt::Debug for AppService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppService").finish_non_exhaustive()
    }
}

/// The rest of the chain as a service, around which a layer is put. It answers a request that it was given once; one
/// that a layer has made itself gets a 500.
#[derive(Debug, Clone)]
pub struct NextService(());

impl Service<::http::Request<RequestBody>> for NextService {
    type Response = ::http::Response<ResponseBody>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: ::http::Request<RequestBody>) -> Answering {
        let Some(next) = request.body_mut().context.next.take() else {
            let again: Ready<_> = ready(Ok(StatusCode::INTERNAL_SERVER_ERROR
                .into_response()
                .into_http()));
            return Box::pin(again);
        };
        Box::pin(async move { Ok(next.run(Request::from_http(request)).await.into_http()) })
    }
}

impl Request {
    fn into_http(self) -> ::http::Request<RequestBody> {
        let Message { head, mut body } = *self.0;
        // A layer may change the path, and the values are parts of it.
        for value in &mut body.context.values {
            value.detach(head.uri.path());
        }
        ::http::Request::from_parts(head, body)
    }

    fn from_http(request: ::http::Request<RequestBody>) -> Self {
        let (head, body) = request.into_parts();
        Request(Box::new(Message { head, body }))
    }
}

/// A body whose errors are boxed.
struct Boxed<B>(Pin<Box<B>>);

impl<B> Body for Boxed<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.as_mut().poll_frame(cx).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
