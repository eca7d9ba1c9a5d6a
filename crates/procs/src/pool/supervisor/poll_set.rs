//! One wait of a supervisor for its descriptors.

use std::thread;
use std::time::Duration;

use crate::sys::{self, PollFd};

/// The descriptors and the timeout of one wait. It borrows nothing, so the supervisor's lock can be released during it.
pub(in crate::pool) struct PollSet {
    /// The descriptor of the commands, then two of each worker.
    descriptors: Vec<PollFd>,
    timeout: Option<Duration>,
    /// The generation of the workers to which the descriptors belong.
    pub(in crate::pool) generation: u64,
    failed: bool,
}

/// Which descriptors of a worker are ready.
#[derive(Clone, Copy)]
pub(in crate::pool) struct Readiness {
    pub(in crate::pool) socket: bool,
    pub(in crate::pool) end: bool,
}

impl PollSet {
    pub(in crate::pool) fn new(
        commands: PollFd,
        workers: impl Iterator<Item = [PollFd; 2]>,
        timeout: Option<Duration>,
        generation: u64,
    ) -> Self {
        Self {
            descriptors: [commands].into_iter().chain(workers.flatten()).collect(),
            timeout,
            generation,
            failed: false,
        }
    }

    /// Blocks until a descriptor is ready, the timeout has passed or a signal arrives.
    pub(in crate::pool) fn wait(&mut self) {
        if sys::poll(&mut self.descriptors, self.timeout).is_err() {
            // The kernel has no memory. After a pause, all descriptors count as ready.
            thread::sleep(Duration::from_millis(10));
            self.failed = true;
        }
    }

    /// Returns whether the notifier's descriptor is ready.
    pub(in crate::pool) fn has_commands(&self) -> bool {
        self.descriptors[0].revents != 0
    }

    /// Returns which descriptors of each of `count` workers are ready: all, if the poll failed or the list of workers has
    /// changed since.
    pub(in crate::pool) fn ready(&self, count: usize, generation: u64) -> Vec<Readiness> {
        if self.failed || generation != self.generation {
            let unknown = Readiness {
                socket: true,
                end: true,
            };
            return vec![unknown; count];
        }
        let (pairs, _) = self.descriptors[1..].as_chunks::<2>();
        let found = |descriptor: &PollFd| descriptor.revents != 0;
        pairs
            .iter()
            .map(|[socket, end]| Readiness {
                socket: found(socket),
                end: found(end),
            })
            .collect()
    }
}
