//! System calls: the only module, beside `fork`, that says `unsafe`. Each function is safe to call.

mod descriptor;
mod memory;
mod process;

pub(crate) use descriptor::{
    EventFd, POLLIN, PollFd, as_poll, hung_up, is_open, is_unix_stream, peer_pid, poll,
    receive_with_descriptors, release_stdin, replace_output, send_with_descriptors,
    set_nonblocking,
};
pub(crate) use memory::SharedMap;
pub(crate) use process::{SIGKILL, SIGTERM};
pub(crate) use process::{
    clone_sibling, die_with_parent, discard, exit_now, ignore_sigpipe, is_main_thread, kill_group,
    monotonic_nanos, name_thread, parent_pid, pidfd_open, reap, set_limit, signal,
};
