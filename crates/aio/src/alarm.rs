//! What wakes a sleeping loop in time.

use std::{pin::Pin, task::Context, time::Instant};

use tokio::task::coop;

/// The tokio timer that ends the loop's sleep when its earliest own timer is due.
pub(crate) struct Alarm {
    sleep: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Alarm {
    pub(crate) fn new() -> Self {
        Alarm { sleep: None }
    }

    pub(crate) fn set(&mut self, deadline: Option<Instant>, cx: &mut Context<'_>) {
        let Some(deadline) = deadline else { return };
        let deadline = tokio::time::Instant::from_std(deadline);
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        // An alarm that rings too early only costs a look; setting it anew each time would cost more.
        if sleep.is_elapsed() || sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        // Unconstrained: with the budget spent it would claim to be pending and wake us at once.
        if Pin::new(&mut coop::unconstrained(sleep.as_mut()))
            .poll(cx)
            .is_ready()
        {
            cx.waker().wake_by_ref();
        }
    }
}
