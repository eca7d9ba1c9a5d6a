//! The process group of a new process or program.

/// The process group of a new process or program.
///
/// The terminal sends the signals of its keys (ctrl-c: SIGINT, ctrl-\\: SIGQUIT, ctrl-z: SIGTSTP) to every process of the
/// foreground group. A shell puts each program that it runs into a group of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProcessGroup {
    /// A group of its own, which it leads. The terminal's keys do not reach it: this program receives them first and
    /// decides what ends.
    #[default]
    Own,
    /// The group of this process at the time of the start. The terminal's keys reach both: a task that does not handle
    /// SIGINT ends at ctrl-c, and its handle reports the signal.
    ///
    /// What a task has started ends with its process in either case, with one exception: when a process of this group is
    /// killed by others, for example by the kernel for lack of memory, what its task has started goes on.
    Inherit,
}
