//! Several loops at once: they give their results, fail together, stop together, and share one address.

use std::{
    cell::RefCell,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    num::NonZeroUsize,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use aio::{Core, FailureCause, PerCoreError, RunError, SharedListener, run_loops};

/// Guards against a hang; nothing waits this long.
const PATIENCE: Duration = Duration::from_secs(30);

fn loops(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

#[test]
fn each_loop_has_a_thread_of_its_own_and_results_keep_the_loops_order() {
    let results = run_loops(loops(3), async |core: Core| {
        assert_eq!(core.count(), 3);
        // The later ones end first.
        for _ in core.index()..3 {
            aio::sleep(Duration::from_millis(2)).await;
        }
        let here = aio::create_task(async { thread::current().id() }).await;
        assert_eq!(here, Ok(thread::current().id()));
        Ok::<_, io::Error>((core.index(), thread::current().id()))
    });
    let results = results.unwrap();
    assert!(results.iter().map(|(index, _)| *index).eq(0..3));
    let own = thread::current().id();
    let mut threads: Vec<_> = results.iter().map(|(_, thread)| *thread).collect();
    threads.dedup();
    assert!(threads.len() == 3 && !threads.contains(&own));
    let per_core = aio::run_per_core(async |core| Ok::<_, io::Error>(core.count())).unwrap();
    assert!(per_core.iter().all(|count| *count == per_core.len()));
}

struct Ended<'a>(&'a Mutex<Vec<&'static str>>, &'static str);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.lock().unwrap().push(self.1);
    }
}

#[test]
fn an_error_of_one_cancels_the_others_with_their_tasks() {
    static CLEANED: AtomicUsize = AtomicUsize::new(0);
    let ended = Mutex::new(Vec::new());
    let (ready, others) = mpsc::channel();
    let others = Mutex::new(others);
    let failed = run_loops(loops(3), async |core: Core| {
        if core.index() == 1 {
            let others = others.lock().unwrap();
            (0..2).for_each(|_| others.recv_timeout(PATIENCE).unwrap());
            return Err("no luck".to_owned());
        }
        let _ended = Ended(&ended, "main");
        let task = aio::create_task(async {
            let _guard = aio::on_cancel(async {
                aio::yield_now().await;
                CLEANED.fetch_add(1, Ordering::SeqCst);
            });
            std::future::pending::<()>().await;
        });
        aio::yield_now().await;
        task.detach();
        ready.send(()).unwrap();
        std::future::pending::<Result<(), String>>().await
    });
    match failed {
        Err(PerCoreError::Failed(failures)) => {
            assert_eq!(failures.len(), 1);
            assert_eq!(failures[0].to_string(), "loop 1: no luck");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(*ended.lock().unwrap(), ["main", "main"]);
    assert_eq!(CLEANED.load(Ordering::SeqCst), 2);
}

#[test]
fn a_panic_of_one_is_told_and_ends_all() {
    let failed = run_loops(loops(2), async |core: Core| {
        assert_ne!(core.index(), 0, "the first one");
        std::future::pending::<Result<(), io::Error>>().await
    });
    let Err(PerCoreError::Failed(failures)) = failed else {
        panic!("{failed:?}");
    };
    assert_eq!((failures.len(), failures[0].index), (1, 0));
    let FailureCause::Run(RunError::Panicked(panicked)) = &failures[0].cause else {
        panic!("{failures:?}");
    };
    assert!(panicked.message().contains("the first one"), "{panicked}");
}

#[test]
fn a_loop_that_ends_well_ends_no_other() {
    thread_local! {
        /// Dropped when a loop's thread is over, and with it all that the loop's end brings about.
        static ALIVE: RefCell<Option<mpsc::Sender<()>>> = const { RefCell::new(None) };
    }
    let (alive, wait_for_first) = mpsc::channel();
    let (alive, wait_for_first) = (Mutex::new(Some(alive)), Mutex::new(wait_for_first));
    let results = run_loops(loops(2), async |core: Core| {
        if core.index() == 0 {
            ALIVE.set(alive.lock().unwrap().take());
        } else {
            let first = wait_for_first.lock().unwrap().recv_timeout(PATIENCE);
            assert_eq!(first, Err(mpsc::RecvTimeoutError::Disconnected));
            // If that has ended this loop, too, it goes on no further.
            aio::yield_now().await;
        }
        Ok::<_, io::Error>(core.index())
    });
    assert_eq!(results.unwrap(), [0, 1]);
}

#[test]
fn several_loops_within_a_loop_are_an_error() {
    let nested = aio::run(async { run_loops(loops(1), async |_| Ok::<(), io::Error>(())) });
    assert!(matches!(nested, Ok(Err(PerCoreError::AlreadyRunning))));
}

/// Serves on each loop the number of the loop, until the client has had enough.
fn serve_numbers(
    count: usize,
    before: impl AsyncFn(usize) + Sync,
    client: impl FnOnce(SocketAddr, Core) + Send,
) {
    let listener = SharedListener::bind("127.0.0.1:0").unwrap();
    let (give, core) = mpsc::channel();
    thread::scope(|scope| {
        let address = listener.local_addr();
        scope.spawn(move || client(address, core.recv_timeout(PATIENCE).unwrap()));
        let served = run_loops(loops(count), async |core: Core| {
            let index = core.index();
            let server = listener.start_server(async move |mut reader, writer| {
                writer.write(&[index as u8]);
                writer.drain().await?;
                reader.read(1).await.map(drop)
            })?;
            // The client takes the first; it may be through before another loop begins.
            let _ = give.send(core.clone());
            before(index).await;
            core.stopping().await;
            server.close(PATIENCE).await;
            Ok::<(), io::Error>(())
        });
        served.unwrap();
    });
    // Nothing listens any more.
    let address = listener.local_addr();
    drop(listener);
    TcpListener::bind(address).unwrap();
}

fn ask(address: SocketAddr) -> (usize, TcpStream) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut number = [0];
    stream.read_exact(&mut number).unwrap();
    (number[0].into(), stream)
}

#[test]
fn connections_are_spread_over_the_loops() {
    serve_numbers(
        2,
        async |_| (),
        |address, core| {
            let mut open = Vec::new();
            let mut served = [0, 0];
            while served.contains(&0) {
                assert!(open.len() < 200, "one loop serves all: {served:?}");
                let (number, stream) = ask(address);
                served[number] += 1;
                open.push(stream);
            }
            drop(open);
            core.stop_all();
        },
    );
}

#[test]
fn a_loop_that_is_stuck_strands_no_client() {
    let (release, stuck) = mpsc::channel::<()>();
    let stuck = Mutex::new(stuck);
    serve_numbers(
        2,
        async |index| {
            if index == 0 {
                stuck.lock().unwrap().recv_timeout(PATIENCE).unwrap();
            }
        },
        |address, core| {
            let mut open = Vec::new();
            // The stuck one has the fewest all along, so each of these is left to it first.
            while open.len() < 20 {
                let (number, mut stream) = ask(address);
                // It may have taken some before it got stuck.
                if number == 1 {
                    stream.write_all(b"x").unwrap();
                    open.push(stream);
                }
            }
            release.send(()).unwrap();
            core.stop_all();
        },
    );
}
