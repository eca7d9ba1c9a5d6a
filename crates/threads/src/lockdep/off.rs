//! The watch of lock orders, switched off: nothing is stored and nothing is done.

pub(crate) struct Tag;

pub(crate) struct Held;

/// Lives where a lock is given up and taken again.
pub(crate) struct GivenUp;

impl Tag {
    pub(crate) const fn new() -> Self {
        Self
    }

    #[inline(always)]
    pub(crate) fn wanted(&self) {}

    #[inline(always)]
    pub(crate) fn wanted_by_others(&self) {}

    #[inline(always)]
    pub(crate) fn taken(&self) -> Held {
        Held
    }
}

impl Held {
    #[inline(always)]
    pub(crate) fn given_up(&self) -> GivenUp {
        GivenUp
    }
}
