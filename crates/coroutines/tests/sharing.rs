//! Shared handles: one resume at a time, and whoever comes meanwhile is told so.

use coroutines::{
    Boxed, Co, Coroutine, CoroutineState::*, ResumeError, Shared, coroutine, generator,
};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};

#[test]
fn a_body_cannot_resume_itself() {
    type Slot = Rc<RefCell<Option<Shared<Boxed<'static, bool>>>>>;
    let slot = Slot::default();
    let own = slot.clone();
    let shared = Shared::new(
        generator(async move |mut co: Co<'_, bool>| {
            let me = own.borrow().clone().expect("set below");
            let refused = me.try_resume(()) == Err(ResumeError::AlreadyExecuting(()));
            let unclosed = me.close() == Err(ResumeError::AlreadyExecuting(()));
            co.yield_(refused && unclosed && !me.is_finished()).await;
        })
        .boxed(),
    );
    *slot.borrow_mut() = Some(shared.clone());
    assert_eq!(shared.try_resume(()), Ok(Yielded(true)));
    // A body that holds a handle to itself keeps itself alive until it is closed.
    *slot.borrow_mut() = None;
    assert_eq!(shared.close(), Ok(()));
    assert!(shared.is_finished());
}

#[test]
fn another_thread_is_refused_while_one_executes_and_served_afterwards() {
    let (inside, checked) = (Barrier::new(2), Barrier::new(2));
    let shared = Shared::new(
        coroutine(async |mut co: Co<'_, u32, u32>, first: u32| {
            inside.wait();
            checked.wait();
            let second = co.yield_(first).await;
            co.yield_(second).await;
        })
        .boxed_send(),
    );
    std::thread::scope(|scope| {
        let theirs = shared.clone();
        let first = scope.spawn(move || theirs.try_resume(1));
        inside.wait();
        assert_eq!(shared.try_resume(7), Err(ResumeError::AlreadyExecuting(7)));
        checked.wait();
        assert_eq!(first.join().ok(), Some(Ok(Yielded(1))));
    });
    assert_eq!(shared.resume(2), Yielded(2));
}

#[test]
fn a_panic_inside_finishes_it_for_all() {
    let shared = Shared::new(generator(async |_: Co<'_, ()>| panic!("the body's own")).boxed());
    let other = shared.clone();
    let end = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| shared.resume(())));
    assert!(end.is_err());
    assert!(other.is_finished());
    assert_eq!(other.try_resume(()), Err(ResumeError::Finished(())));
}

#[test]
fn it_is_a_coroutine_and_can_be_delegated_to() {
    let shared =
        Shared::new(generator(async |mut co: Co<'_, u8>| co.yield_all(0..4).await).boxed());
    let mine = shared.clone();
    assert_eq!(shared.resume(()), Yielded(0));
    let outer = generator(async move |mut co: Co<'_, u8>| co.yield_from(mine, ()).await).boxed();
    assert_eq!(outer.collect::<Vec<_>>(), [1, 2, 3]);
    assert!(Coroutine::<()>::is_finished(&shared));
}

#[test]
fn looking_at_a_shared_one_does_not_refuse_a_resume() {
    let begun = Barrier::new(2);
    let shared = Shared::new(
        generator(async |mut co: Co<'_, u32>| {
            for n in 0.. {
                co.yield_(n).await;
            }
        })
        .boxed_send(),
    );
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let looks = shared.clone();
        scope.spawn(|| {
            let looks = looks;
            begun.wait();
            while !over.load(Ordering::Relaxed) {
                assert!(!looks.is_finished());
                assert!(format!("{looks:?}").contains("Shared"));
            }
        });
        begun.wait();
        let refused = (0..50_000).filter(|_| shared.try_resume(()).is_err());
        let refused = refused.count();
        over.store(true, Ordering::Relaxed);
        assert_eq!(refused, 0, "nothing else resumes it");
    });
}

/// Runs `drop_outer` with a generator that delegates to a shared one, while another thread executes the shared one.
fn with_a_delegate_that_runs_elsewhere(drop_outer: impl FnOnce(Boxed<'static, u32>)) {
    let (inside, dropped) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let (inside_body, dropped_body) = (inside.clone(), dropped.clone());
    let shared = Shared::new(
        generator(async move |mut co: Co<'_, u32>| {
            co.yield_(1).await;
            inside_body.wait();
            dropped_body.wait();
            co.yield_(2).await;
        })
        .boxed_send(),
    );
    let delegate = shared.clone();
    let mut outer =
        generator(async move |mut co: Co<'_, u32>| co.yield_from(delegate, ()).await).boxed();
    assert_eq!(outer.next(), Some(1));
    let other = shared.clone();
    let executing = std::thread::spawn(move || other.try_resume(()));
    inside.wait();
    drop_outer(outer);
    dropped.wait();
    assert_eq!(executing.join().ok(), Some(Ok(Yielded(2))));
    assert_eq!(shared.try_resume(()), Ok(Complete(())));
}

#[test]
fn an_outer_one_is_dropped_while_its_delegate_runs_elsewhere() {
    with_a_delegate_that_runs_elsewhere(drop);
}

#[test]
fn an_outer_one_is_closed_while_its_delegate_runs_elsewhere() {
    with_a_delegate_that_runs_elsewhere(|mut outer| {
        outer.close();
        assert!(outer.is_finished());
    });
}

#[test]
fn a_panic_unwinds_past_a_delegate_that_runs_elsewhere() {
    with_a_delegate_that_runs_elsewhere(|outer| {
        let end = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _outer = outer;
            panic!("the caller's own");
        }));
        assert!(end.is_err());
    });
}
