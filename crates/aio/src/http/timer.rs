//! The loop's timers as hyper uses them.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

#[cfg(feature = "http2")]
use std::time::Duration;

#[cfg(feature = "http2")]
use hyper::rt::{Sleep, Timer};

use crate::{
    clock, current,
    timer::{Due, TimerKey},
};

/// Makes hyper's sleeps from the timers of the loop that polls them.
#[cfg(feature = "http2")]
pub(crate) struct LoopTimer;

#[cfg(feature = "http2")]
impl Timer for LoopTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(LoopSleep {
            deadline,
            armed: None,
        })
    }
}

/// A sleep that hyper can hold: it must be `Send`, so it names its timer instead of holding its loop.
struct LoopSleep {
    deadline: Instant,
    armed: Option<(u32, TimerKey)>,
}

#[cfg(feature = "http2")]
impl Sleep for LoopSleep {}

impl Future for LoopSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let polled = current::with_engine((), |(), engine| match self.armed {
            Some((id, key)) if id == engine.id() => {
                if engine.update_timer(key, cx.waker()) {
                    Poll::Pending
                } else {
                    Poll::Ready(())
                }
            }
            _ => {
                let key = engine.add_timer(self.deadline, Due::Wake(cx.waker().clone()));
                self.armed = Some((engine.id(), key));
                Poll::Pending
            }
        });
        // Off the loop nothing can wait; a connection there is beyond saving.
        polled.unwrap_or(Poll::Ready(()))
    }
}

impl Drop for LoopSleep {
    fn drop(&mut self) {
        let Some((id, key)) = self.armed else { return };
        // On another loop, or after it, the timer is gone or fires at nothing.
        let _ = current::with_engine((), |(), engine| {
            if engine.id() == id {
                engine.cancel_timer(key);
            }
        });
    }
}

/// Tells a connection when its patience ends. A time that moves further away costs nothing: the timer fires at the old
/// one, and is set again.
#[derive(Default)]
pub(crate) struct Alarm {
    armed: Option<(Instant, LoopSleep)>,
}

impl Alarm {
    pub(crate) fn poll_until(&mut self, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match &mut self.armed {
                Some((when, sleep)) if *when <= due => {
                    if Pin::new(sleep).poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    self.armed = None;
                    if clock::now() >= due {
                        return Poll::Ready(());
                    }
                }
                _ => {
                    let sleep = LoopSleep {
                        deadline: due,
                        armed: None,
                    };
                    self.armed = Some((due, sleep));
                }
            }
        }
    }
}
