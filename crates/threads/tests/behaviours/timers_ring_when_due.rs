//! Timers: never early, in order, again and again, and never after a cancellation.

use crate::common::{LONG, SHORT, within_limit};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use threads::{Event, GetError, Lock, Queue, Timer};

#[test]
fn timers_ring_in_the_order_of_their_times_and_not_early() {
    within_limit(|| {
        let rung = Queue::unbounded();
        // Between which moments each is due: setting a timer takes a while on a busy machine.
        let mut due = Vec::new();
        for (index, millis) in [30, 10, 20].into_iter().enumerate() {
            let (sink, delay) = (rung.clone(), Duration::from_millis(millis));
            let earliest = Instant::now() + delay;
            let ring = move || sink.put((index, Instant::now())).unwrap();
            Timer::after(delay, ring).unwrap();
            due.push((earliest, Instant::now() + delay));
        }
        let mut former: Option<usize> = None;
        for _ in 0..due.len() {
            let (index, at) = rung.get_for(LONG).unwrap();
            let (earliest, latest) = due[index];
            assert!(at >= earliest);
            assert!(former.is_none_or(|former| due[former].0 <= latest));
            former = Some(index);
        }
    });
}

#[test]
fn a_cancelled_timer_never_rings_and_drops_its_function() {
    within_limit(|| {
        let captured = Arc::new(());
        let held = captured.clone();
        let timer = Timer::after(Duration::MAX, move || drop(held)).unwrap();
        assert!(timer.is_pending());
        assert!(timer.cancel());
        assert_eq!(Arc::strong_count(&captured), 1);
        assert!(!timer.cancel() && !timer.is_pending());

        // Cancelled when due, while the timer thread is kept busy.
        let (busy, gate) = (Queue::bounded(1), Queue::bounded(1));
        let (started, opened) = (busy.clone(), gate.clone());
        let hold_up = move || _ = started.put(()).is_ok() && opened.get().is_ok();
        let _hold_up = Timer::after(Duration::ZERO, hold_up).unwrap();
        busy.get().unwrap();
        let rung = Queue::unbounded();
        let (first, second) = (rung.clone(), rung.clone());
        let cancelled = Timer::after(Duration::ZERO, move || first.put("cancelled").unwrap());
        let _after = Timer::after(Duration::ZERO, move || second.put("after").unwrap()).unwrap();
        assert!(cancelled.unwrap().cancel());
        gate.put(()).unwrap();
        assert_eq!(rung.get_for(LONG), Ok("after"));
        assert_eq!(rung.try_get(), Err(GetError::Empty));
    });
}

#[test]
fn a_periodic_timer_goes_on_until_it_is_cancelled_even_after_a_panic() {
    within_limit(|| {
        let rung = Queue::unbounded();
        let (sink, mut count) = (rung.clone(), 0);
        let timer = Timer::every(Duration::ZERO, move || {
            count += 1;
            sink.put(count).unwrap();
            assert_ne!(count, 2, "the second time");
        })
        .unwrap();
        for expected in 1..=5 {
            assert_eq!(rung.get_for(LONG), Ok(expected));
        }
        assert!(timer.cancel() && !timer.is_pending());
    });
}

#[test]
fn a_timer_may_cancel_itself_and_start_another() {
    within_limit(|| {
        let own = Arc::new(Lock::new(None::<Timer>));
        let (me, runs) = (own.clone(), Arc::new(AtomicUsize::new(0)));
        let (counter, done) = (runs.clone(), Arc::new(Event::new()));
        let ended = done.clone();
        let mut held = own.lock();
        let timer = Timer::every(Duration::from_millis(1), move || {
            counter.fetch_add(1, Ordering::SeqCst);
            assert!(me.lock().take().is_some_and(|timer| timer.cancel()));
            let ended = ended.clone();
            Timer::after(SHORT, move || ended.set()).unwrap();
        });
        *held = Some(timer.unwrap());
        drop(held);
        assert!(done.wait_for(LONG).is_ok());
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    });
}
