//! What runs around requests of ours.

use std::{fmt, pin::Pin, rc::Rc};

use super::{request::ClientRequest, response::ClientResponse, session::ClientSession};
use crate::error::ClientError;

type Answer = Result<ClientResponse, ClientError>;

/// A function around the rest of the chain.
pub(super) type Middleware =
    Rc<dyn Fn(ClientRequest, ClientNext) -> Pin<Box<dyn Future<Output = Answer>>>>;

pub(super) fn middleware<M>(function: M) -> Middleware
where
    M: AsyncFn(ClientRequest, ClientNext) -> Answer + 'static,
{
    let function = Rc::new(function);
    Rc::new(move |request, next| {
        let function = function.clone();
        Box::pin(async move { function(request, next).await })
    })
}

/// The rest of a session's chain, as a middleware sees it: further middleware, and the sending at the end.
///
/// It may be run several times. A response that is not wanted should be dropped first: it counts among the requests that
/// are under way.
///
/// ```
/// use aio::http::{App, ClientSession, Request, StatusCode, TestServer};
///
/// aio::run(async {
///     let app = App::new().get("/", async |request: Request| match request.header("authorization") {
///         Some("Bearer new") => StatusCode::OK,
///         _ => StatusCode::UNAUTHORIZED,
///     });
///     let server = TestServer::start(app).await?;
///     let session = ClientSession::builder().wrap(async |request, next| {
///         let again = request.try_clone();
///         let response = next.run(request.bearer_auth("old")).await?;
///         match again {
///             Some(again) if response.status() == StatusCode::UNAUTHORIZED => {
///                 drop(response);
///                 next.run(again.bearer_auth("new")).await
///             }
///             _ => Ok(response),
///         }
///     });
///     let response = session.build()?.get(&server.url("/")).send().await?;
///     assert_eq!(response.status(), StatusCode::OK);
///     Ok::<(), Box<dyn std::error::Error>>(())
/// })??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ClientNext {
    session: ClientSession,
    /// How many of the chain have begun.
    begun: usize,
}

impl ClientNext {
    pub(super) fn new(session: ClientSession) -> Self {
        ClientNext { session, begun: 0 }
    }

    /// Runs the rest of the chain and gives its response.
    ///
    /// # Errors
    ///
    /// As [`ClientRequest::send`].
    pub async fn run(&self, request: ClientRequest) -> Answer {
        let Some(middleware) = self.session.shared.chain.get(self.begun) else {
            return request.exchange().await;
        };
        let rest = ClientNext {
            session: self.session.clone(),
            begun: self.begun + 1,
        };
        middleware(request, rest).await
    }
}

impl fmt::Debug for ClientNext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientNext")
            .field("begun", &self.begun)
            .finish_non_exhaustive()
    }
}
