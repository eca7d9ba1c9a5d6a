//! The services that IO-bound tasks ask, in a process of their own.
//!
//! They run on one event loop, so their own cost is small, and in another process, so it is not
//! counted as the cost of the model that asks.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use aio::http::{App, Request, Response};
use serde::{Deserialize, Serialize};

use crate::Failed;

/// How long the HTTP service thinks before it answers.
const DELAY: Duration = Duration::from_millis(20);
/// How long the services may take to start.
const START_DEADLINE: Duration = Duration::from_secs(10);

/// Where the services listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Services {
    /// Reads a number of eight bytes and four bytes of microseconds, gives the number back after these and closes.
    pub echo: SocketAddr,
    /// Answers GET `/hello/{name}` after 20 ms.
    pub http: SocketAddr,
}

/// The running services; they end when this is dropped, or with this process.
#[derive(Debug)]
pub struct Service {
    process: procs::Process<Result<(), Failed>>,
    services: Services,
}

impl Service {
    /// Starts both services on free loopback ports.
    ///
    /// # Errors
    /// When the process cannot be started, or does not say within 10 s where it listens.
    pub fn start() -> Result<Self, Failed> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .map_err(Failed::at("starting the services"))?;
        let report_to = listener
            .local_addr()
            .map_err(Failed::at("starting the services"))?;
        let mut process =
            procs::spawn(serve, report_to).map_err(Failed::at("starting the services"))?;
        match await_report(&listener, &mut process) {
            Ok(services) => Ok(Self { process, services }),
            Err(failed) => {
                let _ = process.kill();
                Err(failed)
            }
        }
    }

    /// Where they listen.
    #[must_use]
    pub fn addresses(&self) -> Services {
        self.services
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // A service holds nothing that needs an orderly end; one that has already died is as gone.
        if self.process.kill().is_ok() {
            let _ = self.process.join();
        }
    }
}

/// Waits until the new process connects and says where it listens, or dies.
fn await_report(
    listener: &TcpListener,
    process: &mut procs::Process<Result<(), Failed>>,
) -> Result<Services, Failed> {
    let step = "waiting for the services to start";
    listener.set_nonblocking(true).map_err(Failed::at(step))?;
    let deadline = Instant::now() + START_DEADLINE;
    while Instant::now() < deadline {
        match listener.accept() {
            Ok((stream, _)) => return read_report(stream).map_err(Failed::at(step)),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(Failed::new(step, e)),
        }
        if !process.is_alive() {
            return Err(match process.join() {
                Ok(Err(failed)) => failed,
                Ok(Ok(())) => Failed::new(step, "they ended at once"),
                Err(error) => Failed::new(step, error),
            });
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Err(Failed::new(step, "they did not report within 10 s"))
}

fn read_report(mut stream: TcpStream) -> std::io::Result<Services> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(START_DEADLINE))?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(serde_json::from_str(&text)?)
}

/// The body of the services' process: serves until it is killed or its parent ends.
#[procs::task]
fn serve(report_to: SocketAddr) -> Result<(), Failed> {
    let served = aio::run(async move { listen(report_to).await.map_err(Failed::at("serving")) });
    served.map_err(Failed::at("running the services' event loop"))?
}

async fn listen(report_to: SocketAddr) -> std::io::Result<()> {
    let echo = aio::start_server("127.0.0.1:0", answer_echo).await?;
    let app = App::new().get("/hello/{name}", hello);
    let http = aio::http::Server::bind(app, "127.0.0.1:0").await?;
    let services = Services {
        echo: echo.local_addr(),
        http: http.local_addr(),
    };
    TcpStream::connect(report_to)?.write_all(serde_json::to_string(&services)?.as_bytes())?;
    http.serve_forever().await;
    Ok(())
}

async fn answer_echo(mut reader: aio::StreamReader, writer: aio::StreamWriter) {
    // A client that hangs up in the middle has ended its own task; there is nobody to tell.
    let Ok(question) = reader.read_exactly(12).await else {
        return;
    };
    let (number, delay) = question.split_at(8);
    let delay = delay
        .iter()
        .fold(0, |delay, byte| delay << 8 | u64::from(*byte));
    aio::sleep(Duration::from_micros(delay)).await;
    writer.write(number);
    let _ = writer.drain().await;
}

async fn hello(request: Request) -> Response {
    aio::sleep(DELAY).await;
    let name = request.match_info("name").unwrap_or_default();
    Response::html(format!("<h1>hello, {}!</h1>", aio::http::escape(name)))
}
