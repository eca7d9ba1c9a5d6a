//! Mixed traffic with random disconnects: no descriptor, no task and no memory is left of it.
//!
//! The clients are in a process of their own, which is this binary once more: so the descriptors and the memory that are
//! counted are the server's alone. Each round ends with no connection; what is there then must not grow from round to
//! round. `just soak` runs the long one: 2,000 connections for 300 s, or what it is told.
#![cfg(all(feature = "http2", feature = "ws"))]

#[path = "common/in_use.rs"]
mod in_use;
mod mixed;

use std::{
    cell::Cell,
    env, fs,
    io::{self, Read},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    rc::Rc,
    time::Duration,
};

use aio::http::{
    App, Event, Gone, Limits, Request, Response, Server, StaticFiles, WebSocket, WebSocketError,
};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The address, for the process that has the clients.
const ADDRESS: &str = "AIO_SOAK_ADDRESS";
const CONNECTIONS: &str = "AIO_SOAK_CONNECTIONS";
const SECONDS: &str = "AIO_SOAK_SECONDS";
const ROUND: &str = "AIO_SOAK_ROUND";

/// How long the server's last handlers and connections may take to end once the clients are gone.
const ENDING: Duration = Duration::from_secs(30);

/// What a server keeps for the next crowd: the room of its lists.
const MOST_BYTES: usize = 500_000;

fn number(name: &str) -> Option<usize> {
    env::var(name).ok()?.parse().ok()
}

/// Raises the limit of descriptors as far as it goes; 2,000 connections and some files must be possible.
fn raise_descriptors() {
    // Without it, a limit that is too low shows in connections that are missing.
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

fn app(files: &std::path::Path) -> io::Result<App> {
    let limits = Limits {
        header_time: Duration::from_secs(2),
        keep_alive: Duration::from_secs(5),
        body_idle: Duration::from_secs(2),
        write_stall: Duration::from_secs(2),
        ..Limits::default()
    };
    Ok(App::new()
        .limits(limits)
        .get("/hello/{name}", async |request: Request| {
            format!("hello, {}", request.match_info("name").unwrap_or("nobody"))
        })
        .post("/echo", async |mut request: Request| request.text().await)
        .get("/slow", async |_: Request| {
            aio::sleep(Duration::from_millis(50)).await;
            "slow"
        })
        .get("/big", async |_: Request| {
            Response::bytes(vec![b'x'; mixed::BIG])
        })
        .get("/events", async |_: Request| {
            Response::events(async |events| {
                for number in 0..100 {
                    events.send(Event::new(number.to_string())).await?;
                    aio::sleep(Duration::from_millis(5)).await;
                }
                Ok::<(), Gone>(())
            })
        })
        .get("/ws", async |request: Request| {
            WebSocket::upgrade(request, async |mut socket: WebSocket| {
                while let Some(message) = socket.receive().await? {
                    socket.send(message).await?;
                }
                Ok::<(), WebSocketError>(())
            })
        })
        .files("/static", StaticFiles::new(files)?))
}

/// What a process holds.
#[derive(Debug, Clone, Copy)]
struct Holdings {
    descriptors: usize,
    tasks: usize,
    /// On the heap.
    bytes: usize,
    /// What the system counts, with what the allocator keeps for later.
    resident_kilobytes: usize,
}

impl Holdings {
    fn take() -> io::Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = resident.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        Ok(Holdings {
            descriptors: fs::read_dir("/proc/self/fd")?.count(),
            tasks: aio::get_running_loop()?.all_tasks().len(),
            bytes: in_use::bytes(),
            resident_kilobytes: kilobytes.ok_or(io::ErrorKind::InvalidData)?,
        })
    }
}

/// The process with the clients; ended with the test, whatever becomes of that.
struct Clients(Child);

impl Clients {
    fn start(
        address: SocketAddr,
        connections: usize,
        time: Duration,
        round: usize,
    ) -> io::Result<Self> {
        Command::new(env::current_exe()?)
            .args(["--exact", "connections_leave_nothing", "--nocapture"])
            .env(ADDRESS, address.to_string())
            .env(CONNECTIONS, connections.to_string())
            .env(SECONDS, time.as_secs_f64().to_string())
            .env(ROUND, round.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map(Clients)
    }

    /// What they say at their end, which must be a success.
    fn wait(mut self) -> io::Result<String> {
        let mut said = String::new();
        if let Some(out) = &mut self.0.stdout {
            out.read_to_string(&mut said)?;
        }
        assert!(self.0.wait()?.success(), "{said}");
        let figures = said.lines().find(|line| line.starts_with("traffic:"));
        Ok(figures.expect("it tells what it did").to_owned())
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        // Already gone after a clean end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        let path = env::temp_dir().join(format!("aio-soak-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        fs::write(path.join("file.txt"), vec![b'f'; mixed::FILE])?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left of it harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn soak(connections: usize, rounds: usize, round: Duration) -> io::Result<()> {
    raise_descriptors();
    let folder = Folder::new()?;
    // What a client breaks off is told to nobody.
    aio::get_running_loop()?.set_exception_handler(|_| {});
    let server = Rc::new(Server::bind(app(&folder.0)?, "127.0.0.1:0").await?);
    let most = Rc::new(Cell::new(0));
    let (counted, seen) = (server.clone(), most.clone());
    let counting = aio::create_task(async move {
        loop {
            seen.set(seen.get().max(counted.connections()));
            aio::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut after = Vec::new();
    for number in 0..rounds {
        let clients = Clients::start(server.local_addr(), connections, round, number)?;
        let said = aio::to_thread(move || clients.wait());
        let said = said.await.map_err(io::Error::other)??;
        let ended = async {
            while server.connections() > 0 || server.requests() > 0 {
                aio::sleep(Duration::from_millis(5)).await;
            }
        };
        aio::wait_for(ended, ENDING).await.map_err(|_| {
            let (open, handled) = (server.connections(), server.requests());
            io::Error::other(format!(
                "{open} connections and {handled} requests do not end"
            ))
        })?;
        // The timers and tasks of what has just ended are gone an iteration later.
        aio::sleep(Duration::from_millis(200)).await;
        let holdings = Holdings::take()?;
        println!(
            "round {number}: {holdings:?}, at most {} connections; {said}",
            most.get()
        );
        after.push(holdings);
    }
    counting.cancel();
    assert!(
        most.get() >= connections * 3 / 4,
        "only {} of {connections} connections at once",
        most.get()
    );
    grows_no_more(&after);
    Ok(())
}

/// The first round warms up: the threads that read files, the room of lists.
fn grows_no_more(after: &[Holdings]) {
    let [_, first, .., last] = after else {
        panic!("three rounds, at least");
    };
    assert_eq!(last.descriptors, first.descriptors, "{after:?}");
    assert_eq!(last.tasks, first.tasks, "{after:?}");
    assert!(last.bytes <= first.bytes + MOST_BYTES, "{after:?}");
    // The allocator keeps more or less of what the busiest moment took.
    let allowed = 2 * first.resident_kilobytes;
    assert!(last.resident_kilobytes <= allowed, "{after:?}");
}

/// The clients' process, when this is it.
fn be_the_clients() -> Option<io::Result<()>> {
    let address: SocketAddr = env::var(ADDRESS).ok()?.parse().ok()?;
    let seconds: f64 = env::var(SECONDS).ok()?.parse().ok()?;
    let (connections, round) = (number(CONNECTIONS)?, number(ROUND)?);
    raise_descriptors();
    let time = Duration::from_secs_f64(seconds);
    Some(
        aio::run(mixed::traffic(address, connections, time, round))
            .unwrap_or_else(|error| Err(io::Error::other(error))),
    )
}

#[test]
fn connections_leave_nothing() -> io::Result<()> {
    if let Some(done) = be_the_clients() {
        return done;
    }
    let soaking = soak(200, 3, Duration::from_secs(2));
    aio::run(aio::wait_for(soaking, Duration::from_secs(180)))??
}

#[test]
#[ignore = "takes five minutes: `just soak`"]
fn two_thousand_connections_leave_nothing_for_five_minutes() -> io::Result<()> {
    let connections = number(CONNECTIONS).unwrap_or(2000);
    let seconds = number(SECONDS).unwrap_or(300) as u64;
    let rounds = 5;
    let round = Duration::from_secs(seconds) / rounds as u32;
    let patience = Duration::from_secs(2 * seconds + 600);
    aio::run(aio::wait_for(soak(connections, rounds, round), patience))??
}
