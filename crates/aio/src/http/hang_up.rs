//! A client that is gone, and who wants to know of it.

use std::{
    cell::{Cell, RefCell},
    task::{Context, Poll, Waker},
};

/// Whether nobody is there any more, and who waits for that.
#[derive(Default)]
pub(crate) struct HangUp {
    gone: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl HangUp {
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.get()
    }

    pub(crate) fn is_awaited(&self) -> bool {
        !self.waiting.borrow().is_empty()
    }

    pub(crate) fn tell(&self) {
        self.gone.set(true);
        let waiting = self.waiting.take();
        waiting.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.gone.get() {
            return Poll::Ready(());
        }
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }
}
