//! Shared handles: one resume at a time, and whoever comes meanwhile is told so.

use coroutines::{
    Boxed, Co, Coroutine, CoroutineState::*, ResumeError, Shared, coroutine, generator,
};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Barrier;

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
