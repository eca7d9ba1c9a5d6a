//! Runs the examples that cargo has built beside the tests.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// Far more than any example takes; only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(60);

fn example(name: &str) -> Command {
    let mut folder: PathBuf = env::current_exe().expect("this test is a file");
    folder.pop();
    folder.pop();
    Command::new(folder.join("examples").join(name))
}

/// Runs an example to its end, which must be a success, and gives its lines.
pub fn run(name: &str, arguments: &[&str]) -> Vec<String> {
    let mut command = example(name);
    let child = command
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the example was built");
    let pid = child.id();
    let (done, finished) = mpsc::channel();
    let waiting = thread::spawn(move || {
        let output: Output = child.wait_with_output().expect("it can be waited for");
        // The receiver is gone only after its patience ended.
        let _ = done.send(());
        output
    });
    if finished.recv_timeout(PATIENCE).is_err() {
        signal(pid, "KILL");
    }
    let output = waiting.join().expect("the waiting thread did not panic");
    assert!(output.status.success(), "{name}: {}", output.status);
    String::from_utf8(output.stdout)
        .expect("it prints text")
        .lines()
        .map(str::to_owned)
        .collect()
}

fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status();
    assert!(
        sent.is_ok_and(|status| status.success()),
        "cannot send SIG{name} to {pid}"
    );
}

/// An example that serves, on a port that it picked. Killed when dropped.
pub struct Serving {
    child: Child,
    /// The line it printed first.
    pub line: String,
    /// The address in that line.
    pub address: SocketAddr,
}

impl Serving {
    /// Starts it and reads the line that tells its address.
    pub fn start(name: &str, arguments: &[&str]) -> Self {
        let mut command = example(name);
        Serving::run(command.arg("0").args(arguments))
    }

    /// Starts it as systemd does, with a socket that listens already.
    #[cfg(feature = "http")]
    pub fn handed(name: &str, listener: std::net::TcpListener) -> Self {
        let program = example(name);
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "exec 3<&0; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" 0"])
            .arg(program.get_program())
            .stdin(std::os::fd::OwnedFd::from(listener));
        Serving::run(&mut shell)
    }

    fn run(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example was built");
        let out = child.stdout.as_mut().expect("it is piped");
        let mut line = String::new();
        BufReader::new(out)
            .read_line(&mut line)
            .expect("it prints its address");
        let start = line.find("127.0.0.1:").expect("the line names the address");
        let end = line[start..]
            .find(", ")
            .map_or(line.len(), |end| start + end);
        let address = line[start..end]
            .trim_end()
            .trim_end_matches('.')
            .parse()
            .expect("an address");
        Serving {
            child,
            line: line.trim_end().to_owned(),
            address,
        }
    }

    /// Sends SIGTERM, or the signal named, and asserts that the program ends with status 0.
    pub fn stop(mut self, name: &str) {
        signal(self.child.id(), name);
        let mut rest = String::new();
        if let Some(out) = &mut self.child.stdout {
            out.read_to_string(&mut rest).expect("it closes its output");
        }
        let status = self.child.wait().expect("it can be waited for");
        assert_eq!(status.code(), Some(0));
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Already gone after a clean stop.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
