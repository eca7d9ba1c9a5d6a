//! The gate before the codec: looks at each byte that a client sends and refuses what two parties might read in two
//! ways, so that nothing is smuggled past a proxy. What it lets through, it lets through unchanged.

use ::http::StatusCode;
use memchr::{memchr, memchr3};

use super::{
    limits::Limits,
    lines::{BAD, coding_refused, digits, is_host, request_line, split},
};

/// Bytes of chunk extensions that a message may have; nobody uses them.
const EXTENSION_BYTES: usize = 4096;
/// Empty lines that may come before a request: some clients end a body with one too many.
const BLANK_LINES: usize = 2;

/// Why a message is refused, and how much of the piece may still be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// In a head: where this message began in the piece. In a body: where the fault is.
    pub(crate) pass: usize,
    pub(crate) in_body: bool,
}

/// What the client is in the middle of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Between two messages.
    Between,
    Head,
    Body,
    /// No longer HTTP/1.
    Open,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Line,
    Field,
    Length(u64),
    Size,
    Data(u64),
    DataEnd,
    Trailer,
    Open,
}

/// The sizes that it holds messages to; see [`Limits`].
#[derive(Debug, Clone, Copy)]
struct Caps {
    line: usize,
    field: usize,
    fields: usize,
    head: usize,
}

/// What the head under way has said.
#[derive(Debug, Clone, Copy, Default)]
struct Head {
    bytes: usize,
    fields: usize,
    blank: usize,
    one_dot_zero: bool,
    hosts: usize,
    length: Option<u64>,
    chunked: bool,
    extensions: usize,
}

#[derive(Debug)]
pub(crate) struct Gate {
    state: State,
    head: Head,
    caps: Caps,
    /// The beginning of a line whose end has not come.
    carry: Vec<u8>,
    heads: usize,
}

impl Gate {
    pub(crate) fn new(limits: &Limits) -> Self {
        Gate {
            state: State::Line,
            head: Head::default(),
            caps: Caps {
                line: limits.request_line,
                field: limits.header_field,
                fields: limits.headers,
                head: limits.header_bytes,
            },
            carry: Vec::new(),
            heads: 0,
        }
    }

    /// How many heads have ended: a number to compare with an earlier one.
    pub(crate) fn heads(&self) -> usize {
        self.heads
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.state {
            State::Line if self.carry.is_empty() => Phase::Between,
            State::Line | State::Field => Phase::Head,
            State::Open => Phase::Open,
            _ => Phase::Body,
        }
    }

    /// From here on everything passes: the protocol has been switched.
    pub(crate) fn open(&mut self) {
        self.state = State::Open;
        self.carry = Vec::new();
    }

    /// Looks at what came.
    pub(crate) fn look(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        let mut at = 0;
        let mut began = 0;
        while at < piece.len() {
            let left = &piece[at..];
            match self.state {
                State::Open => return Ok(()),
                State::Length(size) => at += self.skip(size, left.len(), State::Length),
                State::Data(size) => at += self.skip(size, left.len(), State::Data),
                _ => {
                    let in_body = self.phase() == Phase::Body;
                    if self.state == State::Line && self.carry.is_empty() {
                        began = at;
                    }
                    at += self.take_line(left).map_err(|status| Refusal {
                        status,
                        pass: if in_body { at } else { began },
                        in_body,
                    })?;
                }
            }
        }
        Ok(())
    }

    fn skip(&mut self, size: u64, have: usize, more: fn(u64) -> State) -> usize {
        let taken = size.min(have as u64);
        self.state = match (size - taken, self.state) {
            (0, State::Data(_)) => State::DataEnd,
            (0, _) => self.next_message(),
            (left, _) => more(left),
        };
        taken as usize
    }

    fn next_message(&mut self) -> State {
        self.head = Head::default();
        State::Line
    }

    /// Takes bytes up to the end of a line, or all of them when it does not end here. In whatever pieces a line comes, it
    /// is judged alike.
    fn take_line(&mut self, left: &[u8]) -> Result<usize, StatusCode> {
        let begins = self.carry.is_empty() && self.state == State::Line;
        if begins && !left[0].is_ascii_alphabetic() && left[0] != b'\r' {
            // Not even the beginning of a request: a TLS greeting, say.
            return Err(BAD);
        }
        if self.carry.last() == Some(&b'\r') {
            return self.line_feed(left[0]);
        }
        let end = memchr3(b'\r', b'\n', 0, left).unwrap_or(left.len());
        self.fits(self.carry.len() + end)?;
        match &left[end..] {
            [b'\r', b'\n', ..] if self.carry.is_empty() => self.line(&left[..end])?,
            [b'\r', b'\n', ..] => {
                let mut line = std::mem::take(&mut self.carry);
                line.extend_from_slice(&left[..end]);
                self.line(&line)?;
            }
            [] | [b'\r'] => {
                self.carry.extend_from_slice(left);
                return Ok(left.len());
            }
            _ => return Err(BAD),
        }
        Ok(end + 2)
    }

    /// The end of a line whose carriage return came in an earlier piece.
    fn line_feed(&mut self, byte: u8) -> Result<usize, StatusCode> {
        if byte != b'\n' {
            return Err(BAD);
        }
        let mut line = std::mem::take(&mut self.carry);
        line.pop();
        self.line(&line)?;
        Ok(1)
    }

    fn fits(&self, length: usize) -> Result<(), StatusCode> {
        match self.state {
            State::Line if length > self.caps.line => Err(StatusCode::URI_TOO_LONG),
            State::Size if length > EXTENSION_BYTES => Err(BAD),
            State::Line | State::Size => Ok(()),
            _ if length > self.caps.field => Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
            _ => Ok(()),
        }
    }

    /// A line without its end: in it is no carriage return, line feed or NUL.
    fn line(&mut self, line: &[u8]) -> Result<(), StatusCode> {
        self.state = match self.state {
            State::Line if line.is_empty() => {
                self.head.blank += 1;
                if self.head.blank > BLANK_LINES {
                    return Err(BAD);
                }
                State::Line
            }
            State::Line => {
                self.head.one_dot_zero = request_line(line)?;
                self.head.bytes = line.len() + 2;
                State::Field
            }
            State::Field if line.is_empty() => self.end_of_head()?,
            State::Field => {
                self.field(line)?;
                State::Field
            }
            State::Size => self.chunk_size(line)?,
            State::DataEnd if line.is_empty() => State::Size,
            State::Trailer if line.is_empty() => self.next_message(),
            State::Trailer => {
                self.count(line)?;
                split(line)?;
                State::Trailer
            }
            _ => return Err(BAD),
        };
        Ok(())
    }

    fn count(&mut self, line: &[u8]) -> Result<(), StatusCode> {
        self.head.fields += 1;
        self.head.bytes += line.len() + 2;
        if self.head.fields > self.caps.fields || self.head.bytes > self.caps.head {
            return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
        Ok(())
    }

    fn field(&mut self, line: &[u8]) -> Result<(), StatusCode> {
        self.count(line)?;
        let (name, value) = split(line)?;
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                self.head.hosts += 1;
                if !is_host(value) {
                    return Err(BAD);
                }
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                let length = digits(value).ok_or(BAD)?;
                if self.head.length.replace(length).is_some() {
                    return Err(BAD);
                }
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(coding_refused(value));
                }
                if std::mem::replace(&mut self.head.chunked, true) {
                    return Err(BAD);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end_of_head(&mut self) -> Result<State, StatusCode> {
        let head = &mut self.head;
        let hosts_fit = head.hosts == 1 || (head.hosts == 0 && head.one_dot_zero);
        let framed_once = !(head.chunked && (head.length.is_some() || head.one_dot_zero));
        if !hosts_fit || !framed_once {
            return Err(BAD);
        }
        self.heads = self.heads.wrapping_add(1);
        // Trailers have their own count.
        head.fields = 0;
        head.bytes = 0;
        Ok(match (head.chunked, head.length) {
            (true, _) => State::Size,
            (false, Some(length)) if length > 0 => State::Length(length),
            _ => self.next_message(),
        })
    }

    fn chunk_size(&mut self, line: &[u8]) -> Result<State, StatusCode> {
        let size = match memchr(b';', line) {
            Some(end) => {
                self.head.extensions += line.len() - end;
                if self.head.extensions > EXTENSION_BYTES {
                    return Err(BAD);
                }
                &line[..end]
            }
            None => line,
        };
        if size.is_empty() || size.len() > 16 || !size.iter().all(u8::is_ascii_hexdigit) {
            return Err(BAD);
        }
        let text = std::str::from_utf8(size).map_err(|_| BAD)?;
        match u64::from_str_radix(text, 16).map_err(|_| BAD)? {
            0 => Ok(State::Trailer),
            // Within what hyper can count.
            size if size > u64::MAX >> 1 => Err(BAD),
            size => Ok(State::Data(size)),
        }
    }
}
