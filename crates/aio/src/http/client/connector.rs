//! Tells a request's trail of the connection that is made for it.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::trace::Trail;

thread_local! {
    /// The trail of the request that is being polled: what connects must be `Send`, and can hold no trail.
    static CURRENT: RefCell<Option<Rc<Trail>>> = const { RefCell::new(None) };
}

fn tell(say: impl FnOnce(&Trail)) {
    let current = CURRENT.with_borrow(Clone::clone);
    if let Some(trail) = current {
        say(&trail);
    }
}

pin_project! {
    /// A request that is sent; connections that it makes are told to its trail.
    pub(super) struct Along<F> {
        trail: Rc<Trail>,
        #[pin]
        sending: F,
    }
}

impl<F> Along<F> {
    pub(super) fn new(trail: &Rc<Trail>, sending: F) -> Self {
        Along {
            trail: trail.clone(),
            sending,
        }
    }
}

impl<F: Future> Future for Along<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _restore = Restore(CURRENT.replace(Some(this.trail.clone())));
        this.sending.poll(cx)
    }
}

struct Restore(Option<Rc<Trail>>);

impl Drop for Restore {
    fn drop(&mut self) {
        // Dropped outside the cell: the end of a trail calls hooks.
        let _current = CURRENT.replace(self.0.take());
    }
}

/// Around whatever connects.
#[derive(Clone)]
pub(super) struct TellTrail;

impl<S> Layer<S> for TellTrail {
    type Service = TellingConnector<S>;

    fn layer(&self, connector: S) -> TellingConnector<S> {
        TellingConnector(connector)
    }
}

#[derive(Clone)]
pub(super) struct TellingConnector<S>(S);

impl<S: Service<R>, R> Service<R> for TellingConnector<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Connecting<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, target: R) -> Self::Future {
        tell(Trail::connecting);
        Connecting {
            connecting: self.0.call(target),
        }
    }
}

pin_project! {
    pub(super) struct Connecting<F> {
        #[pin]
        connecting: F,
    }
}

impl<F, C, E> Future for Connecting<F>
where
    F: Future<Output = Result<C, E>>,
{
    type Output = Result<C, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let connected = self.project().connecting.poll(cx);
        if let Poll::Ready(made) = &connected {
            tell(|trail| trail.connected(made.is_ok()));
        }
        connected
    }
}
