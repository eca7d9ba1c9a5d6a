//! The notifier between a thread that polls and its callers.

use std::sync::Arc;

use loom::sync::Mutex;
use loom::thread;

use crate::explore;
use crate::host::notifier::Notifier;
use crate::sys;

struct Inbox {
    notifier: Notifier,
    work: Mutex<u32>,
}

impl Inbox {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            notifier: Notifier::new().unwrap(),
            work: Mutex::new(0),
        })
    }

    fn put(&self) {
        *self.work.lock().unwrap() += 1;
        self.notifier.wake();
    }

    /// Polls until so much work has come. A wake-up that is lost leaves it asleep, which loom reports as a deadlock.
    fn take(&self, count: u32) {
        let mut taken = 0;
        while taken < count {
            self.notifier.prepare();
            let found = *self.work.lock().unwrap() > taken;
            let polled = sys::poll(!found, false);
            self.notifier.awake(polled.event);
            taken = *self.work.lock().unwrap();
        }
    }
}

#[test]
fn no_wake_up_of_two_callers_is_lost() {
    explore(4, || {
        let inbox = Inbox::new();
        let callers: Vec<_> = (0..2)
            .map(|_| {
                let inbox = Arc::clone(&inbox);
                thread::spawn(move || inbox.put())
            })
            .collect();
        inbox.take(2);
        callers
            .into_iter()
            .for_each(|caller| caller.join().unwrap());
    });
}

#[test]
fn no_wake_up_between_two_sleeps_is_lost() {
    explore(5, || {
        let inbox = Inbox::new();
        let theirs = Arc::clone(&inbox);
        let caller = thread::spawn(move || {
            theirs.put();
            theirs.put();
            theirs.put();
        });
        inbox.take(3);
        caller.join().unwrap();
    });
}

#[test]
fn a_nudge_wakes_without_the_flag() {
    explore(5, || {
        let inbox = Inbox::new();
        let theirs = Arc::clone(&inbox);
        let caller = thread::spawn(move || {
            // The flag is down: only a nudge writes the event.
            theirs.notifier.awake(false);
            *theirs.work.lock().unwrap() += 1;
            theirs.notifier.nudge();
        });
        inbox.take(1);
        caller.join().unwrap();
    });
}
