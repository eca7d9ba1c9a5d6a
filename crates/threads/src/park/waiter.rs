//! How a thread goes to sleep and another wakes it.
//!
//! A [`Waiter`] is one sleep of one thread. A [`WaitList`] is who sleeps, first come first served; it
//! lives inside whatever lock guards the thing waited for. A [`WaitQueue`] is a list with a lock of its
//! own and a count that makes waking nobody free.

use crate::park::sys::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use crate::park::sys::{self, Mutex, Thread};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The instant that lies `timeout` ahead; `None`, for ever, where the clock cannot tell such a time.
pub(crate) fn deadline(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}

/// One sleep of one thread: set once, by whoever takes it off a list.
pub struct Waiter {
    set: AtomicBool,
    thread: Thread,
}

impl Waiter {
    /// A waiter that will wake the calling thread.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            set: AtomicBool::new(false),
            thread: sys::current(),
        })
    }

    /// Wakes the sleeper. Call it after releasing every lock: the sleeper runs at once.
    pub(crate) fn notify(&self) {
        // Release pairs with the Acquire in `is_set`.
        self.set.store(true, Ordering::Release);
        self.thread.unpark();
    }

    /// Whether the sleeper was woken.
    pub(crate) fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }

    /// Sleeps until woken (true) or until the deadline has passed (false), never less.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> bool {
        loop {
            if self.is_set() {
                return true;
            }
            if sys::expired(deadline) {
                return self.is_set();
            }
            sys::park_until(deadline);
        }
    }
}

/// A place in a [`WaitList`]. It is made and freed outside the lock of the list.
pub(crate) struct Entry {
    waiter: Arc<Waiter>,
    next: Link,
}

type Link = Option<Box<Entry>>;

impl Entry {
    /// Allocates a place for `waiter`.
    pub(crate) fn new(waiter: Arc<Waiter>) -> Box<Self> {
        Box::new(Self { waiter, next: None })
    }

    /// Wakes the sleeper. Call it after releasing every lock.
    pub(crate) fn notify(&self) {
        self.waiter.notify();
    }
}

/// Sleeping threads, in the order of arrival. Guarded by the lock it lives in.
///
/// No operation allocates or frees memory: the global allocator is user code, and may use the primitive whose lock
/// is held. Callers make an [`Entry`] before they lock, and drop what they get back after they unlock.
#[derive(Default)]
pub(crate) struct WaitList {
    /// The longest waiting first.
    front: Link,
    /// The latest first; turned over and moved to the front when that is empty.
    back: Link,
    len: usize,
}

impl WaitList {
    pub(crate) const fn new() -> Self {
        Self {
            front: None,
            back: None,
            len: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn push(&mut self, mut entry: Box<Entry>) {
        entry.next = self.back.take();
        self.back = Some(entry);
        self.len += 1;
    }

    /// Takes the longest waiting sleeper; the caller notifies it after unlocking.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Box<Entry>> {
        if self.len == 0 {
            return None;
        }
        self.pop_front()
    }

    #[cold]
    fn pop_front(&mut self) -> Option<Box<Entry>> {
        if self.front.is_none() {
            while let Some(mut entry) = self.back.take() {
                self.back = entry.next.take();
                entry.next = self.front.take();
                self.front = Some(entry);
            }
        }
        let mut first = self.front.take()?;
        self.front = first.next.take();
        self.len -= 1;
        Some(first)
    }

    /// Takes up to `n`.
    #[inline]
    pub(crate) fn pop_many(&mut self, n: usize) -> Self {
        let mut taken = Self::new();
        while taken.len < n
            && let Some(entry) = self.pop()
        {
            taken.push(entry);
        }
        taken
    }

    /// Removes a sleeper that gives up. `None`: it was already taken, so a wake-up is on its way to it.
    pub(crate) fn remove(&mut self, waiter: &Arc<Waiter>) -> Option<Box<Entry>> {
        let found = unlink(&mut self.front, waiter).or_else(|| unlink(&mut self.back, waiter))?;
        self.len -= 1;
        Some(found)
    }

    /// Wakes every sleeper in the list.
    #[inline]
    pub(crate) fn notify_all(mut self) {
        while let Some(entry) = self.pop() {
            entry.notify();
        }
    }
}

impl Drop for WaitList {
    /// Frees one entry at a time: a chain that drops itself would need stack for each.
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

/// Takes the entry of `waiter` out of a chain.
fn unlink(chain: &mut Link, waiter: &Arc<Waiter>) -> Link {
    let mut link = chain;
    while link
        .as_ref()
        .is_some_and(|entry| !Arc::ptr_eq(&entry.waiter, waiter))
    {
        link = &mut link.as_mut()?.next;
    }
    let mut found = link.take()?;
    *link = found.next.take();
    Some(found)
}

/// Threads that wait for a condition which others make true without holding a common lock.
///
/// The waiter counts itself in, then looks again; the waker makes the condition true, then looks at the
/// count. Both put a SeqCst fence between the two, so at least one of them sees the other.
pub(crate) struct WaitQueue {
    count: AtomicUsize,
    list: Mutex<WaitList>,
}

impl WaitQueue {
    pub(crate) fn new() -> Self {
        Self {
            count: AtomicUsize::new(0),
            list: Mutex::new(WaitList::new()),
        }
    }

    /// Registers a sleeper. The caller must look at its condition again before it sleeps.
    pub(crate) fn register(&self, waiter: Arc<Waiter>) {
        self.register_marked(waiter, &|| ());
    }

    fn register_marked(&self, waiter: Arc<Waiter>, mark: &impl Fn()) {
        let entry = Entry::new(waiter);
        let mut list = self.list.lock();
        list.push(entry);
        mark();
        self.count.store(list.len(), Ordering::Relaxed);
        drop(list);
        fence(Ordering::SeqCst);
    }

    /// Removes a sleeper. False: it was already taken, so a wake-up is on its way to it.
    pub(crate) fn unregister(&self, waiter: &Arc<Waiter>) -> bool {
        let mut list = self.list.lock();
        let found = list.remove(waiter);
        self.count.store(list.len(), Ordering::Relaxed);
        drop(list);
        found.is_some()
    }

    /// Whether someone sleeps; call it after making the condition true.
    #[inline]
    pub(crate) fn has_waiters(&self) -> bool {
        fence(Ordering::SeqCst);
        self.count.load(Ordering::Relaxed) != 0
    }

    /// Takes the longest sleeper; the caller notifies it.
    pub(crate) fn pop(&self) -> Option<Box<Entry>> {
        let mut list = self.list.lock();
        let entry = list.pop();
        self.count.store(list.len(), Ordering::Relaxed);
        entry
    }

    /// Wakes up to `n` sleepers. Free of locks when there are none.
    #[inline]
    pub(crate) fn notify(&self, n: usize) {
        if self.has_waiters() {
            self.wake(n);
        }
    }

    #[cold]
    fn wake(&self, n: usize) {
        self.wake_with(|| n, |_| ());
    }

    /// Wakes up to `count()` sleepers and tells `then` how many are left; both are called under the lock.
    pub(crate) fn wake_with(&self, count: impl FnOnce() -> usize, then: impl FnOnce(usize)) {
        let mut list = self.list.lock();
        let woken = list.pop_many(count());
        self.count.store(list.len(), Ordering::Relaxed);
        then(list.len());
        drop(list);
        woken.notify_all();
    }

    /// Blocks until `poll` gives a value or the deadline passes.
    pub(crate) fn wait<R>(
        &self,
        deadline: Option<Instant>,
        poll: impl FnMut() -> Option<R>,
    ) -> Option<R> {
        self.wait_marked(deadline, || (), poll)
    }

    /// As `wait`; `mark` is called under the lock with each registration.
    pub(crate) fn wait_marked<R>(
        &self,
        deadline: Option<Instant>,
        mark: impl Fn(),
        mut poll: impl FnMut() -> Option<R>,
    ) -> Option<R> {
        loop {
            let waiter = Waiter::new();
            self.register_marked(waiter.clone(), &mark);
            if let Some(value) = poll() {
                if !self.unregister(&waiter) {
                    // The wake-up was for someone who needs it: pass it on.
                    self.notify(1);
                }
                return Some(value);
            }
            if !waiter.wait(deadline) {
                self.unregister(&waiter);
                return poll();
            }
            if let Some(value) = poll() {
                return Some(value);
            }
        }
    }
}
