//! A connection that leaves HTTP for another protocol.

use std::{cell::RefCell, pin::Pin, rc::Rc};

use bytes::Bytes;

use super::{connection::Course, socket::Socket};

/// Takes the socket, with what was read of it too early.
pub(crate) type Switch =
    Box<dyn FnOnce(Socket, Bytes, Rc<Course>) -> Pin<Box<dyn Future<Output = ()>>>>;

/// Where a response leaves word of what follows on its connection.
#[derive(Clone, Default)]
pub(crate) struct Upgrade(Rc<RefCell<Option<Switch>>>);

impl Upgrade {
    pub(crate) fn take(&self) -> Option<Switch> {
        self.0.borrow_mut().take()
    }

    pub(crate) fn set(&self, switch: Switch) {
        *self.0.borrow_mut() = Some(switch);
    }
}
