//! Tasks: how they begin, end, are cancelled, named and reported.

use std::{
    cell::{Cell, RefCell},
    future::pending,
    rc::Rc,
    time::Duration,
};

use aio::{TaskError, create_task};

struct Flag(Rc<Cell<bool>>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

#[test]
fn a_task_never_begins_within_create_task() -> Result<(), aio::RunError> {
    aio::run(async {
        let begun = Rc::new(Cell::new(false));
        let seen = begun.clone();
        let task = create_task(async move { seen.set(true) });
        assert!(!begun.get() && !task.is_done());
        task.await.unwrap();
        assert!(begun.get());
    })
}

#[test]
fn a_task_made_outside_a_loop_is_finished_and_says_what_to_do() -> Result<(), aio::RunError> {
    let dropped = Rc::new(Cell::new(false));
    let guard = Flag(dropped.clone());
    let task = create_task(async move {
        let _guard = guard;
    });
    assert!(task.is_done() && dropped.get());
    let error = aio::run(task)?.unwrap_err();
    assert_eq!(error, TaskError::NoRunningLoop);
    assert!(error.to_string().contains("call aio::run"), "{error}");
    Ok(())
}

#[test]
fn a_task_cancelled_before_its_first_step_never_begins() -> Result<(), aio::RunError> {
    aio::run(async {
        let begun = Rc::new(Cell::new(false));
        let seen = begun.clone();
        let task = create_task(async move { seen.set(true) });
        assert!(task.cancel());
        assert!(matches!(task.await, Err(TaskError::Cancelled(_))));
        assert!(!begun.get());
    })
}

#[test]
fn cancelling_drops_the_body_where_it_stands_and_keeps_the_message() -> Result<(), aio::RunError> {
    aio::run(async {
        let dropped = Rc::new(Cell::new(false));
        let guard = Flag(dropped.clone());
        let mut task = create_task(async move {
            let _guard = guard;
            pending::<()>().await;
        });
        aio::yield_now().await;
        assert!(task.cancel_with("enough"));
        assert!(
            !dropped.get(),
            "not within cancel, but at the task's next step"
        );
        match (&mut task).await {
            Err(TaskError::Cancelled(cancelled)) => assert_eq!(cancelled.message(), Some("enough")),
            other => panic!("{other:?}"),
        }
        assert!(dropped.get());
        assert!(!task.cancel(), "it is done");
    })
}

#[test]
fn a_task_may_cancel_itself() -> Result<(), aio::RunError> {
    aio::run(async {
        let task = create_task(async {
            assert!(aio::current_task().unwrap().cancel());
            aio::yield_now().await;
            unreachable!("it was cancelled");
        });
        let ended: Result<(), _> = task.await;
        assert!(matches!(ended, Err(TaskError::Cancelled(_))));
    })
}

#[test]
fn the_last_step_counts_even_if_it_was_cancelled_meanwhile() -> Result<(), aio::RunError> {
    aio::run(async {
        let task = create_task(async {
            aio::current_task().unwrap().cancel();
            3
        });
        assert_eq!(task.await, Ok(3), "nothing was left to cancel");
    })
}

#[test]
fn a_panic_is_the_awaiters_error_and_nobody_elses() -> Result<(), aio::RunError> {
    let reports = Rc::new(RefCell::new(Vec::new()));
    let seen = reports.clone();
    aio::run(async move {
        let event_loop = aio::get_running_loop().unwrap();
        event_loop
            .set_exception_handler(move |context| seen.borrow_mut().push(context.to_string()));
        let task = create_task(async { panic!("out of {}", "cheese") });
        let ended: Result<(), _> = task.await;
        match ended {
            Err(TaskError::Panicked(panicked)) => assert_eq!(panicked.message(), "out of cheese"),
            other => panic!("{other:?}"),
        }
    })?;
    assert!(reports.borrow().is_empty());
    Ok(())
}

#[test]
fn a_panic_that_nobody_awaits_is_reported_with_the_tasks_name() -> Result<(), aio::RunError> {
    let reports = Rc::new(RefCell::new(Vec::new()));
    let seen = reports.clone();
    aio::run(async move {
        let event_loop = aio::get_running_loop().unwrap();
        event_loop
            .set_exception_handler(move |context| seen.borrow_mut().push(context.to_string()));
        let early = create_task(async { panic!("detached before") });
        early.set_name("early");
        early.detach();
        let late = create_task(async { panic!("dropped after") });
        late.set_name("late");
        aio::yield_now().await;
        aio::yield_now().await;
        drop::<aio::Task<()>>(late);
    })?;
    let reports = reports.borrow();
    assert_eq!(reports.len(), 2);
    assert!(
        reports[0].contains("early") && reports[0].contains("detached before"),
        "{reports:?}"
    );
    assert!(
        reports[1].contains("late") && reports[1].contains("dropped after"),
        "{reports:?}"
    );
    Ok(())
}

#[test]
fn dropping_an_unawaited_handle_detaches_and_an_awaited_one_cancels() -> Result<(), aio::RunError> {
    aio::run(async {
        let finished = Rc::new(Cell::new(0));
        let make = || {
            let finished = finished.clone();
            create_task(async move {
                aio::sleep(Duration::from_millis(5)).await;
                finished.set(finished.get() + 1);
            })
        };
        drop(make());
        let awaited = make();
        assert!(
            aio::wait_for(awaited, Duration::from_millis(1))
                .await
                .is_err()
        );
        let mut detached = make();
        assert!(
            aio::wait_for(&mut detached, Duration::from_millis(1))
                .await
                .is_err()
        );
        detached.detach();
        aio::sleep(Duration::from_millis(15)).await;
        assert_eq!(finished.get(), 2);
    })
}

#[test]
fn awaiting_oneself_and_awaiting_twice_are_errors() -> Result<(), aio::RunError> {
    aio::run(async {
        let slot = Rc::new(RefCell::new(None::<aio::Task<Result<(), TaskError>>>));
        let own = slot.clone();
        let task = create_task(async move {
            let own = own.borrow_mut().take().unwrap();
            own.await.map(|_| ())
        });
        *slot.borrow_mut() = Some(task);
        aio::yield_now().await;
        aio::yield_now().await;
        assert!(slot.borrow().is_none());

        let mut task = create_task(async { 1 });
        assert_eq!((&mut task).await, Ok(1));
        assert_eq!((&mut task).await, Err(TaskError::Taken));
    })
}

#[test]
fn names_are_unique_and_the_list_holds_those_alive() -> Result<(), aio::RunError> {
    aio::run(async {
        let event_loop = aio::get_running_loop().unwrap();
        let (a, b) = (create_task(async {}), create_task(pending::<()>()));
        assert_ne!(a.name(), b.name());
        assert!(a.name().starts_with("Task-"));
        b.set_name("patient");
        assert_eq!(event_loop.all_tasks().len(), 3, "the main one, a and b");
        let mut a = a;
        (&mut a).await.unwrap();
        let names: Vec<_> = event_loop
            .all_tasks()
            .iter()
            .map(|task| task.name())
            .collect();
        assert_eq!(names.len(), 2);
        assert_eq!(names[1], "patient");
        assert!(a.name().starts_with("Task-"));
        b.abort();
        let mut b = b;
        assert!((&mut b).await.is_err());
        assert_eq!(b.name(), "patient", "the handle keeps the name");
    })
}

#[test]
fn current_task_is_the_one_that_runs() -> Result<(), aio::RunError> {
    assert!(aio::current_task().is_none());
    aio::run(async {
        let main = aio::current_task().unwrap();
        let task = create_task(async { aio::current_task().unwrap() });
        let own = task.reference().unwrap();
        assert_eq!(task.await.unwrap(), own);
        assert_eq!(aio::current_task().unwrap(), main);
        assert!(own.is_done() && !main.is_done());
        let (send, receive) = tokio::sync::oneshot::channel();
        aio::get_running_loop()
            .unwrap()
            .call_soon(|| send.send(aio::current_task().is_none()).unwrap())
            .unwrap();
        assert!(receive.await.unwrap(), "a callback is no task");
    })
}

#[test]
fn run_cancels_what_is_left_and_main_can_be_cancelled() {
    let dropped = Rc::new(Cell::new(false));
    let guard = Flag(dropped.clone());
    aio::run(async {
        create_task(async move {
            let _guard = guard;
            pending::<()>().await;
        })
        .detach();
    })
    .unwrap();
    assert!(dropped.get());
    let ended = aio::run(async {
        aio::current_task().unwrap().cancel_with("by itself");
        pending::<()>().await;
    });
    match ended {
        Err(aio::RunError::Cancelled(cancelled)) => {
            assert_eq!(cancelled.message(), Some("by itself"))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_error_that_nobody_awaits_is_reported_with_the_tasks_name() -> Result<(), aio::RunError> {
    #[derive(Debug)]
    struct Odd;
    impl std::fmt::Display for Odd {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an odd failure")
        }
    }
    let reports = Rc::new(RefCell::new(Vec::new()));
    let seen = reports.clone();
    aio::run(async {
        aio::get_running_loop()
            .unwrap()
            .set_exception_handler(move |context| seen.borrow_mut().push(context.to_string()));
        let early = create_task(async { Err::<u32, Odd>(Odd) });
        early.set_name("detached before");
        early.detach();
        let late = create_task(async { Err::<(), &str>("as told") });
        late.set_name("detached after");
        aio::yield_now().await;
        aio::yield_now().await;
        late.detach();
        let dropped =
            create_task(async { Err::<(), _>(std::io::Error::other("of a common type")) });
        dropped.set_name("dropped");
        drop(dropped);
        create_task(async { Ok::<(), Odd>(()) }).detach();
        create_task(async { Some("value") }).detach();
        create_task(async { Err::<(), Odd>(Odd) })
            .await
            .unwrap()
            .unwrap_err();
        aio::yield_now().await;
        aio::yield_now().await;
    })?;
    let expected = [
        "a task that nobody awaits failed (detached before): an odd failure",
        "a task that nobody awaits failed (detached after): as told",
        "a task that nobody awaits failed (dropped): of a common type",
    ];
    assert_eq!(*reports.borrow(), expected);
    Ok(())
}

#[test]
fn an_eager_task_runs_up_to_its_first_wait() -> Result<(), aio::RunError> {
    aio::run(async {
        let log = Rc::new(RefCell::new(Vec::new()));
        let outer = aio::current_task().unwrap();
        let said = log.clone();
        let eager = aio::spawn_eager(async move {
            said.borrow_mut().push(aio::current_task().unwrap().name());
            aio::yield_now().await;
            said.borrow_mut().push("after its wait".to_owned());
            7
        });
        assert_eq!(*log.borrow(), [eager.name()]);
        assert_eq!(
            aio::current_task().unwrap(),
            outer,
            "the caller is itself again"
        );
        log.borrow_mut().push("the caller".to_owned());
        assert_eq!(eager.await, Ok(7));
        assert_eq!(log.borrow()[1..], ["the caller", "after its wait"]);

        let panicked = aio::spawn_eager(async { panic!("at once") });
        assert!(panicked.is_done(), "and the caller goes on");
        assert!(matches!(panicked.await, Err(TaskError::Panicked(_))));
        let cancelled = aio::spawn_eager(std::future::pending::<()>());
        assert!(cancelled.cancel());
        assert!(matches!(cancelled.await, Err(TaskError::Cancelled(_))));
        let nested = aio::spawn_eager(async { aio::spawn_eager(async { 1 }).await.unwrap() + 1 });
        assert!(nested.is_done());
        assert_eq!(nested.await, Ok(2));
    })?;
    assert!(
        aio::spawn_eager(async {}).is_done(),
        "refused where no loop runs"
    );
    Ok(())
}
