//! Processes and coroutines: an HTTP loop in a process for each processor, all on one port. A process that dies takes
//! only the requests that it was answering along, and is replaced.
//!
//! `cargo run -p benches --example prefork_http -- 8000` serves until ctrl-c. `/` tells which process answered; kill it
//! and ask again:
//!
//! ```text
//! Server started at http://127.0.0.1:8000..., in processes 4101, 4102
//! Process 4101 ended, process 4107 takes its place
//! ```

use std::net::TcpListener;
use std::time::Duration;

use aio::http::{App, Listener, Request, Server};
use procs::{Descriptor, Process, ProcessError};

type Error = Box<dyn std::error::Error>;

#[procs::task]
fn serve(listener: Descriptor) -> Result<(), String> {
    let served = aio::run(async {
        let listener = Listener::from_tcp(TcpListener::from(listener.into_inner()))?;
        let answer = format!("process {}\n", std::process::id());
        let app = App::new().get("/", async move |_: Request| answer.clone());
        let server = Server::start(app, [listener]).await?;
        aio::shutdown_signal()?.await;
        server.close(Duration::from_secs(5)).await;
        Ok::<(), std::io::Error>(())
    });
    served
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())
}

fn start(listener: &TcpListener) -> Result<Process<Result<(), String>>, Error> {
    Ok(procs::spawn(serve, Descriptor::new(listener.try_clone()?))?)
}

async fn supervise(listener: TcpListener) -> Result<(), Error> {
    let mut signal = std::pin::pin!(aio::shutdown_signal()?);
    let mut processes = (0..procs::cpu_count())
        .map(|_| start(&listener))
        .collect::<Result<Vec<_>, _>>()?;
    let pids: Vec<String> = processes
        .iter()
        .map(|process| process.pid().to_string())
        .collect();
    println!(
        "Server started at http://{}..., in processes {}",
        listener.local_addr()?,
        pids.join(", ")
    );
    while aio::wait_for(signal.as_mut(), Duration::from_millis(50))
        .await
        .is_err()
    {
        for process in processes.iter_mut().filter(|process| !process.is_alive()) {
            let next = start(&listener)?;
            println!(
                "Process {} ended, process {} takes its place",
                process.pid(),
                next.pid()
            );
            *process = next;
        }
    }
    for process in &processes {
        process.terminate()?;
    }
    for process in &mut processes {
        // One that had only just begun is ended by the signal itself, which is as well.
        if let Err(ProcessError::TimedOut) = process.join_for(Duration::from_secs(10)) {
            process.kill()?;
        }
    }
    Ok(())
}

fn main() -> Result<(), Error> {
    procs::init();
    let port = std::env::args().nth(1).unwrap_or_else(|| "8000".into());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    aio::run(supervise(listener))?
}
