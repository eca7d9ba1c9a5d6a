//! Callbacks for descriptors that can be read or written.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    future::poll_fn,
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd, RawFd},
    rc::Rc,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::{
    io::{Interest, unix::AsyncFd},
    task::JoinHandle,
};

use crate::{event_loop::EventLoop, handle::Call, recurring::Recurring};

/// A loop's watched descriptors, by the number under which each was given.
#[derive(Default)]
pub(crate) struct Watches {
    readers: RefCell<BTreeMap<RawFd, Watch>>,
    writers: RefCell<BTreeMap<RawFd, Watch>>,
}

struct Watch {
    call: Rc<Recurring>,
    watching: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.call.cancel();
        self.watching.abort();
    }
}

impl Watches {
    pub(crate) fn clear(&self) {
        let (readers, writers) = (self.readers.take(), self.writers.take());
        drop((readers, writers));
    }

    fn of(&self, interest: Interest) -> &RefCell<BTreeMap<RawFd, Watch>> {
        if interest.is_readable() {
            &self.readers
        } else {
            &self.writers
        }
    }
}

impl EventLoop {
    /// Calls `callback` in each iteration in which `descriptor` can be read, or is at its end, until
    /// [`remove_reader`](EventLoop::remove_reader). It takes the place of an earlier callback for the same descriptor.
    ///
    /// For sockets, pipes and terminals that no stream of this crate drives. The loop keeps a duplicate of the descriptor,
    /// so what it stands for stays open until the callback is removed or the loop is closed. A callback that holds the
    /// loop keeps it alive until then.
    ///
    /// # Errors
    ///
    /// For what cannot be waited for, such as a file on disk; when no descriptor is left for the duplicate; when the loop
    /// is closed.
    ///
    /// ```
    /// use std::{cell::RefCell, io::Read, io::Write, os::unix::net::UnixStream, rc::Rc};
    ///
    /// let (mut ours, mut theirs) = UnixStream::pair()?;
    /// let event_loop = aio::EventLoop::new()?;
    /// let (source, stopping) = (ours.try_clone()?, event_loop.clone());
    /// event_loop.add_reader(&source, move || {
    ///     let mut bytes = [0; 16];
    ///     let count = ours.read(&mut bytes).unwrap();
    ///     assert_eq!(&bytes[..count], b"hello");
    ///     stopping.stop();
    /// })?;
    /// theirs.write_all(b"hello")?;
    /// event_loop.run_forever()?;
    /// assert!(event_loop.remove_reader(&source));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn add_reader(
        &self,
        descriptor: impl AsFd,
        callback: impl FnMut() + 'static,
    ) -> io::Result<()> {
        self.watch(descriptor, Interest::READABLE, Recurring::new(callback))
    }

    /// Calls `callback` in each iteration in which `descriptor` can be written, until
    /// [`remove_writer`](EventLoop::remove_writer); for the rest see [`add_reader`](EventLoop::add_reader).
    ///
    /// # Errors
    ///
    /// As `add_reader`.
    #[track_caller]
    pub fn add_writer(
        &self,
        descriptor: impl AsFd,
        callback: impl FnMut() + 'static,
    ) -> io::Result<()> {
        self.watch(descriptor, Interest::WRITABLE, Recurring::new(callback))
    }

    /// Calls nothing more when `descriptor` can be read. False when there was no callback.
    pub fn remove_reader(&self, descriptor: impl AsFd) -> bool {
        self.unwatch(descriptor, Interest::READABLE)
    }

    /// Calls nothing more when `descriptor` can be written. False when there was no callback.
    pub fn remove_writer(&self, descriptor: impl AsFd) -> bool {
        self.unwatch(descriptor, Interest::WRITABLE)
    }

    fn watch(
        &self,
        descriptor: impl AsFd,
        interest: Interest,
        call: Rc<Recurring>,
    ) -> io::Result<()> {
        let descriptor = descriptor.as_fd();
        let (engine, called) = (self.core().engine().clone(), call.clone());
        let watching = self.core().beside(|| {
            let duplicate = descriptor.try_clone_to_owned()?;
            #[expect(
                deprecated,
                reason = "the replacement is unsafe, for types that may name another descriptor later; this one owns its own"
            )]
            let watched = AsyncFd::with_interest(duplicate, interest)?;
            Ok(async move {
                while let Ok(mut ready) = watched.ready(interest).await {
                    called.call_soon(&engine);
                    poll_fn(|cx| called.poll_called(cx)).await;
                    // The system tells only of what is new, asyncio of what is: a callback that left something
                    // unread is called again.
                    if !is_ready(watched.get_ref(), interest) {
                        ready.clear_ready();
                    }
                }
            })
        })?;
        let watch = Watch { call, watching };
        let mut watches = self.core().watches.of(interest).borrow_mut();
        let before = watches.insert(descriptor.as_raw_fd(), watch);
        drop(watches);
        drop(before);
        Ok(())
    }

    fn unwatch(&self, descriptor: impl AsFd, interest: Interest) -> bool {
        let mut watches = self.core().watches.of(interest).borrow_mut();
        let removed = watches.remove(&descriptor.as_fd().as_raw_fd());
        drop(watches);
        removed.is_some()
    }
}

/// Asks the system, without waiting. What it cannot say counts as ready: the callback will find out.
fn is_ready(descriptor: &OwnedFd, interest: Interest) -> bool {
    let flags = if interest.is_readable() {
        PollFlags::POLLIN
    } else {
        PollFlags::POLLOUT
    };
    let mut asked = [PollFd::new(descriptor.as_fd(), flags)];
    poll(&mut asked, PollTimeout::ZERO) != Ok(0)
}
