//! Signals: callbacks for them, what asks the program to stop, and what ctrl-c does to `run`.

mod disposition;
mod handlers;
mod interrupt;
mod shutdown;

pub(crate) use handlers::Handlers;
pub(crate) use interrupt::Interrupt;
pub use shutdown::{ShutdownSignal, shutdown_signal};
/// Which signal: `SignalKind::terminate()`, `SignalKind::hangup()`, or any by its number. It is tokio's.
pub use tokio::signal::unix::SignalKind;
