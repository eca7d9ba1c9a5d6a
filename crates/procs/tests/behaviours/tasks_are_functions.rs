//! A task with a named value is a plain function beside it; one without is called and passed on through its value.

#[procs::task(value = Square)]
fn square(n: u64) -> u64 {
    n * n
}

#[procs::task]
fn double(n: u64) -> u64 {
    2 * n
}

/// `Self` inside an item of the body is that item's.
#[procs::task]
fn with_items(n: u64) -> u64 {
    struct Counter(u64);
    impl Counter {
        fn new(n: u64) -> Self {
            Self(n)
        }
    }
    Counter::new(n).0
}

#[test]
fn a_task_with_a_named_value_is_a_plain_function() {
    let squares: Vec<_> = (1..4).map(square).collect();
    assert_eq!(squares, [1, 4, 9]);
    let square = procs::spawn(Square, 7).unwrap().join().unwrap();
    assert_eq!(square, 49);
    assert!(<Square as procs::Task>::NAME.ends_with("tasks_are_functions::square"));
}

#[test]
fn a_task_without_is_passed_on_by_dereference() {
    let doubles: Vec<_> = (1..4).map(*double).collect();
    assert_eq!(doubles, [2, 4, 6]);
    assert_eq!(procs::spawn(double, double(2)).unwrap().join().unwrap(), 8);
}

#[test]
fn a_task_may_have_items_inside() {
    assert_eq!(procs::spawn(with_items, 3).unwrap().join().unwrap(), 3);
}
