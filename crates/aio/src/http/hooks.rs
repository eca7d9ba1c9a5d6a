//! What an app does before it serves and after.

use std::{cell::RefCell, fmt, pin::Pin, rc::Rc};

use super::scope::State;

type Ending = Pin<Box<dyn Future<Output = ()>>>;
/// Calls a startup hook; the error is its text.
pub(crate) type Hook = Rc<dyn Fn(Setup) -> Pin<Box<dyn Future<Output = Result<(), String>>>>>;
type Cleanup = Box<dyn FnOnce() -> Ending>;

/// The clean-ups to be run, the last one first.
#[derive(Clone, Default)]
pub(crate) struct Cleanups(Rc<RefCell<Vec<Cleanup>>>);

impl Cleanups {
    pub(crate) async fn run(&self) {
        loop {
            let next = self.0.borrow_mut().pop();
            let Some(cleanup) = next else { return };
            cleanup().await;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}

/// An app on its way to serve, as its startup hooks see it; see [`App::on_startup`](super::App::on_startup).
#[derive(Clone)]
pub struct Setup {
    pub(crate) state: State,
    pub(crate) cleanups: Cleanups,
}

impl Setup {
    /// Puts a value where this app's handlers find it by its type, with [`Request::state`](super::Request::state).
    pub fn insert<T: 'static>(&self, value: T) {
        self.state.insert(value);
    }

    /// Has `cleanup` run once the server has closed. The last one that was set up is cleaned up first.
    pub fn on_cleanup<C>(&self, cleanup: C)
    where
        C: AsyncFnOnce() + 'static,
    {
        let cleanup: Cleanup = Box::new(move || Box::pin(async move { cleanup().await }));
        self.cleanups.0.borrow_mut().push(cleanup);
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
