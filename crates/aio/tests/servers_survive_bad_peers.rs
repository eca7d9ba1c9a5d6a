//! Peers that reset, never read, or come in thousands and hang up: each harms its own connection at most.

use std::{
    cell::{Cell, RefCell},
    fs, io,
    io::Write,
    net::{SocketAddr, TcpStream},
    rc::Rc,
    thread,
    time::Duration,
};

use aio::{ReadError, open_connection, start_server};

/// Guards against a hang; nothing waits this long.
const PATIENCE: Duration = Duration::from_secs(30);

fn on_loop(test: impl AsyncFnOnce() -> io::Result<()>) -> io::Result<()> {
    aio::run(aio::wait_for(test(), PATIENCE))??
}

async fn is_echoing(address: SocketAddr) -> io::Result<()> {
    let (mut reader, writer) = open_connection(address).await?;
    writer.write(b"alive?");
    let expected = format!("{} Your msg alive?", writer.local_addr()?);
    let answer = reader.read_exactly(expected.len()).await?;
    assert_eq!(answer, expected.as_bytes());
    writer.close();
    writer.wait_closed().await
}

#[test]
fn a_reset_in_the_middle_of_a_frame_is_an_error_of_that_connection_alone() -> io::Result<()> {
    on_loop(async || {
        let reports = Rc::new(RefCell::new(Vec::new()));
        let heard = reports.clone();
        aio::get_running_loop()?
            .set_exception_handler(move |context| heard.borrow_mut().push(context.to_string()));
        let (frame, arrived) = aio::create_future();
        let frame = RefCell::new(Some(frame));
        let server = start_server("127.0.0.1:0", async move |mut reader, writer| {
            // Unread by the peer, these bytes make its close a reset.
            writer.write(b"welcome");
            writer.drain().await?;
            let length = reader.read_exactly(1).await?[0];
            let body = reader.read_exactly(length.into()).await;
            if let Some(frame) = frame.borrow_mut().take() {
                frame.set(body.as_ref().map(Vec::len).map_err(kind));
            }
            body.map(drop)
        })
        .await?;
        let mut breaking = TcpStream::connect(server.local_addr())?;
        breaking.write_all(&[10, 1, 2, 3])?;
        breaking.set_nonblocking(true)?;
        while !breaking.peek(&mut [0; 7]).is_ok_and(|count| count == 7) {
            aio::yield_now().await;
        }
        let (_good_reader, good) = open_connection(server.local_addr()).await?;
        drop(breaking);
        let got = arrived.await.map_err(io::Error::other)?;
        assert_eq!(got, Err(io::ErrorKind::ConnectionReset));
        while reports.borrow().is_empty() {
            aio::yield_now().await;
        }
        assert!(
            reports.borrow()[0].contains("handler failed"),
            "{reports:?}"
        );
        good.write(&[2, 1, 2]);
        good.drain().await?;
        server.close(PATIENCE).await;
        assert_eq!(reports.borrow().len(), 1, "{reports:?}");
        Ok(())
    })
}

fn kind(error: &ReadError) -> io::ErrorKind {
    match error {
        ReadError::Io(error) => error.kind(),
        other => panic!("{other}"),
    }
}

#[test]
fn a_peer_that_never_reads_holds_up_its_own_handler_until_the_time_limit() -> io::Result<()> {
    on_loop(async || {
        let gave_up = Rc::new(Cell::new(0));
        let count = gave_up.clone();
        let server = start_server("127.0.0.1:0", async move |_reader, writer| {
            loop {
                writer.write(&[0; 64 * 1024]);
                match aio::wait_for(writer.drain(), Duration::from_millis(50)).await {
                    Ok(drained) => drained?,
                    Err(aio::TimedOut) => break,
                }
            }
            count.set(count.get() + 1);
            Ok::<(), io::Error>(())
        })
        .await?;
        let silent: Vec<_> = (0..3)
            .map(|_| TcpStream::connect(server.local_addr()))
            .collect::<Result<_, _>>()?;
        while gave_up.get() < 3 {
            aio::sleep(Duration::from_millis(5)).await;
        }
        server.close(Duration::ZERO).await;
        assert_eq!(server.connections(), 0);
        drop(silent);
        Ok(())
    })
}

#[test]
fn close_does_not_wait_for_a_peer_that_never_reads() -> io::Result<()> {
    on_loop(async || {
        let server = start_server("127.0.0.1:0", async move |_reader, writer| {
            writer.write(&vec![0; 30_000_000]);
            writer.drain().await
        })
        .await?;
        let silent = TcpStream::connect(server.local_addr())?;
        while server.connections() == 0 {
            aio::yield_now().await;
        }
        server.close(Duration::from_millis(20)).await;
        assert_eq!(server.connections(), 0);
        drop(silent);
        Ok(())
    })
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

#[test]
fn ten_thousand_connections_opened_and_dropped_leave_nothing() {
    const CLIENTS: usize = 10_000;
    /// At once, so that the usual limit of 1024 descriptors is enough for both ends.
    const BATCH: usize = 200;
    const CHILD: &str = "AIO_TEST_DESCRIPTORS";
    if std::env::var_os(CHILD).is_none() {
        // Descriptors are counted in a process that has no other tests.
        let name = "ten_thousand_connections_opened_and_dropped_leave_nothing";
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, "1")
            .status();
        assert!(status.unwrap().success());
        return;
    }
    let tested = on_loop(async || {
        let served = Rc::new(Cell::new(0));
        let count = served.clone();
        let server = start_server("127.0.0.1:0", async move |mut reader, _writer| {
            // A client that hung up at once may be a reset.
            let _ = reader.read(1).await;
            count.set(count.get() + 1);
        })
        .await?;
        let address = server.local_addr();
        let before = descriptors();
        let storm = thread::spawn(move || {
            for _ in 0..CLIENTS / BATCH {
                let batch: Result<Vec<_>, _> =
                    (0..BATCH).map(|_| TcpStream::connect(address)).collect();
                drop(batch.unwrap());
            }
        });
        while !storm.is_finished() || served.get() < CLIENTS {
            aio::sleep(Duration::from_millis(1)).await;
        }
        while server.connections() > 0 {
            aio::yield_now().await;
        }
        assert_eq!((served.get(), descriptors()), (CLIENTS, before));
        assert_eq!(
            aio::get_running_loop()?.all_tasks().len(),
            2,
            "main, server"
        );
        server.close(PATIENCE).await;
        let echo = aio::echo::serve("127.0.0.1:0").await?;
        is_echoing(echo.local_addr()).await?;
        echo.close(PATIENCE).await;
        Ok(())
    });
    tested.unwrap();
}
