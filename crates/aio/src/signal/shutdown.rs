//! Signals that ask the program to stop.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::disposition::Listening;
use crate::current;

/// Begins to listen for SIGINT (ctrl-c) and SIGTERM; await what it gives to learn which came.
///
/// From this call on the signals no longer end the program by themselves, for the rest of its life, and SIGINT no longer
/// cancels the main coroutine of [`run`](crate::run).
///
/// # Errors
///
/// When the handlers cannot be installed; outside a loop, an error that wraps
/// [`NoRunningLoop`](crate::NoRunningLoop).
///
/// ```no_run
/// aio::run(async {
///     let asked_to_stop = aio::shutdown_signal()?;
///     println!("serving; ctrl-c stops");
///     println!("{} came", asked_to_stop.await);
///     Ok::<(), std::io::Error>(())
/// })??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn shutdown_signal() -> io::Result<ShutdownSignal> {
    current::engine()?;
    let asked = ShutdownSignal {
        interrupt: signal(SignalKind::interrupt())?,
        terminate: signal(SignalKind::terminate())?,
    };
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        Listening::begin(kind.as_raw_value()).for_good();
    }
    Ok(asked)
}

/// Ends with the name of the signal that came, "SIGINT" or "SIGTERM"; made by [`shutdown_signal`].
#[must_use = "the signals only have an effect when this is awaited"]
pub struct ShutdownSignal {
    interrupt: Signal,
    terminate: Signal,
}

impl Future for ShutdownSignal {
    type Output = &'static str;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'static str> {
        if let Poll::Ready(Some(())) = self.interrupt.poll_recv(cx) {
            return Poll::Ready("SIGINT");
        }
        if let Poll::Ready(Some(())) = self.terminate.poll_recv(cx) {
            return Poll::Ready("SIGTERM");
        }
        Poll::Pending
    }
}

impl fmt::Debug for ShutdownSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShutdownSignal").finish_non_exhaustive()
    }
}
