//! Who holds a lock is known of processes of every start method, also in programs with a `main`, whose first thread is
//! the one that was copied.

use std::thread;

use procs::sync::{Event, Lock, RLock};
use procs::{GetError, LockError, Process, Queue, SharedValue, StartMethod};

use crate::LIMIT;

const METHODS: [StartMethod; 2] = [StartMethod::ForkServer, StartMethod::Spawn];

#[procs::task]
fn hold(lock: Lock, held: Event) {
    let _guard = lock.recover().expect("it is free");
    held.set();
    thread::sleep(LIMIT);
}

/// A killed owner is known to be dead.
pub fn killed() {
    procs::init();
    let (lock, held) = (Lock::new().unwrap(), Event::new().unwrap());
    for method in METHODS {
        let builder = Process::builder().start_method(method);
        let owner = builder.spawn(hold, (lock.clone(), held.clone())).unwrap();
        held.wait_for(LIMIT).unwrap();
        held.clear();
        owner.kill().unwrap();
        assert_eq!(lock.lock_for(LIMIT).unwrap_err(), LockError::OwnerDied);
        lock.recover().unwrap().mark_consistent();
    }
}

#[procs::task]
fn count(lock: RLock, number: SharedValue<u64>) {
    for _ in 0..20_000 {
        let _outer = lock.lock().expect("nobody dies");
        let _inner = lock.lock().expect("it is this thread's");
        // Two steps: two who are inside at the same time lose some.
        number.set(number.get() + 1);
    }
}

/// Processes that were copied from one are not taken for one owner.
pub fn excluded() {
    procs::init();
    let (lock, number) = (RLock::new().unwrap(), SharedValue::new(0).unwrap());
    for method in METHODS {
        number.set(0);
        let builder = Process::builder().start_method(method);
        let start = |_| {
            builder
                .spawn(count, (lock.clone(), number.clone()))
                .unwrap()
        };
        let processes: Vec<_> = (0..3).map(start).collect();
        for mut process in processes {
            process.join_for(LIMIT).unwrap();
        }
        assert_eq!(number.get(), 60_000);
    }
}

#[procs::task]
fn put_and_get(queue: Queue<u64>) {
    loop {
        queue.put(&1).expect("it is open");
        queue.get().expect("it is open");
    }
}

/// A queue whose users are killed goes on.
pub fn queues() {
    procs::init();
    let queue = Queue::new(10).unwrap();
    for method in METHODS {
        for round in 0..30 {
            let builder = Process::builder().start_method(method);
            let mut user = builder.spawn(put_and_get, queue.clone()).unwrap();
            let got = queue.get_for(LIMIT).unwrap();
            queue.put_for(&(got + round), LIMIT).unwrap();
            user.kill().unwrap();
            user.join_for(LIMIT).unwrap_err();
            while queue.try_get() != Err(GetError::Empty) {}
        }
    }
}
