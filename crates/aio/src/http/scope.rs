//! What the routes of one app share: state, and the middleware around them.

use std::{
    any::{Any, TypeId},
    cell::RefCell,
    collections::HashMap,
    fmt,
    rc::Rc,
};

use super::middleware::Middleware;

/// Values by their type.
#[derive(Clone, Default)]
pub(crate) struct State(Rc<RefCell<HashMap<TypeId, Rc<dyn Any>>>>);

impl State {
    pub(crate) fn insert<T: 'static>(&self, value: T) {
        let before = self
            .0
            .borrow_mut()
            .insert(TypeId::of::<T>(), Rc::new(value));
        // Dropped when the map is free again: its destructor may look into it.
        drop(before);
    }

    pub(crate) fn get<T: 'static>(&self) -> Option<Rc<T>> {
        let value = self.0.borrow().get(&TypeId::of::<T>())?.clone();
        value.downcast().ok()
    }
}

/// An app's place among the apps that it is nested in.
pub(crate) struct Scope {
    pub(crate) state: State,
    /// From the outermost app's first to this app's last.
    pub(crate) chain: Rc<[Middleware]>,
    pub(crate) parent: Option<Rc<Scope>>,
}

impl Scope {
    /// The nearest app's value of this type.
    pub(crate) fn find<T: 'static>(&self) -> Option<Rc<T>> {
        let mut scope = self;
        loop {
            if let Some(value) = scope.state.get() {
                return Some(value);
            }
            scope = scope.parent.as_deref()?;
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} values", self.0.borrow().len())
    }
}
