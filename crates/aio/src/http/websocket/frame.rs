//! Frames: their heads and their masks.

use crate::error::WebSocketFault;

pub(super) const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// The most bytes of a control frame.
pub(super) const CONTROL_BYTES: usize = 125;
/// The longest head: two bytes, eight of length, four of mask.
pub(super) const HEAD_BYTES: usize = 14;

/// The head of a frame that has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) last: bool,
    /// The first frame of a compressed message.
    pub(super) compressed: bool,
    pub(super) code: u8,
    pub(super) mask: Option<[u8; 4]>,
    pub(super) length: usize,
}

impl Head {
    pub(super) fn is_control(&self) -> bool {
        self.code >= CLOSE
    }
}

/// What a peer's frames must be like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Clients mask, servers do not.
    pub(super) masked: bool,
    pub(super) deflate: bool,
    pub(super) most: usize,
}

/// Reads a head, and how many bytes it takes; `None` while it is not there as a whole.
pub(super) fn parse(bytes: &[u8], rules: Rules) -> Result<Option<(Head, usize)>, WebSocketFault> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    let wide = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let masked = second & 0x80 != 0;
    let head = Head {
        last: first & 0x80 != 0,
        compressed: first & 0x40 != 0,
        code: first & 0x0f,
        mask: None,
        length: 0,
    };
    check(head, first & 0x30, masked, second & 0x7f, rules)?;
    let size = 2 + wide + if masked { 4 } else { 0 };
    if rest.len() + 2 < size {
        return Ok(None);
    }
    let length = match wide {
        0 => u64::from(second & 0x7f),
        _ => rest[..wide]
            .iter()
            .fold(0, |length, byte| length << 8 | u64::from(*byte)),
    };
    let shortest = match wide {
        0 => 0,
        2 => 126,
        _ => 65_536,
    };
    if length < shortest || length > u64::MAX >> 1 {
        return Err(WebSocketFault::Protocol(
            "a length is not written as it must be",
        ));
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > rules.most {
        return Err(WebSocketFault::TooLarge { limit: rules.most });
    }
    let mask = masked.then(|| [rest[wide], rest[wide + 1], rest[wide + 2], rest[wide + 3]]);
    Ok(Some((
        Head {
            mask,
            length,
            ..head
        },
        size,
    )))
}

fn check(
    head: Head,
    reserved: u8,
    masked: bool,
    short: u8,
    rules: Rules,
) -> Result<(), WebSocketFault> {
    let wrong = |why| Err(WebSocketFault::Protocol(why));
    if !matches!(head.code, CONTINUATION..=BINARY | CLOSE..=PONG) {
        return wrong("an unknown kind of frame");
    }
    let begins = matches!(head.code, TEXT | BINARY);
    if reserved != 0 || (head.compressed && !(rules.deflate && begins)) {
        return wrong("a reserved bit is set");
    }
    if masked != rules.masked {
        return wrong(if rules.masked {
            "a client's frame is not masked"
        } else {
            "a server's frame is masked"
        });
    }
    if head.is_control() && (!head.last || usize::from(short) > CONTROL_BYTES) {
        return wrong("a control frame is too long or in fragments");
    }
    Ok(())
}

/// Writes the head of a frame that is the last of its message.
pub(super) fn write_head(
    out: &mut Vec<u8>,
    code: u8,
    compressed: bool,
    length: usize,
    mask: Option<[u8; 4]>,
) {
    out.push(0x80 | if compressed { 0x40 } else { 0 } | code);
    let masked = if mask.is_some() { 0x80 } else { 0 };
    match length {
        0..=125 => out.push(masked | length as u8),
        126..=65_535 => {
            out.push(masked | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask.unwrap_or_default()[..if mask.is_some() { 4 } else { 0 }]);
}

/// Masks, or takes the mask off: it is the same. Eight bytes at a time.
pub(super) fn apply_mask(bytes: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut words = bytes.chunks_exact_mut(8);
    for word in &mut words {
        let mut value = [0; 8];
        value.copy_from_slice(word);
        word.copy_from_slice(&(u64::from_ne_bytes(value) ^ wide).to_ne_bytes());
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_as_they_are_written() {
        let rules = Rules {
            masked: true,
            deflate: true,
            most: 1 << 30,
        };
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 30] {
            let mut out = Vec::new();
            write_head(&mut out, BINARY, true, length, Some([1, 2, 3, 4]));
            for cut in 0..out.len() {
                assert_eq!(parse(&out[..cut], rules), Ok(None));
            }
            let (head, size) = parse(&out, rules).unwrap().unwrap();
            assert_eq!(
                (head.length, head.mask, head.compressed, size),
                (length, Some([1, 2, 3, 4]), true, out.len())
            );
        }
    }

    #[test]
    fn a_mask_twice_is_none() {
        for length in 0..40 {
            let mut bytes: Vec<u8> = (0..length).collect();
            apply_mask(&mut bytes, [9, 8, 7, 6]);
            let by_hand: Vec<u8> = (0..length)
                .map(|byte| byte ^ [9, 8, 7, 6][usize::from(byte) % 4])
                .collect();
            assert_eq!(bytes, by_hand);
        }
    }
}
