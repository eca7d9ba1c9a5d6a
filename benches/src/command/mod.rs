//! The program's subcommands, one file each: their arguments, and what they do.

mod advise;
mod serve;
mod timeline;

pub use advise::Advise;
pub use serve::Serve;
pub use timeline::Timelines;
