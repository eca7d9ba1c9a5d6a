//! The robust list of the calling thread (`set_robust_list(2)`).
//!
//! When a thread dies, the kernel walks its list and marks the futex word of each node. The C library registers a list for
//! its own robust mutexes; this crate adds its nodes to the same list. A thread without a list gets one of this module.

use std::cell::Cell;
use std::mem::{MaybeUninit, offset_of};
use std::ptr;
use std::sync::Once;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicUsize, compiler_fence};

use super::owner_word::thread_id;

#[cfg(not(target_pointer_width = "64"))]
compile_error!("procs needs a 64-bit system: its list nodes lie as those of a 64-bit C library");

/// Distance from a list node to its word, in bytes. The C library has registered one distance for the whole list.
pub(super) const WORD_FROM_NODE: isize = if cfg!(target_env = "musl") { -28 } else { -32 };

/// The head of a thread's list, in the kernel's layout (`struct robust_list_head`).
#[repr(C)]
pub(super) struct ListHead {
    first: AtomicUsize,
    word_from_node: isize,
    /// The node that is being added or removed, whose word the kernel marks as well.
    pending: AtomicUsize,
}

/// A list node. Pointers in the list are addresses of `next`; the C library expects `previous` right before it.
#[repr(C)]
pub(super) struct Node {
    previous: AtomicUsize,
    next: AtomicUsize,
}

/// The offset in a node to which the pointers of a list point.
pub(super) const NODE_ENTRY: usize = offset_of!(Node, next);

thread_local! {
    /// Registered in threads for which the C library has registered none.
    static OWN_HEAD: ListHead = const {
        ListHead {
            first: AtomicUsize::new(0),
            word_from_node: WORD_FROM_NODE,
            pending: AtomicUsize::new(0),
        }
    };
}

/// Returns the head of the calling thread's list. Registers a list if the thread has none.
#[cold]
pub(super) fn of_this_thread() -> *const ListHead {
    registered()
        .or_else(|| {
            use_robust_mutex();
            registered()
        })
        .unwrap_or_else(register)
}

/// Returns the list that is registered for the calling thread, if its nodes lie as this crate expects.
fn registered() -> Option<*const ListHead> {
    let mut list: *const ListHead = ptr::null();
    let mut length = 0_usize;
    // SAFETY: 0 is the calling thread; both pointers are to live values of the types that the kernel writes.
    let result = unsafe {
        libc::syscall(
            libc::SYS_get_robust_list,
            libc::c_long::from(0),
            &raw mut list,
            &raw mut length,
        )
    };
    let is_known = result == 0 && length == size_of::<ListHead>() && !list.is_null();
    // SAFETY: the kernel returns the registered list, which lives as long as the thread.
    let fits = is_known && unsafe { (*list).word_from_node } == WORD_FROM_NODE;
    fits.then_some(list)
}

/// Registers an empty list, for a thread that the C library does not know of, such as the first one of a cloned process.
fn register() -> *const ListHead {
    OWN_HEAD.with(|head| {
        // An empty list points to its head.
        let address = ptr::from_ref(head).expose_provenance();
        head.first.store(address, Relaxed);
        let length = size_of::<ListHead>();
        // SAFETY: the head is the calling thread's, lives until the thread has ended, and describes an empty list. On an
        // error the kernel does not mark the words of this thread.
        unsafe { libc::syscall(libc::SYS_set_robust_list, ptr::from_ref(head), length) };
        ptr::from_ref(head)
    })
}

/// Locks and unlocks a robust mutex: some C libraries register a thread's list only then.
fn use_robust_mutex() {
    let mut attributes = MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
    let mut mutex = MaybeUninit::<libc::pthread_mutex_t>::uninit();
    let (attributes, mutex) = (attributes.as_mut_ptr(), mutex.as_mut_ptr());
    // SAFETY: both are writable places, initialized by the first call that gets them; the mutex is used by this thread
    // only, unlocked by its owner, and destroyed before its memory goes.
    unsafe {
        if libc::pthread_mutexattr_init(attributes) != 0 {
            return;
        }
        libc::pthread_mutexattr_setrobust(attributes, libc::PTHREAD_MUTEX_ROBUST);
        if libc::pthread_mutex_init(mutex, attributes) == 0 {
            if libc::pthread_mutex_lock(mutex) == 0 {
                libc::pthread_mutex_unlock(mutex);
            }
            libc::pthread_mutex_destroy(mutex);
        }
        libc::pthread_mutexattr_destroy(attributes);
    }
}

/// Announces to the kernel that a node is being added or removed, by the address of its entry. Zero: none.
///
/// # Safety
///
/// `list` is the list of the calling thread. No other code of the thread uses the field until it is zero again.
#[inline]
pub(super) unsafe fn set_pending(list: *const ListHead, entry: usize) {
    // The kernel reads the field after the thread's last instruction, so only the compiler could reorder the accesses.
    compiler_fence(SeqCst);
    // SAFETY: a thread's list lives as long as the thread.
    unsafe { &(*list).pending }.store(entry, Relaxed);
    compiler_fence(SeqCst);
}

/// The calling thread: its id and its list.
#[derive(Clone, Copy)]
pub(super) struct Thread {
    pub(super) id: u32,
    list: *const ListHead,
}

const UNKNOWN: Thread = Thread {
    id: 0,
    list: ptr::null(),
};

thread_local! {
    static THREAD: Cell<Thread> = const { Cell::new(UNKNOWN) };
}

#[inline]
pub(super) fn this_thread() -> Thread {
    match THREAD.get() {
        Thread { id: 0, .. } => look_up_this_thread(),
        thread => thread,
    }
}

#[cold]
fn look_up_this_thread() -> Thread {
    static AT_FORK: Once = Once::new();
    // A forked child has one thread, with another id, and the C library has emptied its list.
    AT_FORK.call_once(|| {
        // SAFETY: the handler is a function that touches nothing but a thread-local cell.
        unsafe { libc::pthread_atfork(None, None, Some(reset_this_thread)) };
    });
    let thread = Thread {
        id: thread_id(),
        list: of_this_thread(),
    };
    THREAD.set(thread);
    thread
}

extern "C" fn reset_this_thread() {
    THREAD.set(UNKNOWN);
}

/// Returns the field to which a pointer of a list points.
///
/// # Safety
///
/// `pointer` comes from a list of the calling thread, or is the address of its head.
#[inline]
unsafe fn next_of<'a>(pointer: usize) -> &'a AtomicUsize {
    // The lowest bit marks a mutex with priority inheritance.
    let place = ptr::with_exposed_provenance_mut(pointer & !1);
    // SAFETY: nodes and heads begin, where list pointers point, with an aligned pointer that lives as long as it is listed.
    unsafe { AtomicUsize::from_ptr(place) }
}

impl Thread {
    #[inline]
    fn list(&self) -> &ListHead {
        // SAFETY: a thread's list lives as long as the thread, and this is its thread: the value never leaves it.
        unsafe { &*self.list }
    }

    #[inline]
    fn head(&self) -> usize {
        self.list.expose_provenance()
    }

    /// Announces to the kernel that a node is about to be added or removed.
    #[inline]
    pub(super) fn begin(&self, node: &Node) {
        let entry = ptr::from_ref(&node.next).expose_provenance();
        // SAFETY: the list is this thread's. The caller holds no other lock that uses the field, and calls `end`.
        unsafe { set_pending(self.list, entry) };
    }

    #[inline]
    pub(super) fn end(&self) {
        // SAFETY: as in `begin`.
        unsafe { set_pending(self.list, 0) };
    }

    /// Adds a node at the front of the list.
    #[inline]
    pub(super) fn add(&self, node: &Node) {
        let address = ptr::from_ref(&node.next).expose_provenance();
        let first = self.list().first.load(Relaxed);
        node.previous.store(self.head(), Relaxed);
        node.next.store(first, Relaxed);
        self.set_previous(first, address);
        // The node is complete before it is in the list, also if the thread is killed here.
        compiler_fence(SeqCst);
        self.list().first.store(address, Relaxed);
    }

    /// Removes a node from the list.
    #[inline]
    pub(super) fn remove(&self, node: &Node) {
        let (previous, next) = (node.previous.load(Relaxed), node.next.load(Relaxed));
        self.set_previous(next, previous);
        // SAFETY: the node is in this thread's list, and so is the node before it, or it is the head. Both pointers lie in
        // memory of this process alone.
        unsafe { next_of(previous) }.store(next, Relaxed);
        compiler_fence(SeqCst);
    }

    /// Sets the back pointer of a node, unless the pointer leads to the head.
    #[inline]
    fn set_previous(&self, pointer: usize, previous: usize) {
        if pointer & !1 != self.head() {
            let before = pointer - (offset_of!(Node, next) - offset_of!(Node, previous));
            // SAFETY: the node is in this thread's list, and every C library that keeps a list in both directions has the
            // back pointer right there.
            unsafe { next_of(before) }.store(previous, Relaxed);
        }
    }
}
