//! `state` tells created, suspended, running and finished coroutines apart, as `inspect.getgeneratorstate` does.

use coroutines::{
    Boxed, BoxedAs, Co, Coroutine, CoroutineState, ExecutionState::*, Rec, ResumeError, Shared,
    coroutine, generator, recursive,
};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::mpsc::channel;

async fn one(mut co: Co<'_, u8>) {
    co.yield_(1).await;
}

#[test]
fn a_generator_goes_through_its_states() {
    let mut pinned = pin!(generator(one));
    let mut boxed = generator(one).boxed();
    let mut deep = recursive(async |mut co: Rec<'_, u8>| co.yield_(1).await);
    let states = |pinned: &Pin<&mut _>,
                  boxed: &Boxed<'_, u8>,
                  deep: &dyn Coroutine<Yield = u8, Return = ()>| {
        [Coroutine::state(pinned), boxed.state(), deep.state()]
    };
    assert_eq!(states(&pinned, &boxed, &deep), [Created; 3]);
    assert_eq!([pinned.next(), boxed.next(), deep.next()], [Some(1); 3]);
    assert_eq!(states(&pinned, &boxed, &deep), [Suspended; 3]);
    assert_eq!([pinned.next(), boxed.next(), deep.next()], [None; 3]);
    assert_eq!(states(&pinned, &boxed, &deep), [Finished; 3]);
}

#[test]
fn a_coroutine_that_waits_for_its_first_argument_is_created() {
    let mut echo = pin!(coroutine(async |mut co: Co<'_, u8, u8>, first| {
        co.yield_(first).await
    }));
    assert_eq!(echo.state(), Created);
    assert_eq!(echo.as_mut().resume(1), CoroutineState::Yielded(1));
    assert_eq!(echo.state(), Suspended);
    assert_eq!(echo.as_mut().resume(2), CoroutineState::Complete(2));
    assert_eq!(echo.state(), Finished);
}

#[test]
fn close_panic_and_a_foreign_await_finish() {
    let mut closed = generator(one).boxed();
    closed.close();
    assert_eq!(closed.state(), Finished);

    let mut panics = generator(async |_: Co<'_, u8>| panic!("the body's own")).boxed();
    let _ = catch_unwind(AssertUnwindSafe(|| panics.next()));
    assert_eq!(panics.state(), Finished);

    let mut waits = generator(async |_: Co<'_, u8>| std::future::pending::<()>().await).boxed();
    assert_eq!(waits.try_resume(()), Err(ResumeError::ForeignAwait));
    assert_eq!(waits.state(), Finished);
}

#[test]
fn a_value_that_was_not_taken_leaves_it_finished() {
    let mut ends = pin!(generator(async |_: Co<'_, u8>| "end"));
    assert_eq!(ends.next(), None);
    assert_eq!(ends.state(), Finished);
    assert_eq!(ends.as_mut().take_return(), Some("end"));
    assert_eq!(ends.state(), Finished);
}

// test_inspect: test_running
#[test]
fn a_body_sees_itself_running_through_a_shared_handle() {
    type Own = Rc<RefCell<Option<Shared<Boxed<'static, bool>>>>>;
    let own = Own::default();
    let inside = own.clone();
    let shared = Shared::new(
        generator(async move |mut co: Co<'_, bool>| {
            let state = || inside.borrow().as_ref().map(Shared::state);
            co.yield_(state() == Some(Running)).await;
            co.yield_(state() == Some(Running)).await;
        })
        .boxed(),
    );
    *own.borrow_mut() = Some(shared.clone());
    assert_eq!(shared.state(), Created);
    assert_eq!(shared.resume(()).yielded(), Some(true));
    assert_eq!(shared.state(), Suspended);
    assert_eq!(shared.resume(()).yielded(), Some(true));
    assert_eq!(shared.resume(()).complete(), Some(()));
    assert_eq!(shared.state(), Finished);
    own.take();
}

#[test]
fn another_thread_sees_it_running_and_disturbs_nothing() {
    let (inside, entered) = channel();
    let (leave, left) = channel();
    let shared = Shared::new(
        generator(async move |mut co: Co<'_, u8>| {
            inside.send(()).ok();
            left.recv().ok();
            co.yield_(1).await;
        })
        .boxed_send(),
    );
    let theirs = shared.clone();
    let thread = std::thread::spawn(move || theirs.resume(()));
    entered.recv().expect("the body has begun");
    assert_eq!(shared.state(), Running);
    assert!(format!("{shared:?}").contains("Running"));
    leave.send(()).expect("the body waits");
    assert_eq!(thread.join().ok(), Some(CoroutineState::Yielded(1)));
    assert_eq!(shared.state(), Suspended);
}

#[test]
fn a_panic_finishes_a_shared_one() {
    let shared = Shared::new(generator(async |_: Co<'_, u8>| panic!("the body's own")).boxed());
    let _ = catch_unwind(AssertUnwindSafe(|| shared.resume(())));
    assert_eq!(shared.state(), Finished);
}

#[test]
fn sharing_keeps_the_state() {
    let mut begun = generator(one).boxed();
    assert_eq!(begun.next(), Some(1));
    assert_eq!(Shared::new(begun).state(), Suspended);
    assert_eq!(Shared::new(generator(one).boxed()).state(), Created);
}

#[test]
fn one_written_by_hand_is_suspended_until_it_has_finished() {
    struct Once(Cell<bool>);
    impl Coroutine for Once {
        type Yield = u8;
        type Return = ();
        fn try_resume(self: Pin<&mut Self>, (): ()) -> Result<CoroutineState<u8, ()>, ResumeError> {
            if self.0.replace(true) {
                return Err(ResumeError::Finished(()));
            }
            Ok(CoroutineState::Complete(()))
        }
        fn is_finished(&self) -> bool {
            self.0.get()
        }
        fn close(self: Pin<&mut Self>) {
            self.0.set(true);
        }
    }
    let mut once = BoxedAs::from_box(Box::pin(Once(Cell::new(false))));
    assert_eq!(once.state(), Suspended);
    let _ = once.resume(());
    assert_eq!(once.state(), Finished);
}
