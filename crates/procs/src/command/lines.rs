//! Lines of a program's output, handed over as they arrive.

/// Cuts lines from the front of a growing buffer.
pub(super) struct LineSplitter<'a> {
    each: &'a mut dyn FnMut(&str),
    /// The length of the buffer's front in which there is no end of a line.
    searched: usize,
}

impl<'a> LineSplitter<'a> {
    pub(super) fn new(each: &'a mut dyn FnMut(&str)) -> Self {
        Self { each, searched: 0 }
    }

    /// Passes the complete lines to the closure, while `goes_on` returns true, and removes them from the buffer.
    ///
    /// Each byte is searched once and moved at most once a call.
    pub(super) fn take_lines(&mut self, bytes: &mut Vec<u8>, mut goes_on: impl FnMut() -> bool) {
        let mut start = 0;
        while goes_on() {
            let from = start.max(self.searched);
            let Some(length) = bytes[from..].iter().position(|byte| *byte == b'\n') else {
                self.searched = bytes.len();
                break;
            };
            let end = from + length;
            let line = &bytes[start..end];
            start = end + 1;
            (self.each)(&String::from_utf8_lossy(
                line.strip_suffix(b"\r").unwrap_or(line),
            ));
        }
        bytes.drain(..start);
        self.searched = self.searched.saturating_sub(start);
    }

    /// Passes the rest to the closure: a last line without a line break.
    pub(super) fn take_rest(&mut self, bytes: &mut Vec<u8>) {
        if !bytes.is_empty() {
            (self.each)(&String::from_utf8_lossy(bytes));
            bytes.clear();
        }
    }
}
