//! Cuts a multipart form into its parts, wherever the pieces of its body begin and end.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem;

use crate::error::BodyError;

/// What comes next in the form.
#[derive(Debug)]
pub(crate) enum Step {
    /// Nothing, before more of the body has come.
    More,
    /// The header lines of a part.
    Headers(Bytes),
    /// Bytes of the part under way.
    Data(Bytes),
    PartEnd,
    /// The end of the form.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Preamble,
    /// Behind a delimiter: another part, or the end.
    Delimited,
    Headers,
    Data,
    End,
}

/// Holds what has come and was not yet given out: a piece of the body at most, and part headers up to their limit.
pub(crate) struct Splitter {
    held: BytesMut,
    /// The line end before it belongs to it.
    delimiter: Vec<u8>,
    state: State,
    header_bytes: usize,
}

fn bad(why: &str) -> BodyError {
    BodyError::BadForm(why.to_owned())
}

impl Splitter {
    pub(crate) fn new(boundary: &str, header_bytes: usize) -> Self {
        Splitter {
            // So that a delimiter at the very beginning is like all others.
            held: BytesMut::from(&b"\r\n"[..]),
            delimiter: [b"\r\n--", boundary.as_bytes()].concat(),
            state: State::Preamble,
            header_bytes,
        }
    }

    pub(crate) fn push(&mut self, piece: Bytes) {
        if self.held.is_empty() {
            // The bytes themselves where nobody else has them: a large file is not copied.
            self.held = BytesMut::from(piece);
        } else {
            self.held.extend_from_slice(&piece);
        }
    }

    pub(crate) fn step(&mut self) -> Result<Step, BodyError> {
        loop {
            let step = match self.state {
                State::Preamble => self.preamble(),
                State::Delimited => self.delimited()?,
                State::Headers => return self.headers(),
                State::Data => return Ok(self.data()),
                State::End => return Ok(Step::End),
            };
            if let Some(step) = step {
                return Ok(step);
            }
        }
    }

    /// What is before the first part is nobody's.
    fn preamble(&mut self) -> Option<Step> {
        match memmem::find(&self.held, &self.delimiter) {
            Some(at) => {
                self.held.advance(at + self.delimiter.len());
                self.state = State::Delimited;
                None
            }
            None => {
                self.held.advance(self.held.len() - self.undecided());
                Some(Step::More)
            }
        }
    }

    fn delimited(&mut self) -> Result<Option<Step>, BodyError> {
        if self.held.starts_with(b"--") {
            self.state = State::End;
            return Ok(None);
        }
        let blanks = self.held.iter().take_while(|byte| b" \t".contains(byte));
        let blanks = blanks.count();
        let rest = &self.held[blanks..];
        let fits = blanks <= self.header_bytes;
        if fits && rest.starts_with(b"\r\n") {
            self.held.advance(blanks + 2);
            self.state = State::Headers;
            return Ok(None);
        }
        if !fits || !(rest.is_empty() || rest == b"-" || rest == b"\r") {
            return Err(bad("what follows a boundary is not the end of a line"));
        }
        Ok(Some(Step::More))
    }

    fn headers(&mut self) -> Result<Step, BodyError> {
        if self.held.starts_with(b"\r\n") {
            self.held.advance(2);
            self.state = State::Data;
            return Ok(Step::Headers(Bytes::new()));
        }
        let searched = self.held.len().min(self.header_bytes + 4);
        let Some(end) = memmem::find(&self.held[..searched], b"\r\n\r\n") else {
            if self.held.len() > self.header_bytes + 4 {
                let limit = self.header_bytes;
                return Err(bad(&format!("a part's head is longer than {limit} bytes")));
            }
            return Ok(Step::More);
        };
        let headers = self.held.split_to(end).freeze();
        self.held.advance(4);
        self.state = State::Data;
        Ok(Step::Headers(headers))
    }

    fn data(&mut self) -> Step {
        let sure = match memmem::find(&self.held, &self.delimiter) {
            Some(0) => {
                self.held.advance(self.delimiter.len());
                self.state = State::Delimited;
                return Step::PartEnd;
            }
            Some(at) => at,
            None => self.held.len() - self.undecided(),
        };
        match sure {
            0 => Step::More,
            sure => Step::Data(self.held.split_to(sure).freeze()),
        }
    }

    /// How many bytes at the end may be the beginning of a delimiter.
    fn undecided(&self) -> usize {
        let most = self.held.len().min(self.delimiter.len() - 1);
        let tail = &self.held[self.held.len() - most..];
        let begin = (0..most).find(|at| self.delimiter.starts_with(&tail[*at..]));
        begin.map_or(0, |at| most - at)
    }
}

/// What the header lines of a part say.
#[derive(Debug, Default)]
pub(crate) struct PartHead {
    pub(crate) name: String,
    pub(crate) file_name: Option<String>,
    pub(crate) content_type: Option<String>,
}

impl PartHead {
    pub(crate) fn parse(headers: &[u8]) -> Result<Self, BodyError> {
        let mut head = PartHead::default();
        let text = String::from_utf8_lossy(headers);
        for line in text.split("\r\n").filter(|line| !line.is_empty()) {
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| bad("a line of a part's head has no colon"))?;
            if name.eq_ignore_ascii_case("content-disposition") {
                head.disposition(value);
            } else if name.eq_ignore_ascii_case("content-type") {
                head.content_type = Some(value.trim().to_owned());
            }
        }
        Ok(head)
    }

    fn disposition(&mut self, value: &str) {
        let mut extended = None;
        let mut rest = value;
        while let Some((name, value, left)) = parameter(rest) {
            match name.to_ascii_lowercase().as_str() {
                "name" => self.name = value,
                "filename" => self.file_name = Some(value),
                "filename*" => extended = decoded(&value),
                _ => {}
            }
            rest = left;
        }
        // The one that says its encoding is the better one.
        self.file_name = extended.or(self.file_name.take());
    }
}

/// The next `; name=value`, and what is behind it.
fn parameter(text: &str) -> Option<(&str, String, &str)> {
    let (_, text) = text.split_once(';')?;
    let (name, value) = text.split_once('=')?;
    // Words without a value that stand before it say nothing.
    let name = name.rsplit(';').next()?;
    let value = value.trim_start();
    let Some(quoted) = value.strip_prefix('"') else {
        let end = value.find(';').unwrap_or(value.len());
        return Some((name.trim(), value[..end].trim().to_owned(), &value[end..]));
    };
    let mut text = String::new();
    let mut characters = quoted.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((name.trim(), text, &quoted[at + 1..])),
            // Old browsers send `C:\file`, so a backslash stands for itself before anything else.
            '\\' => match characters.next_if(|(_, next)| matches!(next, '"' | '\\')) {
                Some((_, escaped)) => text.push(escaped),
                None => text.push('\\'),
            },
            other => text.push(other),
        }
    }
    None
}

/// `UTF-8''na%C3%AFve.txt`
fn decoded(value: &str) -> Option<String> {
    let mut parts = value.splitn(3, '\'');
    let is_utf8 = parts.next()?.eq_ignore_ascii_case("utf-8");
    let text = parts.nth(1)?;
    is_utf8.then(|| super::text::percent_decode(text).map(|text| text.into_owned()))?
}

/// The boundary that a `Content-Type` names.
pub(crate) fn boundary(kind: &str) -> Option<String> {
    let essence = kind.split(';').next()?.trim();
    if !essence.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let mut rest = kind;
    while let Some((name, value, left)) = parameter(rest) {
        let fits = (1..=70).contains(&value.len())
            && value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if name.eq_ignore_ascii_case("boundary") {
            return fits.then_some(value);
        }
        rest = left;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that a form says, cut into pieces of `size` bytes.
    fn told(form: &[u8], size: usize) -> Result<String, BodyError> {
        let mut splitter = Splitter::new("b", 100);
        let mut pieces = form.chunks(size);
        let mut told = String::new();
        loop {
            match splitter.step()? {
                Step::More => match pieces.next() {
                    Some(piece) => splitter.push(Bytes::copy_from_slice(piece)),
                    None => return Ok(told + "…"),
                },
                Step::Headers(headers) => {
                    let head = PartHead::parse(&headers)?;
                    told += &format!("{} {:?}: ", head.name, head.file_name);
                }
                Step::Data(data) => told += &String::from_utf8_lossy(&data),
                Step::PartEnd => told += ";",
                Step::End => return Ok(told + "."),
            }
        }
    }

    /// Wherever it is cut, the same is read.
    #[test]
    fn every_cut_of_a_form_is_read_alike() {
        let form = b"preamble\r\n--b \t\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n1\r\n--\r\n--c\r--b\
            \r\n--b\r\n\r\n\r\n--b\r\nContent-Disposition: form-data; name=f; filename=\"C:\\x \\\"y\\\".txt\"\r\n\r\n\
            \r\n\r\n--b--epilogue";
        let expected =
            "a None: 1\r\n--\r\n--c\r--b; None: ;f Some(\"C:\\\\x \\\"y\\\".txt\"): \r\n;.";
        for size in 1..=form.len() {
            assert_eq!(
                told(form, size).as_deref(),
                Ok(expected),
                "in pieces of {size}"
            );
        }
    }

    #[test]
    fn what_is_no_form_is_refused_or_waits_for_more() {
        for (form, expected) in [
            (&b"--b\r\n"[..], Some("…")),
            (b"no boundary at all", Some("…")),
            (b"--b--", Some(".")),
            (b"--b\r\n\r\nx", Some(" None: x…")),
            (b"--bx\r\n\r\nx", None),
            (b"--b\r\nno colon\r\n\r\n", None),
        ] {
            for size in 1..=form.len() {
                let told = told(form, size).ok();
                assert_eq!(told.as_deref(), expected, "{}", form.escape_ascii());
            }
        }
        let long = [b"--b\r\na: ".to_vec(), vec![b'x'; 1000]].concat();
        assert!(told(&long, 7).is_err());
        let blanks = [b"--b".to_vec(), vec![b' '; 1000], b"\r\n\r\n".to_vec()].concat();
        assert!(told(&blanks, 7).is_err());
        assert!(told(&blanks, blanks.len()).is_err());
    }

    #[test]
    fn a_content_type_names_the_boundary() {
        for (kind, expected) in [
            ("multipart/form-data; boundary=x", Some("x")),
            (
                "Multipart/Form-Data; charset=utf-8; Boundary=\"a;b\"",
                Some("a;b"),
            ),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            ("multipart/mixed; boundary=x", None),
        ] {
            assert_eq!(boundary(kind).as_deref(), expected, "{kind}");
        }
        let wordy = PartHead::parse(b"Content-Disposition: form-data; x; name=a");
        assert_eq!(wordy.unwrap_or_default().name, "a");
        let extended =
            b"Content-Disposition: form-data; name=a; filename=x; filename*=UTF-8''na%C3%AFve";
        let head = PartHead::parse(extended).unwrap_or_default();
        assert_eq!(head.file_name.as_deref(), Some("na\u{ef}ve"));
    }
}
