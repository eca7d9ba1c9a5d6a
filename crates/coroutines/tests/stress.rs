//! Suspended coroutines moved between threads, dropped at each suspension, panicking at each point: every value that was
//! made is dropped once, none twice, none never.

use coroutines::{
    BoxedSend, Co, CoroutineExt, CoroutineState::*, ResumeError, coroutine, generator,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;

/// Made and not yet dropped.
#[derive(Default)]
struct Census {
    alive: AtomicI64,
    made: AtomicI64,
}

impl Census {
    fn token(self: &Arc<Self>) -> Token {
        self.alive.fetch_add(1, Relaxed);
        self.made.fetch_add(1, Relaxed);
        Token {
            census: self.clone(),
            live: Box::new(true),
        }
    }

    fn assert_empty(&self) {
        assert_eq!(
            self.alive.load(Relaxed),
            0,
            "of {} made",
            self.made.load(Relaxed)
        );
    }
}

/// A value that says so when it is dropped twice, and holds memory that a checker would miss if it never were.
struct Token {
    census: Arc<Census>,
    live: Box<bool>,
}

impl Drop for Token {
    fn drop(&mut self) {
        assert!(std::mem::replace(&mut *self.live, false), "dropped twice");
        self.census.alive.fetch_sub(1, Relaxed);
    }
}

/// Yields, takes, holds and returns tokens, nested two deep, and panics at step `bomb`.
async fn body(
    mut co: Co<'_, Token, Token>,
    first: Token,
    census: &Arc<Census>,
    bomb: usize,
) -> Token {
    let mut held = vec![first];
    let borrowed = &mut held;
    for step in 0..4 {
        let _scratch = census.token();
        assert!(step != bomb, "the body's own");
        borrowed.push(co.yield_(census.token()).await);
        inner(&mut co, census, step, bomb).await;
    }
    let sub = Box::pin(coroutine(async |mut co: Co<'_, Token, Token>, first| {
        let second = co.yield_(census.token()).await;
        assert!(bomb != 4, "the body's own");
        (first, second)
    }));
    let first = census.token();
    let (a, _b) = co.yield_from(sub, first).await;
    a
}

async fn inner(co: &mut Co<'_, Token, Token>, census: &Arc<Census>, step: usize, bomb: usize) {
    let _scratch = census.token();
    let _answer = co.yield_(census.token()).await;
    assert!(step + 5 != bomb, "the body's own");
}

/// Resumes of `body` until it returns.
const STEPS: usize = 10;
/// Places where `body` panics, and one more where it does not.
const BOMBS: usize = 10;

fn make(census: &Arc<Census>, bomb: usize) -> BoxedSend<'_, Token, Token, Token> {
    coroutine(async move |co: Co<'_, Token, Token>, first| body(co, first, census, bomb).await)
        .boxed_send()
}

#[test]
fn dropped_or_closed_at_each_suspension() {
    let census = Arc::<Census>::default();
    for stop in 0..=STEPS {
        for close in [false, true] {
            let mut g = make(&census, usize::MAX);
            for _ in 0..stop {
                let state = g.resume(census.token());
                assert_eq!(g.is_finished(), matches!(state, Complete(_)));
            }
            if close {
                g.close();
                assert!(matches!(
                    g.try_resume(census.token()),
                    Err(ResumeError::Finished(_))
                ));
                census.assert_empty();
            }
        }
        census.assert_empty();
    }
    assert!(census.made.load(Relaxed) > 200);
}

#[test]
fn panicking_at_each_point() {
    let census = Arc::<Census>::default();
    let mut panics = 0;
    for bomb in 0..BOMBS {
        let mut g = make(&census, bomb);
        let end = catch_unwind(AssertUnwindSafe(|| {
            while let Yielded(_) = g.resume(census.token()) {}
        }));
        panics += usize::from(end.is_err());
        assert!(g.is_finished());
        // Finished and not corrupt: even before it is dropped nothing is left.
        census.assert_empty();
    }
    assert_eq!(panics, BOMBS - 1);
}

#[test]
fn a_destructor_that_panics_on_close_leaves_it_finished() {
    struct Bomb(#[expect(dead_code, reason = "held for its drop")] Token);
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !thread::panicking() {
                panic!("the destructor's own");
            }
        }
    }
    let census = Arc::<Census>::default();
    for close in [false, true] {
        let mut g = generator(async |mut co: Co<'_, ()>| {
            let _under = census.token();
            let _bomb = Bomb(census.token());
            let _over = census.token();
            co.yield_(()).await;
        })
        .boxed();
        assert_eq!(g.next(), Some(()));
        // By close, or at the end of the body.
        let end = catch_unwind(AssertUnwindSafe(|| {
            if close {
                g.close()
            } else {
                g.by_ref().for_each(|()| ())
            }
        }));
        assert!(end.is_err());
        assert!(g.is_finished());
        census.assert_empty();
    }
}

#[test]
fn suspended_ones_move_between_threads() {
    const ROUNDS: usize = 60;
    let census = Arc::<Census>::default();
    let census = &census;
    thread::scope(|scope| {
        // Each thread resumes what it gets once and gives it back; it goes to another thread next.
        let (inlets, outlets): (Vec<_>, Vec<_>) = (0..3).map(|_| mpsc::channel()).unzip();
        let (back, returned) = mpsc::channel();
        for outlet in outlets {
            let back = back.clone();
            scope.spawn(move || {
                for (mut g, steps) in outlet {
                    let end = catch_unwind(AssertUnwindSafe(|| {
                        BoxedSend::resume(&mut g, census.token())
                    }));
                    let goes_on = matches!(end, Ok(Yielded(_))) && steps > 0;
                    drop(end);
                    back.send(goes_on.then(|| (g, steps - 1)))
                        .expect("received until all have ended");
                }
            });
        }
        for round in 0..ROUNDS {
            // Every place to panic, every place to be dropped at.
            let g = make(census, round % BOMBS);
            inlets[round % 3]
                .send((g, round % (STEPS + 1)))
                .expect("the threads are there");
        }
        let mut live = ROUNDS;
        for turn in 0.. {
            match returned.recv().expect("each ends") {
                Some(g) => inlets[turn % 3].send(g).expect("the threads are there"),
                None => live -= 1,
            }
            if live == 0 {
                break;
            }
        }
        drop(inlets);
    });
    census.assert_empty();
}

#[test]
fn a_yield_dropped_unanswered_loses_nothing() {
    use std::future::poll_fn;
    use std::task::Poll;

    let census = Arc::<Census>::default();
    let mut g = coroutine(async |mut co: Co<'_, Token, Token>, _first| {
        for _ in 0..3 {
            let mut polled = false;
            let mut pending = Some(co.yield_(census.token()));
            poll_fn(|cx| {
                if polled {
                    // The answer is there, and nobody takes it.
                    pending = None;
                    return Poll::Ready(());
                }
                polled = true;
                std::pin::Pin::new(pending.as_mut().expect("not dropped yet"))
                    .poll(cx)
                    .map(drop)
            })
            .await;
        }
    })
    .boxed();
    for _ in 0..3 {
        assert!(matches!(g.send(census.token()), Yielded(_)));
    }
    assert!(matches!(g.send(census.token()), Complete(())));
    census.assert_empty();
}

#[test]
fn two_yields_polled_in_one_resume_go_out_one_after_the_other() {
    use std::future::poll_fn;
    use std::pin::Pin;
    use std::task::Poll;

    let mut g = generator(async |mut co: Co<'_, u8>| {
        poll_fn(|cx| {
            assert!(Pin::new(&mut co.yield_(1)).poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        co.yield_(2).await;
    })
    .boxed();
    assert_eq!((g.next(), g.next(), g.next()), (Some(1), Some(2), None));
}

#[test]
fn a_batch_keeps_what_was_yielded_before_a_panic() {
    let census = Arc::new(Census::default());
    // Around where the vector grows, too.
    for bomb in [0, 1, 255, 256, 257, 600] {
        let mut g = generator(async |mut co: Co<'_, Token>| {
            for _ in 0..bomb {
                co.yield_(census.token()).await;
            }
            panic!("boom")
        })
        .boxed();
        let mut out = vec![census.token()];
        assert_eq!(g.fill(&mut out, bomb / 2), bomb / 2);
        let rest = catch_unwind(AssertUnwindSafe(|| g.fill(&mut out, usize::MAX)));
        assert!(rest.is_err());
        assert_eq!(out.len(), 1 + bomb);
        assert_eq!(census.alive.load(Relaxed), 1 + bomb as i64);
        assert_eq!((g.fill(&mut out, 1), g.is_finished()), (0, true));
        drop(out);
        census.assert_empty();
    }
}

#[test]
fn a_batch_of_values_without_size_counts_them() {
    let mut g = generator(async |mut co: Co<'_, ()>| co.yield_all([(); 1000]).await).boxed();
    let mut out = Vec::new();
    assert_eq!(
        (g.fill(&mut out, 300), g.fill(&mut out, usize::MAX)),
        (300, 700)
    );
    assert_eq!((out.len(), g.take_return()), (1000, Some(())));
}
