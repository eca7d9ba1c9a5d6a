//! Recursive generators: any depth, one poll a value, results, early ends.

use coroutines::{Coroutine, Rec, ResumeError, recursive};
use std::cell::{Cell, RefCell};
use std::pin::Pin;

async fn countdown(mut co: Rec<'_, u32>, n: u32) {
    if n > 0 {
        co.yield_(n).await;
        co.call(|co| countdown(co, n - 1)).await;
    }
}

#[test]
fn a_hundred_thousand_levels_fit_on_a_default_stack() {
    let deep = std::thread::spawn(|| {
        let mut g = recursive(|co| countdown(co, 100_000));
        assert_eq!(g.next(), Some(100_000));
        g.count()
    });
    assert_eq!(deep.join().ok(), Some(99_999));
}

#[test]
fn a_deep_one_can_be_dropped_in_the_middle() {
    let mut g = recursive(|co| countdown(co, 100_000));
    assert_eq!(g.by_ref().take(90_000).last(), Some(10_001));
    drop(g);
}

#[test]
fn levels_are_dropped_from_the_top_down() {
    struct Note<'n>(&'n RefCell<Vec<u32>>, u32);
    impl Drop for Note<'_> {
        fn drop(&mut self) {
            self.0.borrow_mut().push(self.1);
        }
    }
    async fn down<'n>(mut co: Rec<'n, ()>, dropped: &'n RefCell<Vec<u32>>, n: u32) {
        let _note = Note(dropped, n);
        if n == 0 {
            co.yield_(()).await;
        } else {
            co.call(|co| down(co, dropped, n - 1)).await;
        }
    }
    let dropped = RefCell::new(Vec::new());
    let mut g = recursive(|co| down(co, &dropped, 3));
    assert_eq!(g.next(), Some(()));
    Pin::new(&mut g).close();
    assert_eq!(*dropped.borrow(), [0, 1, 2, 3]);
    assert!(g.is_finished());
    assert_eq!(g.next(), None);
}

#[test]
fn results_come_back_level_by_level() {
    async fn factorial(mut co: Rec<'_, u64>, n: u64) -> u64 {
        let below = if n < 2 {
            1
        } else {
            co.call_value(|co| factorial(co, n - 1)).await
        };
        co.yield_(n * below).await;
        n * below
    }
    let mut g = recursive(|co| factorial(co, 6));
    assert_eq!(g.by_ref().collect::<Vec<_>>(), [1, 2, 6, 24, 120, 720]);
    assert_eq!((g.take_return(), g.take_return()), (Some(720), None));
}

#[test]
fn mutual_recursion_takes_turns() {
    async fn even(mut co: Rec<'_, &'static str>, n: u32) {
        co.yield_("even").await;
        if n > 0 {
            co.call(|co| odd(co, n - 1)).await;
        }
    }
    async fn odd(mut co: Rec<'_, &'static str>, n: u32) {
        co.yield_("odd").await;
        if n > 0 {
            co.call(|co| even(co, n - 1)).await;
        }
    }
    assert_eq!(
        recursive(|co| even(co, 2)).collect::<Vec<_>>(),
        ["even", "odd", "even"]
    );
}

#[test]
fn a_panic_deep_down_drops_every_level_once() {
    struct Bell<'c>(&'c Cell<u32>);
    impl Drop for Bell<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    async fn down<'c>(mut co: Rec<'c, u32>, drops: &'c Cell<u32>, n: u32) {
        let _bell = Bell(drops);
        co.yield_(n).await;
        assert!(n > 0, "the bottom");
        co.call(|co| down(co, drops, n - 1)).await;
    }
    let drops = Cell::new(0);
    let mut g = recursive(|co| down(co, &drops, 4));
    let end = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| g.by_ref().count()));
    assert!(end.is_err());
    assert_eq!(drops.get(), 5);
    assert_eq!(g.next(), None);
}

#[test]
fn a_foreign_await_at_any_level_finishes_all() {
    async fn down(mut co: Rec<'_, u32>, n: u32) {
        if n == 0 {
            std::future::pending::<()>().await;
        }
        co.call(|co| down(co, n - 1)).await;
    }
    let mut g = recursive(|co| down(co, 3));
    assert_eq!(
        Pin::new(&mut g).try_resume(()),
        Err(ResumeError::ForeignAwait)
    );
    assert_eq!(
        Pin::new(&mut g).try_resume(()),
        Err(ResumeError::Finished(()))
    );
}

#[test]
fn a_handle_that_got_out_is_refused_elsewhere() {
    let leaked = Cell::new(None);
    let mut first = recursive(async |co: Rec<'_, u32>| leaked.set(Some(co)));
    assert_eq!(first.next(), None);
    drop(first);
    let mut second = recursive(async |_: Rec<'_, String>| {
        leaked.take().expect("stored above").yield_(1).await;
    });
    let end = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| second.next()));
    assert!(end.is_err());
    assert!(second.is_finished());
}
