//! Stands for the system: shared memory, an event descriptor, a socket, a clock.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use loom::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub(crate) mod sync {
    pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard, atomic};
}
use sync::{Condvar, Mutex};

/// Bytes of the ring are written and read in blocks of this size, each one atomic word here. A block is full of one byte.
pub(crate) const BLOCK: usize = 16 * 1024;
/// The bytes of the map before the ring, as in the journal.
const WORDS_END: usize = 4096;

/// Shared memory: the journal's words, and the blocks of its ring.
pub(crate) struct SharedMap {
    words: Vec<(usize, AtomicU64)>,
    blocks: Vec<AtomicU64>,
}

impl SharedMap {
    /// The offsets of the words that the models use.
    const OFFSETS: [usize; 6] = [0, 64, 72, 128, 192, 200];

    pub(crate) fn new(length: usize) -> io::Result<Self> {
        Ok(Self {
            words: Self::OFFSETS.map(|at| (at, AtomicU64::new(0))).into(),
            blocks: (WORDS_END..length)
                .step_by(BLOCK)
                .map(|_| AtomicU64::new(0))
                .collect(),
        })
    }

    pub(crate) fn attach(_file: OwnedFd, length: usize) -> io::Result<Self> {
        Self::new(length)
    }

    pub(crate) fn word(&self, offset: usize) -> &AtomicU64 {
        let found = self.words.iter().find(|(at, _)| *at == offset);
        &found.expect("a word of the journal").1
    }

    /// The blocks of a range of the ring.
    fn blocks(&self, offset: usize, count: usize) -> &[AtomicU64] {
        let start = offset - WORDS_END;
        assert!(start % BLOCK == 0 && count % BLOCK == 0, "whole blocks");
        &self.blocks[start / BLOCK..][..count / BLOCK]
    }

    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) {
        for (block, part) in self
            .blocks(offset, bytes.len())
            .iter()
            .zip(bytes.chunks(BLOCK))
        {
            block.store(u64::from(part[0]), Relaxed);
        }
    }

    pub(crate) fn read(&self, offset: usize, bytes: &mut [u8]) {
        let blocks = self.blocks(offset, bytes.len());
        for (block, part) in blocks.iter().zip(bytes.chunks_mut(BLOCK)) {
            part.fill(block.load(Relaxed) as u8);
        }
    }
}

impl AsFd for SharedMap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        unreachable!("the memory has no file in a model")
    }
}

pub(crate) fn fill_random(_bytes: &mut [u8]) -> io::Result<()> {
    Ok(())
}

thread_local! {
    static CLOCK: Cell<u64> = const { Cell::new(0) };
}

/// Sets the clock of this thread.
pub(crate) fn set_clock(nanos: u64) {
    CLOCK.set(nanos);
}

pub(crate) fn monotonic_nanos() -> u64 {
    CLOCK.get()
}

/// The kernel: one event descriptor, and one socket on which workers answer.
#[derive(Default)]
struct Kernel {
    ready: Mutex<Ready>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Ready {
    pub(crate) event: bool,
    pub(crate) answers: bool,
}

loom::lazy_static! {
    static ref KERNEL: Kernel = Kernel::default();
}

/// Changes what is ready, and wakes those that poll.
fn change(f: impl FnOnce(&mut Ready)) {
    f(&mut KERNEL.ready.lock().unwrap());
    KERNEL.changed.notify_all();
}

pub(crate) fn set_answers(answers: bool) {
    change(|ready| ready.answers = answers);
}

/// Returns what is ready; blocks until something is, if `block`. The answers are looked at if `socket`.
pub(crate) fn poll(block: bool, socket: bool) -> Ready {
    let mut ready = KERNEL.ready.lock().unwrap();
    while block && !ready.event && !(socket && ready.answers) {
        ready = KERNEL.changed.wait(ready).unwrap();
    }
    Ready {
        event: ready.event,
        answers: socket && ready.answers,
    }
}

pub(crate) struct EventFd;

impl EventFd {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) fn notify(&self) {
        change(|ready| ready.event = true);
    }

    pub(crate) fn clear(&self) {
        change(|ready| ready.event = false);
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        unreachable!("the event has no descriptor in a model")
    }
}
