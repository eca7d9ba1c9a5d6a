//! Tasks that wait in line.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// Who waits, in the order in which they came.
#[derive(Default)]
pub(crate) struct Waiters {
    line: RefCell<VecDeque<Rc<Place>>>,
    /// Places in the line whose owners wait no more.
    left: Cell<usize>,
}

struct Place {
    state: Cell<State>,
    waker: RefCell<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    /// Its turn has come.
    Called,
    /// It waits no more.
    Left,
}

impl Waiters {
    /// Waits for a call. If the wait is dropped after the call and before it was seen, `pass_on` is called instead.
    pub(crate) fn wait<P: Fn()>(&self, pass_on: P) -> Wait<'_, P> {
        Wait {
            waiters: self,
            place: None,
            pass_on,
            called: false,
        }
    }

    /// Waits until `reached`, which is looked at now and whenever all are called.
    pub(crate) async fn until(&self, reached: impl Fn() -> bool) {
        while !reached() {
            // Nobody needs the call of one who has left: all were called.
            self.wait(|| ()).await;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.line.borrow().len() - self.left.get()
    }

    /// Calls the first in line; false when nobody waits.
    pub(super) fn call_one(&self) -> bool {
        loop {
            let first = self.line.borrow_mut().pop_front();
            let Some(place) = first else { return false };
            if place.state.get() == State::Waiting {
                place.call();
                return true;
            }
            self.left.set(self.left.get() - 1);
        }
    }

    /// Calls all who wait now.
    pub(crate) fn call_all(&self) {
        let line = self.line.take();
        self.left.set(0);
        line.iter()
            .filter(|place| place.state.get() == State::Waiting)
            .for_each(|place| place.call());
    }

    /// Counts a place whose owner has left. The line closes up when half of it is gone: those who give up behind one who
    /// waits long must not make it grow, and each leaving costs the same on average.
    fn leave(&self) {
        self.left.set(self.left.get() + 1);
        if 2 * self.left.get() <= self.line.borrow().len() {
            return;
        }
        let line = self.line.take();
        let is_waiting = |place: &Rc<Place>| place.state.get() == State::Waiting;
        let (waiting, left): (VecDeque<_>, VecDeque<_>) = line.into_iter().partition(is_waiting);
        *self.line.borrow_mut() = waiting;
        self.left.set(0);
        // With the line in order again: a place's waker may be foreign code.
        drop(left);
    }
}

impl Place {
    fn call(&self) {
        self.state.set(State::Called);
        let waker = self.waker.borrow().clone();
        waker.wake();
    }
}

/// A place in line, taken at the first poll.
pub(crate) struct Wait<'a, P: Fn()> {
    waiters: &'a Waiters,
    place: Option<Rc<Place>>,
    pass_on: P,
    called: bool,
}

impl<P: Fn()> Unpin for Wait<'_, P> {}

impl<P: Fn()> Future for Wait<'_, P> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &self.place {
            None => {
                let place = Rc::new(Place {
                    state: Cell::new(State::Waiting),
                    waker: RefCell::new(cx.waker().clone()),
                });
                self.waiters.line.borrow_mut().push_back(place.clone());
                self.place = Some(place);
                Poll::Pending
            }
            Some(place) if place.state.get() == State::Called => {
                self.called = true;
                Poll::Ready(())
            }
            Some(place) => {
                place.waker.borrow_mut().clone_from(cx.waker());
                Poll::Pending
            }
        }
    }
}

impl<P: Fn()> Drop for Wait<'_, P> {
    fn drop(&mut self) {
        let Some(place) = &self.place else { return };
        match place.state.replace(State::Left) {
            State::Called if !self.called => (self.pass_on)(),
            State::Waiting => self.waiters.leave(),
            State::Called | State::Left => {}
        }
    }
}
