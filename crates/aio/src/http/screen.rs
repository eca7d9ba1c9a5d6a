//! What looks at a connection's bytes as they pass, whichever protocol they are of.

use std::{io::IoSlice, time::Instant};

#[cfg(feature = "http2")]
use super::frames::Frames;
use super::gate::{Gate, Phase, Refusal};

#[derive(Default)]
pub(crate) enum Screen {
    /// It has not been found out yet what the client speaks.
    #[default]
    None,
    Gate(Gate),
    #[cfg(feature = "http2")]
    Frames(Box<Frames>),
}

impl Screen {
    /// What the client is in the middle of.
    pub(crate) fn phase(&self) -> Phase {
        match self {
            Screen::None => Phase::Open,
            Screen::Gate(gate) => gate.phase(),
            #[cfg(feature = "http2")]
            Screen::Frames(frames) if frames.is_in_head() => Phase::Head,
            #[cfg(feature = "http2")]
            Screen::Frames(_) => Phase::Open,
        }
    }

    /// How many heads have ended: a number to compare with an earlier one.
    pub(crate) fn heads(&self) -> usize {
        match self {
            Screen::None => 0,
            Screen::Gate(gate) => gate.heads(),
            #[cfg(feature = "http2")]
            Screen::Frames(frames) => frames.heads(),
        }
    }

    /// Looks at what came.
    pub(crate) fn look(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        match self {
            Screen::None => Ok(()),
            Screen::Gate(gate) => gate.look(piece),
            #[cfg(feature = "http2")]
            Screen::Frames(frames) => frames.look(piece),
        }
    }

    /// Looks at the first `count` bytes of what is sent.
    pub(crate) fn leaves(&mut self, slices: &[IoSlice<'_>], count: usize) {
        #[cfg(feature = "http2")]
        if let Screen::Frames(frames) = self {
            let mut left = count;
            for slice in slices {
                let gone = left.min(slice.len());
                frames.wrote(&slice[..gone]);
                left -= gone;
            }
        }
        #[cfg(not(feature = "http2"))]
        let _ = (slices, count);
    }

    /// Whether HTTP/2 owes the client nothing more, not even the rest of a response.
    pub(crate) fn is_quiet(&self) -> bool {
        match self {
            #[cfg(feature = "http2")]
            Screen::Frames(frames) => frames.is_quiet(),
            _ => false,
        }
    }

    /// Since when the client takes nothing, though the socket would.
    pub(crate) fn stalled(&mut self) -> Option<Instant> {
        match self {
            #[cfg(feature = "http2")]
            Screen::Frames(frames) => frames.stalled(),
            _ => None,
        }
    }

    /// The frame that ends an HTTP/2 connection, if one can be sent.
    #[cfg(feature = "http2")]
    pub(crate) fn go_away(&self) -> Option<Vec<u8>> {
        match self {
            Screen::Frames(frames) => frames.go_away(),
            _ => None,
        }
    }
}
