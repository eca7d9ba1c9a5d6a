//! An event loop in 60 lines: coroutines yield how long they want to sleep, the loop resumes whoever is due.
//!
//! Two of them greet, sleep, and greet again. They sleep at the same time, so both together take as long as one.
//!
//! ```text
//! $ cargo run -p coroutines --example event_loop_by_hand
//! Hello world! (1)
//! Hello world! (2)
//! Hello again! (1)
//! Hello again! (2)
//! about one sleep, not two: true
//! ```

use coroutines::{Boxed, Co, CoroutineState::*, Id, Scheduler, generator};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::thread;
use std::time::{Duration, Instant};

/// What a coroutine yields: "do not resume me before that much time has passed".
struct Sleep(Duration);

#[derive(Default)]
struct EventLoop {
    scheduler: Scheduler<Boxed<'static, Sleep>>,
    /// Who sleeps, the one that is due first on top.
    timers: BinaryHeap<Reverse<(Instant, Id)>>,
}

impl EventLoop {
    fn spawn(&mut self, body: impl AsyncFnOnce(Co<'_, Sleep>) + 'static) {
        self.scheduler.spawn(generator(body).boxed());
    }

    fn run(&mut self) {
        loop {
            // Everyone who is ready, until all sleep or have ended.
            while let Some((id, state)) = self.scheduler.step() {
                if let Yielded(Sleep(time)) = state {
                    self.scheduler.suspend(id);
                    self.timers.push(Reverse((Instant::now() + time, id)));
                }
            }
            // Nobody is ready: sleep until the first is due. A real loop would wait for input here as well.
            let Some(Reverse((due, id))) = self.timers.pop() else {
                return;
            };
            thread::sleep(due.saturating_duration_since(Instant::now()));
            self.scheduler.wake(id);
        }
    }
}

fn main() {
    const NAP: Duration = Duration::from_millis(400);
    let start = Instant::now();
    let mut event_loop = EventLoop::default();
    for number in 1..=2 {
        event_loop.spawn(async move |mut co: Co<'_, Sleep>| {
            println!("Hello world! ({number})");
            co.yield_(Sleep(NAP)).await;
            println!("Hello again! ({number})");
        });
    }
    event_loop.run();
    println!("about one sleep, not two: {}", start.elapsed() < NAP * 2);
}
