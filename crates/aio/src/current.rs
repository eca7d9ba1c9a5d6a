//! Which loop runs on this thread.

use std::{cell::RefCell, rc::Rc};

use crate::{error::NoRunningLoop, executor::Engine, loop_core::LoopCore};

thread_local! {
    static CURRENT: RefCell<Option<Rc<LoopCore>>> = const { RefCell::new(None) };
}

/// While it lives, its loop is this thread's running loop.
pub(crate) struct Entered(());

impl Entered {
    /// `None` when a loop already runs here.
    pub(crate) fn new(core: &Rc<LoopCore>) -> Option<Self> {
        CURRENT.with_borrow_mut(|current| match current {
            Some(_) => None,
            None => {
                *current = Some(core.clone());
                Some(Entered(()))
            }
        })
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // Taken out first: the loop's own drop may look here.
        let core = CURRENT.with_borrow_mut(Option::take);
        drop(core);
    }
}

pub(crate) fn core() -> Result<Rc<LoopCore>, NoRunningLoop> {
    match CURRENT.try_with(|current| current.borrow().clone()) {
        Ok(Some(core)) => Ok(core),
        // None runs, or the thread is past the end of its thread-locals.
        _ => Err(NoRunningLoop),
    }
}

/// Calls `f` with the running loop's engine; hands `value` back when there is none. `f` must not enter or leave a loop.
pub(crate) fn with_engine<V, R>(value: V, f: impl FnOnce(V, &Rc<Engine>) -> R) -> Result<R, V> {
    let mut value = Some(value);
    let result = CURRENT.try_with(|current| {
        let current = current.borrow();
        let core = current.as_ref()?;
        value.take().map(|value| f(value, core.engine()))
    });
    match (result, value) {
        (Ok(Some(result)), _) => Ok(result),
        (_, Some(value)) => Err(value),
        (_, None) => unreachable!("the value is taken only to make a result"),
    }
}

/// The running loop's engine.
pub(crate) fn engine() -> Result<Rc<Engine>, NoRunningLoop> {
    with_engine((), |(), engine| engine.clone()).map_err(|()| NoRunningLoop)
}
