//! What the fuzz target `websocket` claims. Its inputs begin with a byte that chooses the side and the terms.

use bytes::Bytes;

use super::{
    deflate::{Deflater, Inflater},
    frame::{BINARY, CLOSE, PING, PONG, TEXT},
    inbound::{Event, Inbound},
    options::WebSocketOptions,
    outbound::{Outbound, Random},
    socket::{CloseFrame, Message},
};
use crate::{error::WebSocketFault, http::fuzzing::pieces};

/// Frames from a peer, to either side. However they are cut into pieces, the same comes of them; without compression it is
/// what a plain reading of the standard says; nothing exceeds its limit. And what either side writes, the other reads.
pub fn websocket(bytes: &[u8]) {
    let Some((flags, frames)) = bytes.split_first() else {
        return;
    };
    let side = Side {
        masked: flags & 1 != 0,
        deflate: flags & 2 != 0,
        forgets: flags & 4 != 0,
    };
    let whole = side.receive([frames]);
    assert_eq!(side.receive(frames.chunks(1)), whole, "byte by byte");
    assert_eq!(side.receive(pieces(frames)), whole, "in pieces");
    if !side.deflate {
        assert_eq!(
            whole,
            Plain::read(frames, side.masked),
            "against the standard"
        );
    }
    side.echo(frames);
}

const MESSAGE: usize = 4096;
const FRAME: usize = 2048;
const FRAGMENTS: usize = 5;

/// What comes of frames: what was said, and the fault that ended it.
type Heard = (Vec<Said>, Option<WebSocketFault>);

#[derive(Debug, PartialEq)]
enum Said {
    Message(Message),
    Ping(Bytes),
    Pong,
    Close(Option<CloseFrame>),
}

#[derive(Clone, Copy)]
struct Side {
    masked: bool,
    deflate: bool,
    forgets: bool,
}

impl Side {
    fn inbound(self, message: usize, frame: usize) -> Inbound {
        let options = WebSocketOptions {
            message,
            frame,
            fragments: FRAGMENTS,
            ..WebSocketOptions::default()
        };
        let inflater = self.deflate.then(|| Inflater::new(self.forgets));
        Inbound::new(Bytes::new(), self.masked, inflater, &options)
    }

    fn receive<'a>(self, pieces: impl IntoIterator<Item = &'a [u8]>) -> Heard {
        listen(self.inbound(MESSAGE, FRAME), MESSAGE, pieces)
    }

    /// Sends the bytes as messages of several sizes, and reads them back.
    fn echo(self, bytes: &[u8]) {
        let deflater = self.deflate.then(|| Deflater::new(self.forgets));
        let masks: Random = |mask| {
            mask.copy_from_slice(&[9, 8, 7, 6]);
            Ok(())
        };
        let mut outbound = Outbound::new(self.masked.then_some(masks), deflater);
        let mut sent = Vec::new();
        for (number, message) in pieces(bytes).chain([bytes]).enumerate() {
            let message = match std::str::from_utf8(message) {
                Ok(text) if number % 2 == 0 => Message::Text(text.to_owned()),
                _ => Message::Binary(Bytes::copy_from_slice(message)),
            };
            match &message {
                Message::Text(text) => outbound.message(TEXT, text.as_bytes()),
                Message::Binary(bytes) => outbound.message(BINARY, bytes),
            }
            sent.push(Said::Message(message));
        }
        let most = bytes.len().max(1);
        // A frame that does not compress well is a little longer than its message.
        let inbound = self.inbound(most + 1024, most + 1024);
        let heard = listen(inbound, most, pieces(outbound.unsent()));
        assert_eq!(
            heard,
            (sent, None),
            "what was sent is not what was received"
        );
    }
}

fn listen<'a>(
    mut inbound: Inbound,
    most: usize,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Heard {
    let mut heard = Vec::new();
    for piece in pieces {
        inbound.make_room();
        inbound.bytes.extend_from_slice(piece);
        loop {
            let said = match inbound.next() {
                Ok(None) => break,
                Ok(Some(Event::Message(message))) => Said::Message(message),
                Ok(Some(Event::Ping(payload))) => Said::Ping(payload),
                Ok(Some(Event::Pong)) => Said::Pong,
                Ok(Some(Event::Close(frame))) => {
                    heard.push(Said::Close(frame));
                    return (heard, None);
                }
                Err(fault) => return (heard, Some(fault)),
            };
            if let Said::Message(Message::Text(text)) = &said {
                assert!(text.len() <= most, "a text is too long");
            }
            if let Said::Message(Message::Binary(bytes)) = &said {
                assert!(bytes.len() <= most, "a message is too long");
            }
            heard.push(said);
        }
    }
    (heard, None)
}

/// A plain reading of RFC 6455, sections 5 and 7, of bytes that are all there.
struct Plain<'a> {
    left: &'a [u8],
    masked: bool,
    heard: Vec<Said>,
    /// The message whose last frame has not come: its kind, its bytes, its frames.
    open: Option<(u8, Vec<u8>, usize)>,
}

impl<'a> Plain<'a> {
    fn read(left: &'a [u8], masked: bool) -> Heard {
        let mut plain = Plain {
            left,
            masked,
            heard: Vec::new(),
            open: None,
        };
        let fault = loop {
            match plain.frame() {
                Ok(true) => {}
                Ok(false) => break None,
                Err(fault) => break Some(fault),
            }
        };
        (plain.heard, fault)
    }

    /// Reads one frame; false at the end.
    fn frame(&mut self) -> Result<bool, WebSocketFault> {
        let Some([first, second]) = self.left.first_chunk() else {
            return Ok(false);
        };
        let (last, kind, short) = (first >> 7 == 1, first & 15, second & 127);
        let wrong = |why| Err(WebSocketFault::Protocol(why));
        if !matches!(kind, 0..=2 | 8..=10) {
            return wrong("an unknown kind of frame");
        }
        if first & 0x70 != 0 {
            return wrong("a reserved bit is set");
        }
        match (second >> 7 == 1, self.masked) {
            (false, true) => return wrong("a client's frame is not masked"),
            (true, false) => return wrong("a server's frame is masked"),
            _ => {}
        }
        if kind >= CLOSE && (!last || short > 125) {
            return wrong("a control frame is too long or in fragments");
        }
        let wide = [0, 2, 8][usize::from(short.saturating_sub(125))];
        let size = 2 + wide + if self.masked { 4 } else { 0 };
        if self.left.len() < size {
            return Ok(false);
        }
        let mut length = u64::from(short);
        if wide > 0 {
            let mut digits = [0; 8];
            digits[8 - wide..].copy_from_slice(&self.left[2..2 + wide]);
            length = u64::from_be_bytes(digits);
        }
        if wide == 2 && length < 126 || wide == 8 && !(65_536..1 << 63).contains(&length) {
            return wrong("a length is not written as it must be");
        }
        if length > FRAME as u64 {
            return Err(WebSocketFault::TooLarge { limit: FRAME });
        }
        let length = length as usize;
        self.may_come(kind, length)?;
        if self.left.len() < size + length {
            return Ok(false);
        }
        let mask = if self.masked {
            &self.left[size - 4..size]
        } else {
            &[0; 4]
        };
        let payload: Vec<u8> = self.left[size..size + length]
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, key)| byte ^ key)
            .collect();
        self.left = &self.left[size + length..];
        self.take(last, kind, payload)
    }

    fn may_come(&self, kind: u8, length: usize) -> Result<(), WebSocketFault> {
        match (&self.open, kind) {
            (_, CLOSE..) => Ok(()),
            (None, 0) => Err(WebSocketFault::Protocol("a continuation of nothing")),
            (Some(_), 1 | 2) => Err(WebSocketFault::Protocol("a message within a message")),
            (Some((_, bytes, _)), _) if bytes.len() + length > MESSAGE => {
                Err(WebSocketFault::TooLarge { limit: MESSAGE })
            }
            (Some((_, _, FRAGMENTS..)), _) => {
                Err(WebSocketFault::Protocol("a message in too many fragments"))
            }
            _ => Ok(()),
        }
    }

    fn take(&mut self, last: bool, kind: u8, payload: Vec<u8>) -> Result<bool, WebSocketFault> {
        match kind {
            PING => self.heard.push(Said::Ping(payload.into())),
            PONG => self.heard.push(Said::Pong),
            CLOSE => {
                self.heard.push(Said::Close(reason(&payload)?));
                return Ok(false);
            }
            _ => {
                let (_, bytes, frames) = self.open.get_or_insert((kind, Vec::new(), 0));
                bytes.extend(payload);
                *frames += 1;
            }
        }
        if kind < CLOSE
            && last
            && let Some((kind, bytes, _)) = self.open.take()
        {
            let message = match kind {
                TEXT => Message::Text(text(bytes, "a text is not UTF-8")?),
                _ => Message::Binary(bytes.into()),
            };
            self.heard.push(Said::Message(message));
        }
        Ok(true)
    }
}

fn text(bytes: Vec<u8>, why: &'static str) -> Result<String, WebSocketFault> {
    String::from_utf8(bytes).map_err(|_| WebSocketFault::BadText(why))
}

fn reason(payload: &[u8]) -> Result<Option<CloseFrame>, WebSocketFault> {
    if payload.is_empty() {
        return Ok(None);
    }
    let Some((code, reason)) = payload.split_first_chunk() else {
        return Err(WebSocketFault::Protocol("half a code in a close frame"));
    };
    let code = u16::from_be_bytes(*code);
    // What section 7.4 and the registry that it founds leave to endpoints.
    if !(1000..5000).contains(&code) || matches!(code, 1004..=1006 | 1015..=2999) {
        return Err(WebSocketFault::Protocol(
            "a code that no close frame may have",
        ));
    }
    let reason = text(reason.to_vec(), "the reason in a close frame is not UTF-8")?;
    Ok(Some(CloseFrame { code, reason }))
}

#[cfg(test)]
#[test]
fn kept_frames_hold() {
    crate::http::fuzzing::replay("websocket", websocket);
}
