//! Messages from one task to another on the same thread.

use std::hint::black_box;
use std::rc::Rc;
use std::time::Instant;

use aio::sync::Queue;

use super::{Figures, tokio};
use crate::peers::{Contest, Row, Target};

const MESSAGES: u64 = 200_000;

/// A row for a small bound, and one without a bound.
pub fn rows(rounds: usize, python: &Figures) -> Vec<Row> {
    let figure = |name: &str| python.get(name).copied();
    let mut rows = Contest::new("aio", "Queue(128), put and get between tasks")
        .entrant("ours", || ours(128))
        .entrant("tokio mpsc", tokio_bounded)
        .fixed("asyncio.Queue", figure("queue/128"))
        .goal("ours", &["tokio mpsc"], Target::Ratio(1.0))
        .goal("ours", &["asyncio.Queue"], Target::Ratio(1.0 / 20.0))
        .run(rounds);
    rows.extend(
        Contest::new("aio", "Queue unbounded, put and get between tasks")
            .entrant("ours", || ours(0))
            .entrant("tokio mpsc", tokio_unbounded)
            .fixed("asyncio.Queue", figure("queue/0"))
            .goal("ours", &["tokio mpsc"], Target::Ratio(1.0))
            .goal("ours", &["asyncio.Queue"], Target::Ratio(1.0 / 20.0))
            .run(rounds),
    );
    rows
}

fn per_message(start: Instant) -> f64 {
    start.elapsed().as_nanos() as f64 / MESSAGES as f64
}

fn ours(size: usize) -> f64 {
    let measured = aio::run(async {
        let start = Instant::now();
        let queue = Rc::new(Queue::bounded(size));
        let sink = queue.clone();
        let putting = aio::create_task(async move {
            for n in 0..MESSAGES {
                sink.put(n).await.expect("open");
            }
        });
        for n in 0..MESSAGES {
            assert_eq!(black_box(queue.get().await), Ok(n));
        }
        putting.await.expect("an end");
        per_message(start)
    });
    measured.expect("a loop")
}

fn tokio_bounded() -> f64 {
    tokio().block_on(async {
        let start = Instant::now();
        let (sink, mut source) = tokio::sync::mpsc::channel(128);
        let putting = tokio::spawn(async move {
            for n in 0..MESSAGES {
                sink.send(n).await.expect("open");
            }
        });
        for n in 0..MESSAGES {
            assert_eq!(black_box(source.recv().await), Some(n));
        }
        putting.await.expect("an end");
        per_message(start)
    })
}

fn tokio_unbounded() -> f64 {
    tokio().block_on(async {
        let start = Instant::now();
        let (sink, mut source) = tokio::sync::mpsc::unbounded_channel();
        let putting = tokio::spawn(async move {
            for n in 0..MESSAGES {
                sink.send(n).expect("open");
            }
        });
        for n in 0..MESSAGES {
            assert_eq!(black_box(source.recv().await), Some(n));
        }
        putting.await.expect("an end");
        per_message(start)
    })
}
