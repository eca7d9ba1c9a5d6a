//! What a Python generator does, a generator here does: start, send, throw, close, the end.

use coroutines::{
    Co, Coroutine, CoroutineExt, CoroutineState::*, Ignored, ResumeError, coroutine, generator,
};
use std::cell::Cell;
use std::pin::pin;

/// Counts how often it is dropped.
struct Bell<'c>(&'c Cell<u32>);

impl Drop for Bell<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn nothing_runs_before_the_first_resume() {
    let started = Cell::new(false);
    let mut g = pin!(generator(async |mut co: Co<'_, ()>| {
        started.set(true);
        co.yield_(()).await;
    }));
    assert!(!started.get());
    assert_eq!(g.next(), Some(()));
    assert!(started.get());
}

#[test]
fn the_first_argument_is_delivered() {
    let mut echo = pin!(coroutine(async |mut co: Co<'_, u8, u8>, first| {
        let second = co.yield_(first).await;
        co.yield_(second).await
    }));
    assert_eq!(echo.send(1), Yielded(1));
    assert_eq!(echo.send(2), Yielded(2));
    assert_eq!(echo.send(3), Complete(3));
}

#[test]
fn an_exhausted_generator_stays_exhausted() {
    let mut g = pin!(generator(async |mut co: Co<'_, u8>| co.yield_(1).await));
    assert_eq!(g.size_hint(), (0, None));
    assert_eq!((g.next(), g.next(), g.next()), (Some(1), None, None));
    assert_eq!(g.size_hint(), (0, Some(0)));
    assert_eq!(g.as_mut().try_resume(()), Err(ResumeError::Finished(())));
}

#[test]
fn the_return_value_comes_back_from_resume_and_from_iteration() {
    let body = async |mut co: Co<'_, u8>| {
        co.yield_(1).await;
        String::from("end")
    };
    let mut resumed = pin!(generator(body));
    assert_eq!(resumed.as_mut().resume(()), Yielded(1));
    assert_eq!(resumed.as_mut().resume(()), Complete("end".into()));
    assert_eq!(resumed.as_mut().take_return(), None);

    let mut iterated = pin!(generator(body));
    assert_eq!(iterated.by_ref().count(), 1);
    assert_eq!(iterated.as_mut().take_return(), Some("end".into()));
    assert_eq!(iterated.as_mut().take_return(), None);
}

#[test]
fn throw_into_a_fresh_coroutine_finishes_it() {
    let mut g = pin!(coroutine(
        async |mut co: Co<'_, (), Result<(), &'static str>>, first| {
            first?;
            co.yield_(()).await
        }
    ));
    assert_eq!(g.throw("early"), Complete(Err("early")));
    assert!(g.is_finished());
}

#[test]
fn throw_into_a_finished_coroutine_gives_the_error_back() {
    let mut g = pin!(coroutine(
        async |_: Co<'_, (), Result<(), &'static str>>, first| first
    ));
    assert_eq!(g.send(()), Complete(Ok(())));
    assert_eq!(g.try_throw("late"), Err(ResumeError::Finished(Err("late"))));
}

#[test]
fn a_thrown_error_can_be_handled_at_the_yield() {
    let mut g = pin!(coroutine(
        async |mut co: Co<'_, &'static str, Result<(), u8>>, _first| {
            match co.yield_("waiting").await {
                Ok(()) => "sent",
                Err(7) => {
                    let _ = co.yield_("handled").await;
                    "went on"
                }
                Err(_) => "gave up",
            }
        }
    ));
    assert_eq!(g.send(()), Yielded("waiting"));
    assert_eq!(g.throw(7), Yielded("handled"));
    assert_eq!(g.send(()), Complete("went on"));
}

#[test]
fn close_is_idempotent_and_cleans_up_once() {
    let drops = Cell::new(0);
    let mut g = pin!(generator(async |mut co: Co<'_, ()>| {
        let _bell = Bell(&drops);
        co.yield_(()).await;
    }));
    assert_eq!(g.next(), Some(()));
    g.as_mut().close();
    assert_eq!(drops.get(), 1);
    g.as_mut().close();
    assert_eq!(drops.get(), 1);
    assert_eq!(g.next(), None);
}

#[test]
fn closing_before_the_start_runs_nothing() {
    let ran = Cell::new(false);
    let mut g = pin!(generator(async |_: Co<'_, ()>| ran.set(true)));
    g.as_mut().close();
    assert_eq!(g.next(), None);
    assert!(!ran.get());
}

#[test]
fn dropping_a_generator_cleans_up_once() {
    let drops = Cell::new(0);
    {
        let mut g = generator(async |mut co: Co<'_, ()>| {
            let _bell = Bell(&drops);
            co.yield_(()).await;
        })
        .boxed();
        assert_eq!(g.next(), Some(()));
        assert_eq!(drops.get(), 0);
    }
    assert_eq!(drops.get(), 1);
}

#[test]
fn close_with_reports_a_body_that_yields_on() {
    let drops = Cell::new(0);
    let mut g = pin!(coroutine(
        async |mut co: Co<'_, u8, Result<(), ()>>, _first| {
            let _bell = Bell(&drops);
            loop {
                let _ = co.yield_(9).await;
            }
        }
    ));
    let _ = g.send(());
    assert_eq!(g.close_with(()), Err(Ignored::<u8>(9)));
    assert_eq!(drops.get(), 1);
    assert_eq!(g.close_with(()), Ok(None::<()>));
}

#[test]
fn a_panic_of_the_body_finishes_it() {
    let drops = Cell::new(0);
    let mut g = generator(async |mut co: Co<'_, ()>| {
        let _bell = Bell(&drops);
        co.yield_(()).await;
        panic!("the body's own");
    })
    .boxed();
    assert_eq!(g.next(), Some(()));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| g.next()));
    assert!(panicked.is_err());
    assert_eq!(drops.get(), 1);
    assert!(g.is_finished());
    assert_eq!(g.next(), None);
}

#[test]
fn a_boxed_one_knows_its_end_whichever_way_it_came() {
    let body = async |mut co: Co<'_, u8>| {
        co.yield_all([1, 2]).await;
        "end"
    };
    let mut resumed = generator(body).boxed();
    assert_eq!((resumed.next(), resumed.next()), (Some(1), Some(2)));
    assert_eq!(resumed.resume(()), Complete("end"));
    assert_eq!((resumed.next(), resumed.is_finished()), (None, true));
    assert_eq!(resumed.try_resume(()), Err(ResumeError::Finished(())));

    let mut filled = generator(body).boxed();
    let mut out = Vec::new();
    assert_eq!((filled.fill(&mut out, 3), filled.fill(&mut out, 3)), (2, 0));
    assert_eq!(
        (out, filled.next(), filled.take_return()),
        (vec![1, 2], None, Some("end"))
    );

    let mut closed = generator(body).boxed();
    assert_eq!(closed.next(), Some(1));
    closed.close();
    assert_eq!((closed.next(), closed.take_return()), (None, None));

    let folded = generator(body).boxed();
    assert_eq!(folded.fold(0, |sum, x| sum * 10 + x), 12);
}
