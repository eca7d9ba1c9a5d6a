//! Standard output, whose reader may leave early.

use std::io::{ErrorKind, Write};

use crate::Failed;

/// Prints the text. A reader who has closed the pipe, as `head` does, has seen enough: that is no error.
///
/// # Errors
/// When it cannot be written for another reason, such as a full disk.
pub fn print(text: &str) -> Result<(), Failed> {
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failed::new("writing to standard output", error))
        }
        _ => Ok(()),
    }
}

/// How many characters a line may have on the terminal; `None` when standard output is none.
#[must_use]
pub fn width() -> Option<usize> {
    let (terminal_size::Width(columns), _) = terminal_size::terminal_size_of(std::io::stdout())?;
    Some(columns.into())
}
