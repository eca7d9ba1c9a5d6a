//! Threads that hand items on by queues: spread, gathered, in a chain, in a circle, in a sieve.

use crate::common::{LONG, within_limit};
use std::collections::HashSet;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::yield_now;
use threads::{Queue, Shutdown, scope};

/// Every item until the queue is shut down and empty.
fn items<T>(queue: &Queue<T>) -> impl Iterator<Item = T> + '_ {
    std::iter::from_fn(|| queue.get().ok())
}

fn one_each<T, const N: usize>() -> [Queue<T>; N] {
    std::array::from_fn(|_| Queue::bounded(1))
}

#[test]
fn what_is_spread_over_several_queues_comes_together_once() {
    within_limit(|| {
        const ITEMS: usize = 10_000;
        let (spread, together) = (one_each::<usize, 4>(), Queue::bounded(1));
        let seen: Vec<_> = scope(|s| {
            s.spawn(|| {
                let mut next = 0;
                for queue in spread.iter().cycle() {
                    next += usize::from(queue.try_put(next).is_ok());
                    if next == ITEMS {
                        break;
                    }
                }
                spread
                    .iter()
                    .for_each(|q| drop(q.shutdown(Shutdown::Drain)));
            })
            .unwrap();
            s.spawn(|| {
                scope(|forwarding| {
                    for queue in &spread {
                        let forward = || items(queue).for_each(|n| together.put(n).unwrap());
                        forwarding.spawn(forward).unwrap();
                    }
                });
                together.shutdown(Shutdown::Drain);
            })
            .unwrap();
            items(&together).collect()
        });
        let distinct: HashSet<_> = seen.iter().collect();
        assert_eq!((seen.len(), distinct.len()), (ITEMS, ITEMS));
    });
}

#[test]
fn many_workers_share_one_queue_and_answer_into_another() {
    within_limit(|| {
        const WORKERS: u64 = 23;
        const ITEMS: u64 = 20_000;
        let (orders, answers) = (Queue::bounded(69), Queue::bounded(69));
        let (count, sum) = scope(|s| {
            s.spawn(|| {
                scope(|workers| {
                    for id in 0..WORKERS {
                        let (orders, answers) = (&orders, &answers);
                        let work = move || {
                            for n in items(orders) {
                                if n % WORKERS == id {
                                    yield_now();
                                }
                                answers.put(n).unwrap();
                            }
                        };
                        workers.spawn(work).unwrap();
                    }
                    (0..ITEMS).for_each(|n| orders.put(n).unwrap());
                    orders.shutdown(Shutdown::Drain);
                });
                answers.shutdown(Shutdown::Drain);
            })
            .unwrap();
            items(&answers).fold((0, 0), |(count, sum), n| (count + 1, sum + n))
        });
        assert_eq!((count, sum), (ITEMS, ITEMS * (ITEMS - 1) / 2));
    });
}

#[test]
fn a_chain_of_threads_hands_an_item_through() {
    within_limit(|| {
        let links = one_each::<u32, 101>();
        scope(|s| {
            for pair in links.windows(2) {
                let pass = || pair[1].put(pair[0].get().unwrap() + 1).unwrap();
                s.spawn(pass).unwrap();
            }
            links[0].put(0).unwrap();
            assert_eq!(links[100].get_for(LONG), Ok(100));
        });
    });
}

#[test]
fn getters_that_take_turns_get_the_items_in_order() {
    within_limit(|| {
        let (numbers, turns) = (Queue::bounded(1), one_each::<(), 11>());
        scope(|s| {
            for (n, turn) in turns.windows(2).enumerate() {
                let numbers = &numbers;
                s.spawn(move || {
                    turn[0].get().unwrap();
                    assert_eq!(numbers.get(), Ok(n));
                    turn[1].put(()).unwrap();
                })
                .unwrap();
            }
            turns[0].put(()).unwrap();
            (0..10).for_each(|n| numbers.put(n).unwrap());
            turns[10].get().unwrap();
        });
    });
}

#[test]
fn two_threads_play_ping_pong() {
    within_limit(|| {
        let [ping, pong] = one_each();
        scope(|s| {
            s.spawn(|| items(&ping).for_each(|n: u32| pong.put(n + 1).unwrap()))
                .unwrap();
            let last = (0..5_000).fold(0, |n, _| {
                ping.put(n).unwrap();
                pong.get().unwrap()
            });
            ping.shutdown(Shutdown::Drain);
            assert_eq!(last, 5_000);
        });
    });
}

#[test]
fn a_sieve_of_threads_finds_the_primes_and_ends() {
    /// Passes on what no former prime divides, through a further sieve for each prime.
    fn sieve(numbers: Queue<u32>, primes: &Queue<u32>) {
        let Ok(prime) = numbers.get() else {
            primes.shutdown(Shutdown::Drain);
            return;
        };
        primes.put(prime).unwrap();
        let rest = Queue::bounded(1);
        scope(|s| {
            s.spawn(|| sieve(rest.clone(), primes)).unwrap();
            items(&numbers)
                .filter(|n| n % prime != 0)
                .for_each(|n| rest.put(n).unwrap());
            rest.shutdown(Shutdown::Drain);
        });
    }
    within_limit(|| {
        let (numbers, primes) = (Queue::bounded(1), Queue::bounded(1));
        let found: Vec<_> = scope(|s| {
            s.spawn(|| sieve(numbers.clone(), &primes)).unwrap();
            s.spawn(|| {
                (2..100).for_each(|n| numbers.put(n).unwrap());
                numbers.shutdown(Shutdown::Drain);
            })
            .unwrap();
            items(&primes).collect()
        });
        assert_eq!((found.len(), found[0], found[24]), (25, 2, 97));
    });
}

#[test]
fn what_was_written_before_the_put_is_seen_after_the_get() {
    within_limit(|| {
        let (queue, states) = (Queue::bounded(2), [const { AtomicU8::new(0) }; 1000]);
        scope(|s| {
            for _ in 0..10 {
                let step = |n: usize| assert_eq!(states[n].swap(2, Ordering::Relaxed), 1);
                let queue = &queue;
                s.spawn(move || items(queue).for_each(step)).unwrap();
            }
            for (n, state) in states.iter().enumerate() {
                assert_eq!(state.swap(1, Ordering::Relaxed), 0);
                queue.put(n).unwrap();
            }
            queue.shutdown(Shutdown::Drain);
        });
        assert!(states.iter().all(|s| s.load(Ordering::Relaxed) == 2));
    });
}
