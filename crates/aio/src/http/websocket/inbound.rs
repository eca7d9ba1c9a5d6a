//! What comes: frames, and the messages that they make up.

use bytes::{Buf, Bytes, BytesMut};

use super::{
    deflate::Inflater,
    frame::{
        BINARY, CLOSE, CONTINUATION, HEAD_BYTES, Head, PING, PONG, Rules, TEXT, apply_mask, parse,
    },
    options::WebSocketOptions,
    socket::{CloseFrame, Message},
};
use crate::error::WebSocketFault;

/// How much room is made for what comes, unless a frame is known to be longer.
const ROOM: usize = 4 * 1024;

/// What a frame, or the last of several, comes to.
#[derive(Debug)]
pub(super) enum Event {
    Message(Message),
    Ping(Bytes),
    Pong,
    Close(Option<CloseFrame>),
}

pub(super) struct Inbound {
    pub(super) bytes: BytesMut,
    /// The frame whose head has come.
    head: Option<Head>,
    partial: Option<Partial>,
    inflater: Option<Inflater>,
    rules: Rules,
    most: usize,
    most_fragments: usize,
}

/// A message whose last frame has not come.
struct Partial {
    code: u8,
    compressed: bool,
    bytes: Vec<u8>,
    frames: usize,
}

impl Inbound {
    pub(super) fn new(
        early: Bytes,
        masked: bool,
        inflater: Option<Inflater>,
        options: &WebSocketOptions,
    ) -> Self {
        Inbound {
            bytes: BytesMut::from(&early[..]),
            head: None,
            partial: None,
            rules: Rules {
                masked,
                deflate: inflater.is_some(),
                most: options.frame.min(options.message),
            },
            inflater,
            most: options.message,
            most_fragments: options.fragments,
        }
    }

    /// Makes room for what is to be read next. Room grows with what has come, not with what was announced.
    pub(super) fn make_room(&mut self) {
        let announced = self.head.map_or(HEAD_BYTES, |head| head.length);
        let missing = announced.saturating_sub(self.bytes.len());
        let room = missing.clamp(ROOM, self.bytes.len().max(ROOM));
        self.bytes.reserve(room);
    }

    /// What has come as a whole; `None` when more is to be read first.
    pub(super) fn next(&mut self) -> Result<Option<Event>, WebSocketFault> {
        loop {
            let head = match self.head {
                Some(head) => head,
                None => {
                    let Some((head, size)) = parse(&self.bytes, self.rules)? else {
                        return Ok(None);
                    };
                    self.bytes.advance(size);
                    self.head = Some(head);
                    self.expect(head)?;
                    head
                }
            };
            if self.bytes.len() < head.length {
                return Ok(None);
            }
            self.head = None;
            let mut payload = self.bytes.split_to(head.length);
            if let Some(mask) = head.mask {
                apply_mask(&mut payload, mask);
            }
            let event = match head.code {
                PING => Some(Event::Ping(payload.freeze())),
                PONG => Some(Event::Pong),
                CLOSE => Some(Event::Close(read_close(&payload)?)),
                _ => self.data(head, payload)?,
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    /// Whether this frame may come now, and fits, before any of it is kept.
    fn expect(&self, head: Head) -> Result<(), WebSocketFault> {
        if head.is_control() {
            return Ok(());
        }
        match (&self.partial, head.code) {
            (None, CONTINUATION) => Err(WebSocketFault::Protocol("a continuation of nothing")),
            (Some(_), TEXT | BINARY) => Err(WebSocketFault::Protocol("a message within a message")),
            (Some(partial), _) if partial.bytes.len() + head.length > self.most => {
                Err(WebSocketFault::TooLarge { limit: self.most })
            }
            (Some(partial), _) if partial.frames >= self.most_fragments => {
                Err(WebSocketFault::Protocol("a message in too many fragments"))
            }
            _ => Ok(()),
        }
    }

    fn data(&mut self, head: Head, payload: BytesMut) -> Result<Option<Event>, WebSocketFault> {
        let Some(partial) = &mut self.partial else {
            if head.last {
                return self.message(head.code, head.compressed, payload).map(Some);
            }
            self.partial = Some(Partial {
                code: head.code,
                compressed: head.compressed,
                bytes: payload.into(),
                frames: 1,
            });
            return Ok(None);
        };
        partial.bytes.extend_from_slice(&payload);
        partial.frames += 1;
        if !head.last {
            return Ok(None);
        }
        let Some(Partial {
            code,
            compressed,
            bytes,
            ..
        }) = self.partial.take()
        else {
            return Ok(None);
        };
        self.message(code, compressed, BytesMut::from(Bytes::from(bytes)))
            .map(Some)
    }

    fn message(
        &mut self,
        code: u8,
        compressed: bool,
        payload: BytesMut,
    ) -> Result<Event, WebSocketFault> {
        let payload = match (&mut self.inflater, compressed) {
            (Some(inflater), true) => Bytes::from(inflater.inflate(&payload, self.most)?),
            _ => payload.freeze(),
        };
        if code == BINARY {
            return Ok(Event::Message(Message::Binary(payload)));
        }
        match String::from_utf8(payload.into()) {
            Ok(text) => Ok(Event::Message(Message::Text(text))),
            Err(_) => Err(WebSocketFault::BadText("a text is not UTF-8")),
        }
    }
}

fn read_close(payload: &[u8]) -> Result<Option<CloseFrame>, WebSocketFault> {
    let [high, low, reason @ ..] = payload else {
        return match payload {
            [] => Ok(None),
            _ => Err(WebSocketFault::Protocol("half a code in a close frame")),
        };
    };
    let code = u16::from_be_bytes([*high, *low]);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(WebSocketFault::Protocol(
            "a code that no close frame may have",
        ));
    }
    let reason = std::str::from_utf8(reason)
        .map_err(|_| WebSocketFault::BadText("the reason in a close frame is not UTF-8"))?;
    Ok(Some(CloseFrame {
        code,
        reason: reason.to_owned(),
    }))
}
