//! System calls, and most of the crate's `unsafe` code. All functions that leave this module are safe, except
//! `clone_sibling`.

mod context;
mod descriptor;
mod fork_mark;
mod futex;
mod lock_word;
mod memory;
mod message;
mod owner_word;
mod process;
mod program;
mod robust_list;
mod robust_lock;
mod shared_copy;

/// Synchronization primitives of this process's threads.
///
/// `tests/loom` compiles the files that import these through `crate::sys` once more, with loom's types in this place.
pub(crate) mod sync {
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, atomic};
}

pub(crate) use context::{Capabilities, Context, capabilities, limit_capabilities};
pub(crate) use descriptor::{
    EventFd, PollFd, above_standard, as_poll, await_hang_up, await_readable, connect_to_abstract,
    empty_input, is_inherited, is_readable, is_unix_packet, is_unix_stream, null_output,
    packet_pair, peer_pid, pipe, poll, release_stdin, replace_stream, set_nonblocking, stream_pair,
};
pub(crate) use fork_mark::ForkMark;
pub(crate) use futex::{SPINS, futex_sleep, futex_wait, futex_wake, futex_wake_up};
pub(crate) use lock_word::{AcquireError, acquire, release};
pub(crate) use memory::{SharedMap, append_file, memory_file};
pub(crate) use message::{
    MAX_PASSED, Wait, is_crowded, is_out_of_memory, is_too_long, receive_packet,
    receive_with_descriptors, send_packet, send_with_descriptors,
};
pub(crate) use owner_word::{
    Acquired, MAX_THREAD_ID, clear_dead_owner, says_owner_died, says_unowned, thread_exists,
};
pub(crate) use process::{
    Cloned, at_exit, become_subreaper, clone_sibling, discard, exit_now, fill_random, has_children,
    ignore_sigpipe, is_main_thread, join_group, kill_group_of_ended, lead_group, monotonic_nanos,
    name_process, name_thread, parent_pid, pidfd_open, process_group, reap, set_limit, signal,
};
pub(crate) use process::{SIGKILL, SIGSTOP, SIGTERM};
pub(crate) use program::{
    Execution, FailedStep, Guard, ParentDeath, readable_bytes, search_paths, start_program,
    write_without_sigpipe,
};
pub(crate) use robust_lock::{
    LOCKS_PER_PAGE, LockPage, LockResult, RobustLock, lock_word_offset, page_size,
};
