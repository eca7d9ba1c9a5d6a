//! A server under test, in a process of its own: where it listens, what it has cost.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;

use super::python;
use crate::memory;

/// What a server binds to.
pub const ANY_PORT: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// How long a server has to say where it listens.
const START: Duration = Duration::from_secs(20);
/// A server that works this long after the last answer does not rest at all.
const RESTLESS: Duration = Duration::from_millis(200);

/// Somebody's server; it ends when this is dropped.
pub struct Server {
    process: Process,
    /// Where it listens.
    pub address: SocketAddr,
}

enum Process {
    Rust(procs::Process<()>),
    Other(Child),
}

impl Server {
    /// Starts a server of this program, which is told whom to [`report`] to.
    pub fn start<T: procs::Task<Args = SocketAddr, Output = ()>>(task: T) -> Self {
        Self::start_with(task, |report_to| report_to)
    }

    /// The same for a server that wants to know more than that.
    pub fn start_with<T, A>(task: T, arguments: impl FnOnce(SocketAddr) -> A) -> Self
    where
        T: procs::Task<Args = A, Output = ()>,
    {
        let listener = TcpListener::bind(ANY_PORT).expect("a free port");
        let report_to = listener.local_addr().expect("a bound socket");
        let mut process = procs::spawn(task, arguments(report_to)).expect("a process");
        let address = await_report(&listener, &mut process).expect("the server's report");
        Self {
            process: Process::Rust(process),
            address: address.parse().expect("an address"),
        }
    }

    /// Starts one of `benches/python`, which prints its address; `None` when it ends at once.
    pub fn python(script: &str, arguments: &[&str]) -> Option<Self> {
        let mut child = Command::new(python::interpreter())
            .arg(python::path(script))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut line = String::new();
        let read = BufReader::new(child.stdout.take()?).read_line(&mut line);
        match (read, line.trim().parse()) {
            (Ok(_), Ok(address)) => Some(Self::of(child, address)),
            _ => {
                // It said why on standard error.
                end(&mut child);
                None
            }
        }
    }

    /// A program that listens there.
    pub fn of(child: Child, address: SocketAddr) -> Self {
        Self {
            process: Process::Other(child),
            address,
        }
    }

    /// Nanoseconds for which all its threads have run so far, those that have ended as well.
    ///
    /// Waits until it rests: of a thread that runs, the system knows only what it had done at the last tick.
    pub fn cpu_ns(&self) -> u64 {
        self.rest()
    }

    /// Waits until it has nothing to do any more, and gives its processor time.
    pub fn rest(&self) -> u64 {
        let clock = clock_getcpuclockid(self.pid()).expect("it runs");
        let mut before = now(clock);
        let naps = RESTLESS.as_millis();
        for _ in 0..naps {
            thread::sleep(Duration::from_millis(1));
            let after = now(clock);
            if after == before {
                break;
            }
            before = after;
        }
        before
    }

    /// Memory that it has resident.
    pub fn resident_bytes(&self) -> u64 {
        memory::resident_bytes_of_tree(self.pid().as_raw().unsigned_abs())
    }

    fn pid(&self) -> Pid {
        let pid = match &self.process {
            Process::Rust(process) => process.pid(),
            Process::Other(child) => child.id(),
        };
        Pid::from_raw(pid.cast_signed())
    }
}

/// Waits until the new process connects and says where it listens, or dies.
fn await_report(listener: &TcpListener, process: &mut procs::Process<()>) -> io::Result<String> {
    listener.set_nonblocking(true)?;
    let deadline = Instant::now() + START;
    while Instant::now() < deadline && process.is_alive() {
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(1));
                continue;
            }
            Err(error) => return Err(error),
        };
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(START))?;
        let mut address = String::new();
        stream.read_to_string(&mut address)?;
        return Ok(address);
    }
    Err(io::ErrorKind::TimedOut.into())
}

fn now(clock: ClockId) -> u64 {
    let time = clock.now().expect("it runs");
    time.tv_sec().unsigned_abs() * 1_000_000_000 + time.tv_nsec().unsigned_abs()
}

impl Drop for Server {
    fn drop(&mut self) {
        match &mut self.process {
            Process::Rust(process) => {
                if process.kill().is_ok() {
                    let _ = process.join();
                }
            }
            Process::Other(child) => end(child),
        }
    }
}

/// Nothing else is to be done about a process that has ended by itself.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Tells who has started this server where it listens.
pub fn report(report_to: SocketAddr, address: SocketAddr) -> io::Result<()> {
    TcpStream::connect(report_to)?.write_all(address.to_string().as_bytes())
}
