//! A manager frees an object when its last proxy is gone, wherever that was, and not before.

use std::thread;

use procs::manager::{Counter, Dict, List, Value};
use procs::sync::Event;
use procs::{Manager, ManagerError, Pool, Queue, channel};

use crate::common::{LIMIT, eventually};

/// The number of rounds: what is left by them would be four times as much the second time.
const ROUNDS: [i64; 2] = [25, 100];

/// A proxy that is dropped tells the manager, and does not wait for it.
fn await_count(manager: &Manager, count: usize) {
    eventually("so many objects are left", || {
        manager.object_count().unwrap() == count
    });
}

#[test]
fn with_the_last_clone() {
    let manager = Manager::start().unwrap();
    for rounds in ROUNDS {
        for n in 0..rounds {
            let counter = manager.counter(n).unwrap();
            let dict = manager.dict::<i64, i64>().unwrap();
            dict.insert(&n, &n).unwrap();
            let list = manager.list::<i64>().unwrap();
            let value = manager.value(&n).unwrap();
            assert_eq!(manager.object_count(), Ok(4));
            let clones = (counter.clone(), dict.clone(), list.clone(), value.clone());
            drop((counter, dict, list, value));
            assert_eq!((clones.0.get(), clones.3.get()), (Ok(n), Ok(n)));
            assert_eq!(clones.1.timeout(LIMIT).get(&n), Ok(Some(n)));
            drop((clones.0, clones.2, clones.3));
            await_count(&manager, 0);
        }
    }
}

#[procs::task]
fn add_one(counter: Counter) -> i64 {
    counter.add(1).unwrap()
}

#[procs::task]
fn pass_on(counter: Counter) -> Counter {
    counter
}

#[test]
fn after_the_journey_in_arguments_and_results_of_jobs() {
    let manager = Manager::start().unwrap();
    let pool = Pool::new(2).unwrap();
    for rounds in ROUNDS {
        // The sender's proxy is gone before the task has one.
        let job = |n| pool.submit(add_one, manager.counter(n).unwrap());
        let jobs: Vec<_> = (0..rounds).map(job).collect();
        for (n, job) in (1..).zip(jobs) {
            assert_eq!(job.result(), Ok(n));
        }
        let job = |n| pool.submit(pass_on, manager.counter(n).unwrap());
        let jobs: Vec<_> = (0..rounds).map(job).collect();
        for (n, job) in (0..).zip(jobs) {
            assert_eq!(job.result().unwrap().get(), Ok(n));
        }
        await_count(&manager, 0);
    }
}

#[test]
fn after_the_end_of_the_process_that_sent_it() {
    let manager = Manager::start().unwrap();
    for n in 0..10 {
        let mut process = procs::spawn(pass_on, manager.counter(n).unwrap()).unwrap();
        eventually("it has ended", || !process.is_alive());
        assert_eq!(manager.object_count(), Ok(1));
        assert_eq!(process.join().unwrap().get(), Ok(n));
        await_count(&manager, 0);
    }
}

#[test]
fn after_the_journey_in_queues_and_messages() {
    let manager = Manager::start().unwrap();
    let queue = Queue::new(1000).unwrap();
    let (here, there) = channel::<Counter>().unwrap();
    for rounds in ROUNDS {
        for n in 0..rounds {
            queue.put(&manager.counter(n).unwrap()).unwrap();
        }
        assert_eq!(manager.object_count(), Ok(rounds as usize));
        for n in 0..rounds {
            here.send(&queue.get_for(LIMIT).unwrap()).unwrap();
            assert_eq!(there.receive().unwrap().get(), Ok(n));
        }
        await_count(&manager, 0);
    }
}

#[procs::task]
fn hold(held: Vec<Counter>, holds: Event) {
    assert_eq!(held[0].get(), Ok(0));
    holds.set();
    thread::sleep(LIMIT);
}

#[test]
fn with_a_killed_process() {
    let manager = Manager::start().unwrap();
    let holds = Event::new().unwrap();
    for rounds in ROUNDS {
        let rounds = rounds / 5;
        for _ in 0..rounds {
            let counters: Vec<_> = (0..3).map(|n| manager.counter(n).unwrap()).collect();
            let kept = counters[2].clone();
            let mut process = procs::spawn(hold, (counters, holds.clone())).unwrap();
            holds.wait_for(LIMIT).unwrap();
            holds.clear();
            assert_eq!(manager.object_count(), Ok(3), "it holds them");
            process.kill().unwrap();
            process.join_for(LIMIT).unwrap_err();
            await_count(&manager, 1);
            assert_eq!(kept.get(), Ok(2));
            drop(kept);
            await_count(&manager, 0);
        }
    }
}

#[test]
fn with_the_object_in_which_it_is_stored() {
    let manager = Manager::start().unwrap();
    for rounds in ROUNDS {
        let counters = manager.dict::<i64, Counter>().unwrap();
        let more = manager.list::<Counter>().unwrap();
        let outer = manager.value(&(counters.clone(), more.clone())).unwrap();
        for n in 0..rounds {
            counters.insert(&n, &manager.counter(n).unwrap()).unwrap();
            more.push(&manager.counter(-n).unwrap()).unwrap();
        }
        drop((counters, more));
        let inner = || outer.get().unwrap();
        assert_eq!(manager.object_count(), Ok(3 + 2 * rounds as usize));
        for n in 0..rounds {
            for _ in 0..2 {
                let (counters, more) = inner();
                assert_eq!(counters.get(&n).unwrap().unwrap().get(), Ok(n));
                assert_eq!(more.get(n as usize).unwrap().unwrap().get(), Ok(-n));
            }
        }
        drop(outer);
        await_count(&manager, 0);
    }
}

#[test]
fn and_says_so_when_it_is_called_afterwards() {
    let manager = Manager::start().unwrap();
    let counter = manager.counter(7).unwrap();
    let sent = serde_json::to_string(&counter).unwrap();
    drop(counter);
    let read = || serde_json::from_str::<Counter>(&sent).unwrap();
    let received = read();
    assert_eq!(received.get(), Ok(7));
    // What is read again has a reference of its own.
    let again = read();
    drop(received);
    assert_eq!(again.get(), Ok(7));
    drop(again);
    await_count(&manager, 0);
    let late = read();
    assert_eq!(late.get(), Err(ManagerError::Gone));
    assert_eq!(late.clone().add(1), Err(ManagerError::Gone));
    // A proxy of what is gone travels, and stays one.
    let (here, there) = channel::<Counter>().unwrap();
    here.send(&late).unwrap();
    assert_eq!(there.receive().unwrap().get(), Err(ManagerError::Gone));
    drop(late);
    // Numbers are not used again, and those of another manager mean nothing here.
    let other = Manager::start().unwrap();
    let foreign: Vec<_> = (0..50).map(|n| other.value(&n).unwrap()).collect();
    let mut fields = serde_json::to_value(&foreign[49]).unwrap();
    let here = manager.list::<u8>().unwrap();
    fields["proxy"]["server"] = serde_json::to_value(&here).unwrap()["proxy"]["server"].take();
    let stray: Value<i32> = serde_json::from_value(fields).unwrap();
    assert_eq!(stray.get(), Err(ManagerError::Gone));
    drop(stray);
    assert_eq!((here.len(), foreign[49].get()), (Ok(0), Ok(49)));
}

#[procs::task]
fn use_both(dict: Dict<u32, u32>, list: List<u32>) {
    dict.insert(&1, &1).unwrap();
    list.push(&1).unwrap();
}

/// Many processes take and drop proxies of one object at the same time.
#[test]
fn and_not_while_one_of_many_users_is_left() {
    let manager = Manager::start().unwrap();
    let pool = Pool::new(3).unwrap();
    let (dict, list) = (manager.dict().unwrap(), manager.list().unwrap());
    let uses = (0..300).map(|_| (dict.clone(), list.clone()));
    pool.map_collect(use_both, uses).unwrap();
    assert_eq!((dict.len(), list.len()), (Ok(1), Ok(300)));
    drop((dict, list));
    await_count(&manager, 0);
}
