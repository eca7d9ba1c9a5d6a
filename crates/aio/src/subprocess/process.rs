//! A process that was started.

use std::{
    cell::Cell,
    fmt,
    future::poll_fn,
    io,
    pin::{Pin, pin},
    process::{ExitStatus, Output},
    rc::Rc,
    task::Poll,
    thread,
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use tokio::{process::Child, signal::unix::SignalKind};

use super::pipe::{reader, writer};
use crate::{
    combine::wait_for,
    loop_core::LoopCore,
    stream::{StreamReader, StreamWriter},
    sync::Waiters,
};

/// How much of the input is buffered at a time.
const CHUNK: usize = 64 * 1024;

/// How long a closing loop waits for a process that it has killed, in milliseconds.
const DEATH: usize = 100;

/// A process of another program; made by [`Subprocess::spawn`](super::Subprocess::spawn).
///
/// The loop waits for its end, so no zombie remains. Dropping this lets the process go on by itself, unless
/// [`kill_on_drop`](super::Subprocess::kill_on_drop) was set.
///
/// For a time limit use [`wait_for`](crate::wait_for); then [`stop`](Process::stop), or `kill_on_drop`.
///
/// ```
/// use aio::create_subprocess_exec;
/// use std::time::Duration;
///
/// aio::run(async {
///     let sleeping = create_subprocess_exec("sleep", ["60"]).spawn()?;
///     let early = aio::wait_for(sleeping.wait(), Duration::from_millis(5)).await;
///     assert!(early.is_err(), "it still sleeps");
///     let status = sleeping.stop(Duration::from_secs(5)).await?;
///     assert!(!status.success());
///     Ok::<(), std::io::Error>(())
/// })??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Process {
    /// Its input, if that was piped. Close it, or drop it, to tell the process that nothing more comes.
    pub stdin: Option<StreamWriter>,
    /// Its output, if that was piped.
    pub stdout: Option<StreamReader>,
    /// Its errors, if they were piped.
    pub stderr: Option<StreamReader>,
    shared: Rc<Shared>,
    kill_on_drop: bool,
}

struct Shared {
    pid: Pid,
    own_group: bool,
    end: Cell<Option<End>>,
    waiting: Waiters,
}

#[derive(Clone, Copy)]
enum End {
    Exited(ExitStatus),
    /// Somebody else has waited for it, or the loop was closed first.
    Unknown(io::ErrorKind),
}

impl Process {
    /// Has the loop wait for it.
    pub(super) fn watch(
        core: &LoopCore,
        mut child: Child,
        own_group: bool,
        kill_on_drop: bool,
    ) -> io::Result<Self> {
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.ok_or(io::ErrorKind::NotFound)?;
        let shared = Rc::new(Shared {
            pid: Pid::from_raw(pid),
            own_group,
            end: Cell::new(None),
            waiting: Waiters::default(),
        });
        let process = Process {
            stdin: child.stdin.take().map(writer),
            stdout: child.stdout.take().map(reader),
            stderr: child.stderr.take().map(reader),
            shared: shared.clone(),
            kill_on_drop,
        };
        let mut watched = Watched {
            shared,
            child,
            kill: kill_on_drop,
        };
        core.beside(|| {
            Ok(async move {
                let end = match watched.child.wait().await {
                    Ok(status) => End::Exited(status),
                    Err(error) => End::Unknown(error.kind()),
                };
                watched.shared.finish(end);
            })
        })?;
        Ok(process)
    }

    /// Its number in the system.
    pub fn pid(&self) -> u32 {
        self.shared.pid.as_raw().unsigned_abs()
    }

    /// How it ended; `None` while it runs, or when that is not known yet.
    pub fn status(&self) -> Option<ExitStatus> {
        match self.shared.end.get() {
            Some(End::Exited(status)) => Some(status),
            _ => None,
        }
    }

    /// Waits for its end. Several tasks may wait; dropping the future leaves the process alone.
    ///
    /// A process whose piped output nobody reads may never end: use [`communicate`](Process::communicate) then.
    ///
    /// # Errors
    ///
    /// When the system does not tell, for somebody else has waited for it.
    pub async fn wait(&self) -> io::Result<ExitStatus> {
        loop {
            match self.shared.end.get() {
                Some(End::Exited(status)) => return Ok(status),
                Some(End::Unknown(kind)) => return Err(kind.into()),
                // Nobody needs the call of one who has left: all were called.
                None => self.shared.waiting.wait(|| ()).await,
            }
        }
    }

    /// Sends `input`, closes it, reads both outputs to their ends at the same time, and waits for the process: what was
    /// piped, for the rest is left alone. A process that ends without reading all of its input is no error.
    ///
    /// Dropping the future before its end closes the pipes; what was read is lost.
    ///
    /// # Errors
    ///
    /// When a pipe fails; as [`wait`](Process::wait).
    pub async fn communicate(&mut self, input: &[u8]) -> io::Result<Output> {
        let (stdin, stdout, stderr) = (self.stdin.take(), self.stdout.take(), self.stderr.take());
        let feeding = feed(stdin, input);
        let (stdout, stderr) = all_of(feeding, drain(stdout), drain(stderr)).await?;
        let status = self.wait().await?;
        Ok(Output {
            status,
            stdout,
            stderr,
        })
    }

    /// Sends it a signal. False when it has ended.
    ///
    /// # Errors
    ///
    /// When the process belongs to somebody else by now, and for a signal without a name (real-time ones).
    pub fn send_signal(&self, kind: SignalKind) -> io::Result<bool> {
        let signal = Signal::try_from(kind.as_raw_value())?;
        // Only this loop reaps it, on this thread: its number cannot be another's yet.
        if self.shared.end.get().is_some() {
            return Ok(false);
        }
        let sent = match self.shared.own_group {
            true => killpg(self.shared.pid, signal),
            false => kill(self.shared.pid, signal),
        };
        match sent {
            Ok(()) => Ok(true),
            Err(Errno::ESRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks it to end, with SIGTERM. False when it has ended.
    ///
    /// # Errors
    ///
    /// As [`send_signal`](Process::send_signal).
    pub fn terminate(&self) -> io::Result<bool> {
        self.send_signal(SignalKind::terminate())
    }

    /// Ends it at once, with SIGKILL. False when it has ended.
    ///
    /// # Errors
    ///
    /// As [`send_signal`](Process::send_signal).
    pub fn kill(&self) -> io::Result<bool> {
        self.send_signal(SignalKind::from_raw(Signal::SIGKILL as i32))
    }

    /// Asks it to end, gives it `patience` to do so, and kills it otherwise. Gives how it ended.
    ///
    /// # Errors
    ///
    /// As [`send_signal`](Process::send_signal) and [`wait`](Process::wait).
    pub async fn stop(&self, patience: Duration) -> io::Result<ExitStatus> {
        self.terminate()?;
        if let Ok(ended) = wait_for(self.wait(), patience).await {
            return ended;
        }
        self.kill()?;
        self.wait().await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.kill_on_drop {
            // It has ended, or is not ours to kill: there is nobody to tell.
            let _ = self.kill();
        }
    }
}

impl Shared {
    fn finish(&self, end: End) {
        if self.end.get().is_none() {
            self.end.set(Some(end));
        }
        self.waiting.call_all();
    }
}

/// A process that the loop waits for.
struct Watched {
    shared: Rc<Shared>,
    child: Child,
    kill: bool,
}

impl Drop for Watched {
    /// Tells those who wait also when the loop is closed first. Then a process that is to die with its handle is waited
    /// for here, so that it does not stay as a zombie.
    fn drop(&mut self) {
        if self.shared.end.get().is_none() {
            if self.kill && self.child.start_kill().is_ok() {
                for _ in 0..DEATH {
                    match self.child.try_wait() {
                        Ok(None) => thread::sleep(Duration::from_millis(1)),
                        _ => break,
                    }
                }
            }
            let closed = io::ErrorKind::Interrupted;
            self.shared.finish(End::Unknown(closed));
        }
    }
}

async fn feed(stdin: Option<StreamWriter>, input: &[u8]) -> io::Result<()> {
    let Some(stdin) = stdin else { return Ok(()) };
    for chunk in input.chunks(CHUNK) {
        stdin.write(chunk);
        if let Err(error) = stdin.drain().await {
            return is_deaf(error);
        }
    }
    stdin.close();
    stdin.wait_closed().await.or_else(is_deaf)
}

/// A process need not read its input.
fn is_deaf(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Ok(()),
        _ => Err(error),
    }
}

async fn drain(pipe: Option<StreamReader>) -> io::Result<Vec<u8>> {
    match pipe {
        Some(mut pipe) => pipe.read_to_end().await,
        None => Ok(Vec::new()),
    }
}

/// Drives all three, to the end or to the first error.
async fn all_of(
    feeding: impl Future<Output = io::Result<()>>,
    stdout: impl Future<Output = io::Result<Vec<u8>>>,
    stderr: impl Future<Output = io::Result<Vec<u8>>>,
) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let (mut feeding, mut stdout, mut stderr) = (pin!(feeding), pin!(stdout), pin!(stderr));
    let (mut fed, mut out, mut err) = (None, None, None);
    poll_fn(|cx| {
        poll_once(feeding.as_mut(), &mut fed, cx)?;
        poll_once(stdout.as_mut(), &mut out, cx)?;
        poll_once(stderr.as_mut(), &mut err, cx)?;
        match (fed, out.take(), err.take()) {
            (Some(()), Some(stdout), Some(stderr)) => Poll::Ready(Ok((stdout, stderr))),
            (_, stdout, stderr) => {
                (out, err) = (stdout, stderr);
                Poll::Pending
            }
        }
    })
    .await
}

/// Polls a future that is not done yet.
fn poll_once<T>(
    future: Pin<&mut impl Future<Output = io::Result<T>>>,
    output: &mut Option<T>,
    cx: &mut std::task::Context<'_>,
) -> io::Result<()> {
    if output.is_none()
        && let Poll::Ready(result) = future.poll(cx)
    {
        *output = Some(result?);
    }
    Ok(())
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("pid", &self.pid())
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
