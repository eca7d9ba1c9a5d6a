//! permessage-deflate: messages compressed one by one, with or without memory of those before.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::error::WebSocketFault;

/// What ends each compressed message and is not sent.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// How much room the output gets at a time.
const STEP: usize = 8 * 1024;

/// What both sides have agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Terms {
    /// Whether the server, and the client, forget each message before the next.
    pub(crate) server_forgets: bool,
    pub(crate) client_forgets: bool,
}

/// Compresses what is sent.
pub(super) struct Deflater {
    engine: Compress,
    forgets: bool,
}

impl Deflater {
    pub(super) fn new(forgets: bool) -> Self {
        Deflater {
            engine: Compress::new(Compression::fast(), false),
            forgets,
        }
    }

    /// The compressed message; `None` when the engine fails, and the message is then to be sent as it is.
    pub(super) fn deflate(&mut self, mut message: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(message.len() / 2 + 16);
        loop {
            if out.capacity() - out.len() < 16 {
                out.reserve(STEP);
            }
            let before = self.engine.total_in();
            self.engine
                .compress_vec(message, &mut out, FlushCompress::Sync)
                .ok()?;
            message = &message[(self.engine.total_in() - before) as usize..];
            // With room to spare, all has been flushed.
            if message.is_empty() && out.len() < out.capacity() {
                break;
            }
        }
        if self.forgets {
            self.engine.reset();
        }
        out.ends_with(&TAIL).then(|| {
            out.truncate(out.len() - TAIL.len());
            out
        })
    }
}

/// Decompresses what is received.
pub(super) struct Inflater {
    engine: Decompress,
    forgets: bool,
}

impl Inflater {
    pub(super) fn new(forgets: bool) -> Self {
        Inflater {
            engine: Decompress::new(false),
            forgets,
        }
    }

    /// The message, of at most `most` bytes: no more than that is ever held.
    pub(super) fn inflate(
        &mut self,
        message: &[u8],
        most: usize,
    ) -> Result<Vec<u8>, WebSocketFault> {
        let mut out = Vec::new();
        for part in [message, &TAIL] {
            self.take(part, &mut out, most)?;
        }
        if self.forgets {
            self.engine.reset(false);
        }
        Ok(out)
    }

    fn take(
        &mut self,
        mut part: &[u8],
        out: &mut Vec<u8>,
        most: usize,
    ) -> Result<(), WebSocketFault> {
        loop {
            if out.len() == out.capacity() {
                out.reserve(STEP.min(most + 1 - out.len().min(most)));
            }
            let (read, written) = (self.engine.total_in(), out.len());
            let status = self
                .engine
                .decompress_vec(part, out, FlushDecompress::Sync)
                .map_err(|_| WebSocketFault::BadText("a message cannot be decompressed"))?;
            let read = (self.engine.total_in() - read) as usize;
            part = &part[read..];
            if out.len() > most {
                return Err(WebSocketFault::TooLarge { limit: most });
            }
            if status == Status::StreamEnd {
                // A final block may come before the message's end; what follows is another stream.
                self.engine.reset(false);
                if part.is_empty() {
                    return Ok(());
                }
                continue;
            }
            let stuck = read == 0 && out.len() == written;
            if part.is_empty() && out.len() < out.capacity() || stuck && out.len() < out.capacity()
            {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_as_they_went_in() {
        for forgets in [false, true] {
            let (mut deflater, mut inflater) = (Deflater::new(forgets), Inflater::new(forgets));
            let long: Vec<u8> = (0..200_000u32)
                .flat_map(|number| (number % 977).to_le_bytes())
                .collect();
            for message in [&b"hello"[..], b"", b"hello", &long, &[0; 100_000]] {
                let small = deflater.deflate(message).unwrap();
                assert_eq!(inflater.inflate(&small, 1 << 20).unwrap(), message);
            }
        }
    }

    #[test]
    fn a_bomb_is_cut_off_at_the_limit() {
        let small = Deflater::new(true).deflate(&vec![0; 10 << 20]).unwrap();
        let fault = Inflater::new(true).inflate(&small, 1000).unwrap_err();
        assert_eq!(fault, WebSocketFault::TooLarge { limit: 1000 });
    }

    #[test]
    fn nonsense_is_a_fault() {
        assert!(Inflater::new(true).inflate(&[0xff; 20], 1000).is_err());
    }
}
