//! The global allocator is user code: it may put into the queue whose operation allocates.
//!
//! A binary of its own, since an allocator is one for the process. It notes the sizes of allocations and frees only
//! on threads that ask for it, so the test harness is not noted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::mpsc;
use std::time::Duration;
use threads::{LifoQueue, PriorityQueue, Queue, Shutdown, SimpleQueue, wait_any};

type Note = &'static (dyn Fn(usize) + Sync);

thread_local! {
    /// What the calling thread does at each allocation and free; taken out while it runs.
    static NOTE: Cell<Option<Note>> = const { Cell::new(None) };
}

struct NotingAllocator;

#[global_allocator]
static ALLOCATOR: NotingAllocator = NotingAllocator;

fn note(size: usize) {
    // A thread that ends has no thread-local values any more.
    let _ = NOTE.try_with(|cell| {
        if let Some(note) = cell.take() {
            note(size);
            cell.set(Some(note));
        }
    });
}

// SAFETY: every request is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for NotingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(layout.size());
        // SAFETY: the caller keeps `dealloc`'s contract, and `pointer` came from `alloc`.
        unsafe { System.dealloc(pointer, layout) };
    }
}

/// Runs `body` on a thread whose allocations and frees are passed to `put`, and fails if it hangs.
fn noting(put: impl Fn(usize) + Sync + 'static, body: impl FnOnce() + Send + 'static) {
    let put: Note = Box::leak(Box::new(put));
    let (done, finished) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        NOTE.set(Some(put));
        body();
        NOTE.set(None);
        let _ = done.send(());
    });
    match finished.recv_timeout(Duration::from_secs(20)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("the queue waits for itself"),
        _ => thread.join().expect("the body"),
    }
}

/// More than any segment or first buffer holds.
const MANY: usize = 5_000;

#[test]
fn a_first_in_first_out_queue_that_grows_and_shrinks() {
    let queue = Queue::unbounded();
    let notes = queue.clone();
    noting(
        move |size| _ = notes.put(size),
        move || {
            (0..MANY).for_each(|n| queue.put(n).unwrap());
            let mut items = Vec::new();
            for _ in 0..MANY / 2 {
                queue.get().unwrap();
            }
            queue.get_many(&mut items, MANY).unwrap();
            queue.put_many(&mut items).unwrap();
            assert!(items.is_empty());
            assert!(queue.shutdown(Shutdown::Immediate).len() >= MANY / 2);
        },
    );
}

#[test]
fn a_bounded_queue_with_more_room_than_is_allocated_at_once() {
    let queue = Queue::bounded(MANY);
    let notes = queue.clone();
    noting(
        move |size| _ = notes.try_put(size),
        move || {
            for _ in 0..3 {
                while queue.try_put(0).is_ok() {}
                while queue.try_get().is_ok() {}
            }
            while queue.try_put(0).is_ok() {}
            assert_eq!(queue.shutdown(Shutdown::Immediate).len(), MANY);
        },
    );
}

#[test]
fn a_simple_queue() {
    let queue = SimpleQueue::new();
    let notes = queue.clone();
    noting(
        move |size| notes.put(size),
        move || {
            (0..MANY).for_each(|n| queue.put(n));
            while queue.try_get().is_ok() {}
        },
    );
}

#[test]
fn a_stack() {
    let stack = LifoQueue::unbounded();
    let notes = stack.clone();
    noting(
        move |size| _ = notes.put(size),
        move || {
            (0..MANY).for_each(|n| stack.put(n).unwrap());
            let mut items = Vec::new();
            stack.get_many(&mut items, MANY).unwrap();
            stack.put_many(&mut items).unwrap();
            stack.shutdown(Shutdown::Immediate);
        },
    );
}

#[test]
fn a_queue_of_priorities() {
    let queue = PriorityQueue::unbounded();
    let notes = queue.clone();
    noting(
        move |size| _ = notes.put(size, ()),
        move || {
            (0..MANY).for_each(|n| queue.put(n, ()).unwrap());
            let mut items = Vec::new();
            queue.get_many(&mut items, MANY).unwrap();
            queue.shutdown(Shutdown::Immediate);
        },
    );
}

/// Each waiter takes a place in a list, which grows.
#[test]
fn threads_that_wait_for_items_and_for_room() {
    let queue = Queue::bounded(1);
    let notes = queue.clone();
    noting(
        move |size| _ = notes.try_put(size),
        move || {
            // The first notes fill the queue; what is put waits for room, and times out.
            for n in 0..MANY / 100 {
                let _ = queue.put_for(n, Duration::from_millis(1));
            }
            while queue.try_get().is_ok() {}
            for _ in 0..MANY / 100 {
                let _ = queue.get_for(Duration::from_millis(1));
            }
        },
    );
}

#[test]
fn a_wait_for_several_queues() {
    let queues = [Queue::unbounded(), Queue::unbounded()];
    let [notes, _] = queues.clone();
    noting(
        move |size| _ = notes.put(size),
        move || {
            let index = wait_any(&[&queues[0], &queues[1]]);
            assert_eq!(index, 0);
            let idle = Queue::<()>::unbounded();
            let [_, second] = &queues;
            second.put(1).unwrap();
            assert_eq!(wait_any(&[&idle, second]), 1);
        },
    );
}
