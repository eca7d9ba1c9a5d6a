//! Large values get their turn, and those who wait cost the others nothing.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use procs::{GetError, Limit, Process, PutError, Queue, SharedArray, SharedMemory, SharedValue};

use crate::common::{LIMIT, eventually};

#[procs::task]
fn put_small(queue: Queue<Vec<u8>>, count: SharedValue<u64>) {
    while queue.put(&vec![1; 100]).is_ok() {
        count.update(|n| n + 1);
    }
}

#[test]
fn a_large_value_gets_its_turn_among_small_ones() {
    let queue = Queue::<Vec<u8>>::with_bytes(1000, 64 * 1024).unwrap();
    let count = SharedValue::new(0).unwrap();
    let _writers = [0; 2].map(|_| procs::spawn(put_small, (queue.clone(), count.clone())).unwrap());
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut large = 0;
            // Slower than the writers, so the queue is full all the time.
            while !is_over.load(Relaxed) || !queue.is_empty() {
                match queue.get_for(Duration::from_millis(100)) {
                    Ok(value) => large += usize::from(value.len() > 100),
                    Err(error) => assert!(matches!(error, GetError::TimedOut | GetError::Closed)),
                }
                thread::sleep(Duration::from_micros(50));
            }
            large
        });
        eventually("the small ones fill it", || count.get() > 500);
        for _ in 0..3 {
            queue.put_for(&vec![2; 40_000], LIMIT).unwrap();
        }
        let before = count.get();
        eventually("the small ones go on", || count.get() > before + 100);
        is_over.store(true, Relaxed);
        queue.close().unwrap();
        assert_eq!(reader.join().unwrap(), 3);
    });
}

#[procs::task]
fn put_large(queue: Queue<Vec<u8>>) {
    let _ = queue.put(&vec![2; 60_000]);
}

#[test]
fn a_writer_that_is_killed_in_its_turn_blocks_nobody() {
    let queue = Queue::<Vec<u8>>::with_bytes(1000, 64 * 1024).unwrap();
    while queue.try_put(&vec![1; 1000]).is_ok() {}
    let writer = procs::spawn(put_large, queue.clone()).unwrap();
    // Once it has slept and was overtaken, it has the turn: a value for which there is room is refused.
    eventually("it has its turn", || {
        queue.get_for(LIMIT).unwrap();
        thread::sleep(Duration::from_millis(10));
        match queue.try_put(&vec![1; 900]) {
            Ok(()) => false,
            Err(error) => {
                assert_eq!(error, PutError::Full);
                true
            }
        }
    });
    writer.kill().unwrap();
    queue.put_for(&vec![1; 100], LIMIT).unwrap();
}

/// The number of times that a thread of this process has gone to sleep.
fn sleeps(thread: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/self/task/{thread}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("voluntary_ctxt_switches"));
    line.unwrap()
        .split_whitespace()
        .last()
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn an_idle_reader_sleeps() {
    let queue = Queue::<u32>::new(1).unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let reader = thread::spawn({
        let queue = queue.clone();
        move || {
            // SAFETY: gettid has no preconditions.
            sender.send(unsafe { libc::gettid() }).unwrap();
            queue.get_for(LIMIT)
        }
    });
    let id = receiver.recv().unwrap();
    thread::sleep(Duration::from_millis(500));
    let before = sleeps(id);
    thread::sleep(Duration::from_secs(3));
    let count = sleeps(id) - before;
    queue.put(&1).unwrap();
    assert_eq!(reader.join().unwrap(), Ok(1));
    assert!(count <= 6, "it woke up {count} times in 3 seconds");
}

#[cfg(target_arch = "x86_64")]
#[procs::task]
fn count_wakes(queue: Queue<u32>, timeouts: u32, puts: u32) -> u64 {
    for _ in 0..timeouts {
        let result = queue.get_for(Duration::from_micros(300));
        assert_eq!(result, Err(GetError::TimedOut));
    }
    trap::counted(|| {
        for n in 0..puts {
            queue.put(&n).unwrap();
            queue.get().unwrap();
        }
    })
}

/// Counted in processes of their own, because a filter cannot be removed.
#[cfg(target_arch = "x86_64")]
#[test]
fn waits_that_have_ended_cost_later_puts_nothing() {
    for timeouts in [100, 400] {
        let queue = Queue::new(10).unwrap();
        let mut process = procs::spawn(count_wakes, (queue, timeouts, 500)).unwrap();
        assert_eq!(process.join_for(LIMIT).unwrap(), 0);
    }
}

#[cfg(target_arch = "x86_64")]
#[procs::task]
fn get_one(queue: Queue<u32>, waits: SharedArray<u8>, index: usize) {
    waits.set(index, 1);
    let _ = queue.get();
}

#[cfg(target_arch = "x86_64")]
#[test]
fn dead_readers_cost_later_puts_little() {
    for readers in [3_usize, 12] {
        let queue = Queue::new(10).unwrap();
        let waits = SharedArray::new(readers).unwrap();
        let processes: Vec<_> = (0..readers)
            .map(|n| procs::spawn(get_one, (queue.clone(), waits.clone(), n)).unwrap())
            .collect();
        eventually("they wait", || (0..readers).all(|n| waits.get(n) == 1));
        thread::sleep(Duration::from_millis(200));
        for mut process in processes {
            process.kill().unwrap();
            process.join_for(LIMIT).unwrap_err();
        }
        let mut process = procs::spawn(count_wakes, (queue, 0, 500)).unwrap();
        let wakes = process.join_for(LIMIT).unwrap();
        assert!(wakes <= 4, "{wakes} for {readers} dead readers");
    }
}

#[procs::task]
fn make_large_memory() -> [String; 2] {
    let memory = SharedMemory::new(1 << 20).expect_err("the limit is 10,000 bytes");
    let queue = Queue::<u32>::new(1).expect_err("the limit is 10,000 bytes");
    assert!(SharedMemory::new(5000).is_ok());
    assert!(Queue::<u32>::with_bytes(1, 4096).is_ok());
    [memory.to_string(), queue.to_string()]
}

#[test]
fn a_file_size_limit_is_an_error() {
    let builder = Process::builder().limit(Limit::FileSize(10_000));
    let mut process = builder.spawn(make_large_memory, ()).unwrap();
    for text in process.join_for(LIMIT).unwrap() {
        assert!(text.contains("File too large"), "{text}");
    }
}

/// Counts the futex wake-ups of a thread by a filter that traps them.
#[cfg(target_arch = "x86_64")]
mod trap {
    use std::mem;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    static COUNT: AtomicU64 = AtomicU64::new(0);

    /// Counts a call, and lets it return 0: no thread was woken.
    extern "C" fn note(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
        COUNT.fetch_add(1, Relaxed);
        let context = context.cast::<libc::ucontext_t>();
        // SAFETY: the kernel passes the interrupted thread's context, which is this handler's to change.
        unsafe { (*context).uc_mcontext.gregs[libc::REG_RAX as usize] = 0 };
    }

    fn statement(code: u32, k: u32, (jt, jf): (u8, u8)) -> libc::sock_filter {
        libc::sock_filter {
            code: code as u16,
            jt,
            jf,
            k,
        }
    }

    /// Runs `work` on a new thread, and returns how often it called for a wake-up. The calls do nothing.
    pub fn counted(work: impl FnOnce() + Send) -> u64 {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                install();
                work();
                COUNT.load(Relaxed)
            });
            thread.join().unwrap()
        })
    }

    fn install() {
        let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
        let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        let and = libc::BPF_ALU | libc::BPF_AND | libc::BPF_K;
        let give = libc::BPF_RET | libc::BPF_K;
        let filter = [
            statement(load, 0, (0, 0)),
            statement(equal, libc::SYS_futex as u32, (0, 4)),
            // The lower half of the second argument.
            statement(load, 24, (0, 0)),
            statement(and, 127, (0, 0)),
            statement(equal, libc::FUTEX_WAKE as u32, (0, 1)),
            statement(give, libc::SECCOMP_RET_TRAP, (0, 0)),
            statement(give, libc::SECCOMP_RET_ALLOW, (0, 0)),
        ];
        let program = libc::sock_fprog {
            len: filter.len() as u16,
            filter: filter.as_ptr().cast_mut(),
        };
        // SAFETY: a zeroed sigaction is valid; the handler only counts; the filter and the program live during the call.
        unsafe {
            let mut action: libc::sigaction = mem::zeroed();
            action.sa_sigaction = note as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO;
            let no_old = std::ptr::null_mut();
            assert_eq!(libc::sigaction(libc::SIGSYS, &raw const action, no_old), 0);
            assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
            let mode = libc::SECCOMP_MODE_FILTER;
            assert_eq!(
                libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program),
                0
            );
        }
    }
}
