//! Clean-ups, groups, scopes, shields, movable limits, waits for some: what they run, end and leave alone.

use std::{
    cell::{Cell, RefCell},
    future::pending,
    rc::Rc,
    time::{Duration, Instant},
};

use aio::{
    GroupError, GroupFailure, TaskError, TaskGroup, TimedOut, Until, create_task, on_cancel, sleep,
    task_group,
};

const PATIENCE: Duration = Duration::from_secs(20);

fn on_loop<T>(test: impl AsyncFnOnce() -> T) -> T {
    aio::run(aio::wait_for(test(), PATIENCE)).unwrap().unwrap()
}

type Log = Rc<RefCell<Vec<&'static str>>>;

struct Says(Log, &'static str);

impl Drop for Says {
    fn drop(&mut self) {
        self.0.borrow_mut().push(self.1);
    }
}

#[test]
fn cleanups_run_after_the_body_the_latest_first_and_undisturbed() {
    let log = Log::default();
    on_loop(async || {
        let (own, first, second) = (log.clone(), log.clone(), log.clone());
        let task = create_task(async move {
            let _one = on_cancel(async move {
                aio::yield_now().await;
                first.borrow_mut().push("first registered");
            });
            let _two = on_cancel(async move {
                sleep(Duration::from_millis(2)).await;
                second.borrow_mut().push("second registered");
            });
            let _body = Says(own, "body dropped");
            pending::<()>().await;
        });
        aio::yield_now().await;
        assert!(task.cancel_with("once"));
        aio::yield_now().await;
        assert!(
            !task.is_done() && task.cancel_with("twice"),
            "still cleaning up"
        );
        match task.await {
            Err(TaskError::Cancelled(cancelled)) => assert_eq!(cancelled.message(), Some("once")),
            other => panic!("{other:?}"),
        }
    });
    assert_eq!(
        *log.borrow(),
        ["body dropped", "second registered", "first registered"]
    );
}

#[test]
fn a_cleanup_whose_scope_was_left_does_not_run_and_abort_skips_all() {
    let log = Log::default();
    on_loop(async || {
        let (left, aborted, dropped) = (log.clone(), log.clone(), log.clone());
        let task = create_task(async move {
            drop(on_cancel(
                async move { left.borrow_mut().push("must not run") },
            ));
            pending::<()>().await;
        });
        aio::yield_now().await;
        task.cancel();
        assert!(task.await.is_err());

        let task = create_task(async move {
            let guard = Says(dropped, "dropped unrun");
            let _guard = on_cancel(async move {
                let _guard = guard;
                aborted.borrow_mut().push("must not run");
            });
            pending::<()>().await;
        });
        aio::yield_now().await;
        task.abort();
        assert!(task.await.is_err());
    });
    assert_eq!(*log.borrow(), ["dropped unrun"]);
}

#[test]
fn run_waits_for_the_cleanups_of_what_it_cancels() {
    let log = Log::default();
    let seen = log.clone();
    on_loop(async || {
        create_task(async move {
            let _guard = on_cancel(async move {
                sleep(Duration::from_millis(5)).await;
                seen.borrow_mut().push("cleaned up");
            });
            pending::<()>().await;
        })
        .detach();
        aio::yield_now().await;
    });
    assert_eq!(*log.borrow(), ["cleaned up"]);
}

#[test]
fn a_cleanup_that_panics_is_how_the_task_ends() {
    on_loop(async || {
        let task = create_task(async {
            let _guard = on_cancel(async { panic!("in the clean-up") });
            pending::<()>().await;
        });
        aio::yield_now().await;
        task.cancel();
        assert!(matches!(task.await, Err(TaskError::Panicked(_))));
    });
}

#[test]
fn a_group_waits_for_all_and_its_tasks_may_create_more() {
    let log = Log::default();
    on_loop(async || {
        let log = log.clone();
        let value = task_group(async |group: &TaskGroup<TimedOut>| {
            let (inner, outer) = (group.clone(), log.clone());
            group
                .create_task(async move {
                    sleep(Duration::from_millis(2)).await;
                    let sibling = outer.clone();
                    inner
                        .create_task(async move {
                            sleep(Duration::from_millis(2)).await;
                            sibling.borrow_mut().push("sibling");
                            Ok(())
                        })
                        .detach();
                    outer.borrow_mut().push("first");
                    Ok(())
                })
                .detach();
            log.borrow_mut().push("body");
            Ok(7)
        })
        .await;
        assert_eq!(value.unwrap(), 7);
    });
    assert_eq!(*log.borrow(), ["body", "first", "sibling"]);
}

#[test]
fn the_first_failure_of_a_group_cancels_the_rest_and_all_failures_are_told() {
    let log = Log::default();
    on_loop(async || {
        let outcome = task_group(async |group: &TaskGroup<&'static str>| {
            let (sibling, body) = (log.clone(), log.clone());
            group
                .create_task(async move {
                    let _says = Says(sibling, "sibling");
                    pending::<Result<(), _>>().await
                })
                .detach();
            group.create_task(async { Err::<(), _>("one") }).detach();
            group
                .create_task(async { panic!("two") as Result<(), _> })
                .detach();
            let _says = Says(body, "body");
            pending::<Result<(), _>>().await
        })
        .await;
        match outcome {
            Err(GroupError::Failed(failures)) => {
                assert_eq!(failures[0], GroupFailure::Error("one"));
                assert!(
                    matches!(&failures[1..], [] | [GroupFailure::Panicked(_)]),
                    "{failures:?}"
                );
            }
            other => panic!("{other:?}"),
        }
    });
    let mut ended = log.borrow().clone();
    ended.sort_unstable();
    assert_eq!(ended, ["body", "sibling"]);
}

#[test]
fn a_group_that_is_over_creates_nothing() {
    on_loop(async || {
        let escaped = Rc::new(RefCell::new(None));
        let keep = escaped.clone();
        let outcome = task_group(async |group: &TaskGroup<TimedOut>| {
            keep.replace(Some(group.clone()));
            Ok(())
        });
        outcome.await.unwrap();
        let late = escaped
            .borrow()
            .as_ref()
            .unwrap()
            .create_task(async { Ok(()) });
        assert!(late.is_done() && matches!(late.await, Err(TaskError::Cancelled(_))));
    });
}

#[test]
fn a_group_can_be_cancelled_from_within_and_by_dropping_it() {
    let log = Log::default();
    on_loop(async || {
        let log = log.clone();
        let group = |cancel: bool| {
            let log = log.clone();
            task_group(async move |group: &TaskGroup<TimedOut>| {
                group
                    .create_task(async move {
                        let _says = Says(log, "child");
                        pending::<Result<(), _>>().await
                    })
                    .detach();
                aio::yield_now().await;
                if cancel {
                    group.cancel();
                }
                pending::<Result<(), _>>().await
            })
        };
        assert!(matches!(group(true).await, Err(GroupError::Cancelled)));
        assert_eq!(log.borrow().len(), 1);
        assert!(
            aio::wait_for(group(false), Duration::from_millis(2))
                .await
                .is_err()
        );
        aio::yield_now().await;
        assert_eq!(log.borrow().len(), 2);
    });
}

#[test]
fn children_of_a_scope_borrow_and_are_concurrent() {
    let (order, words) = (RefCell::new(Vec::new()), ["c", "a", "b"].map(String::from));
    let sum = on_loop(async || {
        aio::scope(async |scope| {
            let lengths = words.iter().zip([3u64, 1, 2]).map(|(word, millis)| {
                let order = &order;
                scope.spawn(async move {
                    sleep(Duration::from_millis(5 * millis)).await;
                    order.borrow_mut().push(word.as_str());
                    word.len()
                })
            });
            let lengths: Vec<_> = lengths.collect();
            let failing = scope.spawn(async { panic!("a child") });
            let ended: Result<(), _> = failing.await;
            assert!(matches!(ended, Err(TaskError::Panicked(_))));
            let mut sum = 0;
            for length in lengths {
                sum += length.await.unwrap();
            }
            sum
        })
        .await
    });
    assert_eq!((sum, order.into_inner()), (3, vec!["a", "b", "c"]));
}

#[test]
fn a_scope_waits_for_children_that_nobody_awaits_and_drops_them_with_itself() {
    let log = Log::default();
    on_loop(async || {
        aio::scope(async |scope| {
            scope.spawn(async {
                sleep(Duration::from_millis(2)).await;
                log.borrow_mut().push("waited for");
            });
        })
        .await;
        let dropped = aio::scope(async |scope| {
            scope.spawn(async {
                let _says = Says(log.clone(), "dropped");
                pending::<()>().await;
            });
        });
        assert!(
            aio::wait_for(dropped, Duration::from_millis(2))
                .await
                .is_err()
        );
    });
    assert_eq!(*log.borrow(), ["waited for", "dropped"]);
}

#[test]
fn limits_move_nest_and_can_be_taken_away() {
    on_loop(async || {
        let taken_away = aio::timeout(Some(Duration::from_millis(1)), async |deadline| {
            deadline.reschedule(None)?;
            sleep(Duration::from_millis(5)).await;
            Ok::<_, TimedOut>(())
        });
        assert_eq!(taken_away.await, Ok(Ok(())));
        let sooner = aio::timeout(None, async |deadline| {
            deadline.reschedule(Some(Instant::now())).unwrap();
            pending::<()>().await;
        });
        assert_eq!(sooner.await, Err(TimedOut));
        let inner_first = aio::timeout(Some(PATIENCE), async |_| {
            aio::timeout(Some(Duration::from_millis(1)), async |_| {
                pending::<()>().await
            })
            .await
        });
        assert_eq!(inner_first.await, Ok(Err(TimedOut)));
    });
}

#[test]
fn waiting_for_some_cancels_none() {
    on_loop(async || {
        let finished = Rc::new(Cell::new(0));
        let make = |millis: u64| {
            let finished = finished.clone();
            create_task(async move {
                sleep(Duration::from_millis(millis)).await;
                finished.set(finished.get() + 1);
                millis
            })
        };
        let (done, left) = aio::wait(vec![make(20), make(1), make(30)], Until::First, None).await;
        assert_eq!((done.len(), left.len()), (1, 2));
        for task in done {
            assert_eq!(task.await, Ok(1));
        }
        let failing = create_task(async { panic!("at once") });
        let (done, left) = aio::wait(
            left.into_iter().chain([failing]).collect(),
            Until::FirstFailure,
            None,
        )
        .await;
        assert_eq!((done.len(), left.len()), (1, 2));
        assert!(done.into_iter().next().unwrap().await.is_err());
        drop(left);
        sleep(Duration::from_millis(50)).await;
        assert_eq!(
            finished.get(),
            3,
            "waited for, then dropped, and yet they went on"
        );
    });
}

#[test]
fn as_completed_can_be_left_and_taken_up_again() {
    on_loop(async || {
        let mut coming = aio::as_completed([1u64, 40].map(async |millis| {
            sleep(Duration::from_millis(millis)).await;
            millis
        }));
        assert_eq!(coming.next().await, Some(1));
        assert!(
            aio::wait_for(coming.next(), Duration::from_millis(1))
                .await
                .is_err()
        );
        assert_eq!(coming.pending(), 1);
        assert_eq!(coming.next().await, Some(40));
        assert_eq!(coming.next().await, None);
    });
}
