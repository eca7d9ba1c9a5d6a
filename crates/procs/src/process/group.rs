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
    /// The group of this program. The terminal's keys reach both.
    Inherit,
}
