//! The frames of an HTTP/2 connection, as they pass: what the codec does not count is counted here.

use std::time::Instant;

use ::http::StatusCode;

use super::{gate::Refusal, windows::Windows};
use crate::clock;

/// How a client begins: not a frame, but passed over like one.
const PREFACE: usize = 24;
const HEAD: usize = 9;
/// The longest frame whose payload is looked at; the codec refuses longer ones.
const LOOKED_AT: usize = 16 * 1024;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const GO_AWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACKNOWLEDGED: u8 = 1;

const ENHANCE_YOUR_CALM: u32 = 11;

#[derive(Debug, Clone, Copy, Default)]
struct Frame {
    length: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Frame {
    fn parse(head: [u8; HEAD]) -> Self {
        let [a, b, c, kind, flags, stream @ ..] = head;
        Frame {
            length: u32::from_be_bytes([0, a, b, c]) as usize,
            kind,
            flags,
            stream: u32::from_be_bytes(stream) & 0x7fff_ffff,
        }
    }

    fn ends(&self) -> bool {
        self.flags & END_STREAM != 0
    }
}

/// Finds the frames in bytes that come in pieces of any size.
#[derive(Debug, Default)]
struct Cutter {
    head: [u8; HEAD],
    filled: usize,
    frame: Frame,
    /// Bytes of the payload under way that have not come.
    left: usize,
    /// The payload under way, if it is looked at.
    payload: Vec<u8>,
}

impl Cutter {
    /// Tells of each frame once its head has come, or its payload, if that is looked at. False ends it.
    fn cut(&mut self, mut piece: &[u8], mut each: impl FnMut(Frame, &[u8]) -> bool) -> bool {
        while !piece.is_empty() {
            if self.left > 0 {
                let (taken, rest) = piece.split_at(self.left.min(piece.len()));
                piece = rest;
                self.left -= taken.len();
                if !self.looks() {
                    continue;
                }
                self.payload.extend_from_slice(taken);
                if self.left == 0 && !each(self.frame, &std::mem::take(&mut self.payload)) {
                    return false;
                }
                continue;
            }
            let (taken, rest) = piece.split_at((HEAD - self.filled).min(piece.len()));
            piece = rest;
            self.head[self.filled..][..taken.len()].copy_from_slice(taken);
            self.filled += taken.len();
            if self.filled == HEAD {
                self.filled = 0;
                self.frame = Frame::parse(self.head);
                self.left = self.frame.length;
                if (self.left == 0 || !self.looks()) && !each(self.frame, &[]) {
                    return false;
                }
            }
        }
        true
    }

    fn looks(&self) -> bool {
        matches!(self.frame.kind, SETTINGS | WINDOW_UPDATE) && self.frame.length <= LOOKED_AT
    }

    /// A frame has begun, and its end has not come.
    fn is_within(&self) -> bool {
        self.filled > 0 || self.left > 0
    }
}

/// What both sides have sent on a connection.
#[derive(Debug)]
pub(crate) struct Frames {
    came: Cutter,
    went: Cutter,
    windows: Windows,
    calm: Calm,
    /// A block of headers has begun, and its end has not come.
    in_headers: bool,
    heads: usize,
}

impl Frames {
    pub(crate) fn new() -> Self {
        let came = Cutter {
            left: PREFACE,
            ..Cutter::default()
        };
        Frames {
            came,
            went: Cutter::default(),
            windows: Windows::default(),
            calm: Calm::default(),
            in_headers: false,
            heads: 0,
        }
    }

    /// Looks at what came, and refuses it when the client has sent too much that no request is made of.
    pub(crate) fn look(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        let Frames {
            came,
            windows,
            calm,
            in_headers,
            heads,
            ..
        } = self;
        let is_calm = came.cut(piece, |frame, payload| {
            if matches!(frame.kind, HEADERS | CONTINUATION) {
                *in_headers = frame.flags & END_HEADERS == 0;
            }
            *heads = heads.wrapping_add(usize::from(!*in_headers));
            match frame.kind {
                HEADERS => windows.opened(frame.stream),
                RESET => windows.closed(frame.stream),
                SETTINGS if frame.flags & ACKNOWLEDGED == 0 => windows.settings(payload),
                WINDOW_UPDATE => windows.updated(frame.stream, payload),
                _ => {}
            }
            calm.weigh(frame)
        });
        is_calm.then_some(()).ok_or(Refusal {
            status: StatusCode::TOO_MANY_REQUESTS,
            pass: 0,
            in_body: false,
        })
    }

    /// Looks at what was sent.
    pub(crate) fn wrote(&mut self, piece: &[u8]) {
        let (windows, calm) = (&mut self.windows, &mut self.calm);
        self.went.cut(piece, |frame, _| {
            match frame.kind {
                HEADERS if frame.ends() => windows.closed(frame.stream),
                HEADERS => windows.answered(frame.stream),
                DATA => {
                    windows.sent(frame.stream, frame.length);
                    calm.earn(DATA_SENT + frame.length as u32 / BYTES_SENT);
                    if frame.ends() {
                        windows.closed(frame.stream);
                    }
                }
                RESET => windows.closed(frame.stream),
                _ => {}
            }
            true
        });
    }

    /// Whether the client is in the middle of something that it could have sent in one go: the headers of a request, or
    /// a frame other than DATA.
    pub(crate) fn is_in_head(&self) -> bool {
        let came = &self.came;
        self.in_headers || came.filled > 0 || (came.left > 0 && came.frame.kind != DATA)
    }

    /// How often that was over: a number to compare with an earlier one.
    pub(crate) fn heads(&self) -> usize {
        self.heads
    }

    /// Whether no response is under way.
    pub(crate) fn is_quiet(&self) -> bool {
        !self.windows.is_answering()
    }

    /// Since when the client takes nothing, though a response waits for it to open a window.
    pub(crate) fn stalled(&mut self) -> Option<Instant> {
        self.windows.stalled()
    }

    /// The frame that ends the connection; None in the middle of another one.
    pub(crate) fn go_away(&self) -> Option<Vec<u8>> {
        if self.went.is_within() {
            return None;
        }
        let mut frame = vec![0, 0, 8, GO_AWAY, 0, 0, 0, 0, 0];
        frame.extend_from_slice(&self.windows.last().to_be_bytes());
        frame.extend_from_slice(&ENHANCE_YOUR_CALM.to_be_bytes());
        Some(frame)
    }
}

/// What a client may send besides requests and their bodies, in frames.
const CALM: u32 = 1000;
/// What it may send on account of a request, of a piece of a body, and of a piece of a response: some clients measure the
/// way with a PING for each.
const REQUEST: u32 = 4;
const DATA_CAME: u32 = 2;
const DATA_SENT: u32 = 4;
/// And one for so many bytes of a response: some clients open two windows for each kilobyte that they have taken.
const BYTES_SENT: u32 = 256;
/// What taking a request back costs: more than it brings.
const TAKEN_BACK: u32 = 5;
/// And what it may send because time has passed.
const PER_SECOND: u32 = 10;

/// Counts PING, SETTINGS, PRIORITY, RST_STREAM, WINDOW_UPDATE, empty DATA and unknown frames against what they may be
/// good for. The codec answers each of them, so they cost work and bring nothing.
#[derive(Debug)]
struct Calm {
    left: u32,
    since: Instant,
}

impl Default for Calm {
    fn default() -> Self {
        Calm {
            left: CALM,
            since: clock::now(),
        }
    }
}

impl Calm {
    fn earn(&mut self, frames: u32) {
        self.left = self.left.saturating_add(frames).min(CALM);
    }

    /// False when there is no patience left.
    fn weigh(&mut self, frame: Frame) -> bool {
        let cost = match frame.kind {
            HEADERS => {
                self.earn(REQUEST);
                return true;
            }
            DATA if frame.length > 0 || frame.ends() => {
                self.earn(DATA_CAME);
                return true;
            }
            // Its number is up to the codec.
            CONTINUATION => return true,
            RESET => TAKEN_BACK,
            _ => 1,
        };
        if self.left < cost {
            self.rest();
        }
        let enough = self.left >= cost;
        self.left = self.left.saturating_sub(cost);
        enough
    }

    fn rest(&mut self) {
        let now = clock::now();
        let seconds = now.saturating_duration_since(self.since).as_secs();
        if seconds > 0 {
            self.since = now;
            let earned = seconds.saturating_mul(PER_SECOND.into());
            self.earn(u32::try_from(earned).unwrap_or(CALM));
        }
    }
}
