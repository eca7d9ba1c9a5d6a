//! A request from its head to the last byte of its response.

use std::rc::Rc;

#[cfg(feature = "tracing")]
use super::access::Access;
use super::{io::Wire, site::Site};

/// Counts a request as being handled while it lives.
pub(crate) struct Flight {
    wire: Rc<Wire>,
    site: Rc<Site>,
    #[cfg(feature = "tracing")]
    pub(crate) access: Option<Box<Access>>,
}

impl Flight {
    pub(crate) fn new(wire: &Rc<Wire>, site: &Rc<Site>) -> Self {
        wire.busy.set(wire.busy.get() + 1);
        site.handling.set(site.handling.get() + 1);
        Flight {
            wire: wire.clone(),
            site: site.clone(),
            #[cfg(feature = "tracing")]
            access: None,
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.wire.busy.set(self.wire.busy.get() - 1);
        self.site.handling.set(self.site.handling.get() - 1);
    }
}
