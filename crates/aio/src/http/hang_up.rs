//! A client that is gone, and who wants to know of it.

use std::cell::Cell;

use crate::sync::Waiters;

/// Whether nobody is there any more, and who waits for that.
#[derive(Default)]
pub(crate) struct HangUp {
    gone: Cell<bool>,
    waiting: Waiters,
}

impl HangUp {
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.get()
    }

    pub(crate) fn is_awaited(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(crate) fn tell(&self) {
        self.gone.set(true);
        self.waiting.call_all();
    }

    /// Waits until that is told. Who gives up leaves nothing behind, however many do while the connection is open.
    pub(crate) async fn wait(&self) {
        self.waiting.until(|| self.gone.get()).await;
    }
}

#[cfg(test)]
mod tests {
    use std::{rc::Rc, time::Duration};

    use super::*;
    use crate::{combine::wait_for, create_task};

    #[test]
    fn who_gives_up_leaves_nothing_and_who_waits_is_told() {
        crate::run(async {
            let hang_up = Rc::new(HangUp::default());
            for _ in 0..100 {
                let asked = hang_up.clone();
                let asking =
                    create_task(async move { wait_for(asked.wait(), Duration::ZERO).await });
                assert!(asking.await.is_ok_and(|waited| waited.is_err()));
            }
            assert!(!hang_up.is_awaited());
            let asked = hang_up.clone();
            let asking = create_task(async move { asked.wait().await });
            crate::yield_now().await;
            assert!(hang_up.is_awaited());
            hang_up.tell();
            assert!(asking.await.is_ok());
        })
        .expect("no loop runs here");
    }
}
