//! Readers, writers and servers over real sockets: limits, ends, watermarks, faults of the peer.

#[path = "common/transfer.rs"]
mod transfer;

use std::{
    cell::{Cell, RefCell},
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    rc::Rc,
    thread,
    time::Duration,
};

use aio::{ReadError, StreamReader, StreamWriter, open_connection, start_server};

use transfer::pass_both_ways;

const PATIENCE: Duration = Duration::from_secs(20);

/// A reader for what a peer on a thread of its own sends before it closes.
async fn reader_of(bytes: Vec<u8>) -> io::Result<StreamReader> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || listener.accept().unwrap().0.write_all(&bytes).unwrap());
    Ok(open_connection(address).await?.0)
}

fn on_loop(test: impl AsyncFnOnce() -> io::Result<()>) -> io::Result<()> {
    aio::run(aio::wait_for(test(), PATIENCE))??
}

#[test]
fn reads_give_what_was_asked_and_the_end_gives_the_rest() -> io::Result<()> {
    on_loop(async || {
        let mut reader = reader_of(b"12345line\nrest--end--tail".to_vec()).await?;
        assert_eq!(reader.read_exactly(5).await?, b"12345");
        assert_eq!(reader.readline().await?, b"line\n");
        assert_eq!(reader.readuntil(b"--end--").await?, b"rest--end--");
        match reader.readuntil(b"\n").await {
            Err(ReadError::Incomplete {
                partial,
                expected: None,
            }) => assert_eq!(partial, b"tail"),
            other => panic!("{other:?}"),
        }
        assert!(reader.at_eof());
        assert_eq!(reader.read(10).await?, b"");
        match reader.read_exactly(3).await {
            Err(ReadError::Incomplete {
                partial,
                expected: Some(3),
            }) => assert_eq!(partial, b""),
            other => panic!("{other:?}"),
        }
        Ok(())
    })
}

#[test]
fn the_last_line_may_lack_its_end() -> io::Result<()> {
    on_loop(async || {
        let mut reader = reader_of(b"one\ntwo".to_vec()).await?;
        assert_eq!(reader.readline().await?, b"one\n");
        assert_eq!(reader.readline().await?, b"two");
        assert_eq!(reader.readline().await?, b"");
        Ok(())
    })
}

#[test]
fn a_separator_over_the_limit_is_an_error_that_keeps_the_bytes() -> io::Result<()> {
    on_loop(async || {
        let mut reader = reader_of([vec![b'x'; 5000], b"\nnext\n".to_vec()].concat()).await?;
        reader.set_limit(1000);
        match reader.readuntil(b"\n").await {
            Err(ReadError::LimitOverrun { held, limit: 1000 }) => assert!(held > 1000),
            other => panic!("{other:?}"),
        }
        assert_eq!(reader.read_exactly(5000).await?, vec![b'x'; 5000]);
        assert_eq!(reader.readline().await?, b"\n");
        assert_eq!(reader.readline().await?, b"next\n");
        Ok(())
    })
}

#[test]
fn a_cancelled_read_loses_nothing() -> io::Result<()> {
    on_loop(async || {
        let server = start_server(
            "127.0.0.1:0",
            async |mut reader: StreamReader, writer: StreamWriter| {
                writer.write(b"half");
                writer.drain().await?;
                reader.read_exactly(1).await?;
                writer.write(b" and half\n");
                writer.drain().await?;
                reader.read_to_end().await.map(drop)
            },
        )
        .await?;
        let (mut reader, writer) = open_connection(server.local_addr()).await?;
        assert!(
            aio::wait_for(reader.readline(), Duration::from_millis(30))
                .await
                .is_err()
        );
        writer.write(b"!");
        assert_eq!(reader.readline().await?, b"half and half\n");
        writer.close();
        writer.wait_closed().await?;
        assert_eq!(
            reader.read(1).await?,
            b"",
            "a reader whose socket was closed is at its end"
        );
        server.close(PATIENCE).await;
        Ok(())
    })
}

#[test]
fn large_amounts_pass_both_ways_and_in_order() -> io::Result<()> {
    on_loop(async || {
        let server = start_server(
            "127.0.0.1:0",
            async |mut reader: StreamReader, writer: StreamWriter| {
                loop {
                    let bytes = reader.read(64 * 1024).await?;
                    if bytes.is_empty() {
                        writer.write_eof();
                        return Ok::<(), io::Error>(());
                    }
                    writer.write(&bytes);
                    writer.drain().await?;
                }
            },
        )
        .await?;
        let (reader, writer) = open_connection(server.local_addr()).await?;
        pass_both_ways(reader, writer).await?;
        server.close(PATIENCE).await;
        Ok(())
    })
}

#[test]
fn drain_waits_for_a_peer_that_does_not_read() -> io::Result<()> {
    on_loop(async || {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (_reader, writer) = open_connection(listener.local_addr()?).await?;
        let (mut peer, _) = listener.accept()?;
        let size = 30_000_000;
        writer.write(&vec![7; size]);
        assert!(
            aio::wait_for(writer.drain(), Duration::from_millis(30))
                .await
                .is_err()
        );
        assert!(writer.write_buffer_size() > 64 * 1024);
        let reading = thread::spawn(move || {
            let mut bytes = Vec::new();
            peer.read_to_end(&mut bytes).unwrap();
            bytes.len()
        });
        writer.drain().await?;
        assert!(writer.write_buffer_size() <= 16 * 1024);
        writer.close();
        writer.wait_closed().await?;
        assert_eq!(reading.join().unwrap(), size);
        Ok(())
    })
}

#[test]
fn a_write_after_a_close_or_a_reset_is_told_by_drain() -> io::Result<()> {
    on_loop(async || {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (_reader, writer) = open_connection(listener.local_addr()?).await?;
        writer.close();
        writer.write(b"too late");
        assert_eq!(
            writer.drain().await.unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );

        let (mut reader, writer) = open_connection(listener.local_addr()?).await?;
        drop(listener);
        assert!(
            reader.read(1).await.is_err() || reader.at_eof(),
            "the peer is gone"
        );
        let failed = async {
            loop {
                writer.write(b"x");
                if let Err(error) = writer.drain().await {
                    return error;
                }
                aio::yield_now().await;
            }
        };
        failed.await;
        assert!(writer.drain().await.is_err(), "and again");
        Ok(())
    })
}

#[test]
fn what_is_written_arrives_also_when_nobody_drains() -> io::Result<()> {
    on_loop(async || {
        let server = start_server("127.0.0.1:0", async |_reader, writer: StreamWriter| {
            writer.write(b"by ");
            writer.write(b"itself");
        })
        .await?;
        let (mut reader, _writer) = open_connection(server.local_addr()).await?;
        assert_eq!(reader.read_to_end().await?, b"by itself");
        Ok(())
    })
}

#[test]
fn a_port_in_use_and_a_closed_port_are_errors_that_name_the_address() -> io::Result<()> {
    on_loop(async || {
        let taken = TcpListener::bind("127.0.0.1:0")?;
        let address = taken.local_addr()?;
        let error = start_server(address, async |_, _| ()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&address.to_string()), "{error}");
        drop(taken);
        let error = open_connection(address).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(error.to_string().contains(&address.to_string()), "{error}");
        let error = open_connection("no port here").await.unwrap_err();
        assert!(error.to_string().contains("no port here"), "{error}");
        Ok(())
    })
}

#[test]
fn streams_outside_a_loop_are_errors_that_say_what_to_do() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let error = runtime
        .block_on(open_connection("127.0.0.1:1"))
        .unwrap_err();
    assert!(error.to_string().contains("aio::run"), "{error}");
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let mut serving = std::pin::pin!(start_server("127.0.0.1:0", async |_, _| ()));
    match serving.as_mut().poll(&mut cx) {
        std::task::Poll::Ready(Err(error)) => {
            assert!(error.to_string().contains("aio::run"), "{error}")
        }
        _ => panic!("it needs a loop"),
    }
}

#[test]
fn one_handlers_end_harms_no_other_connection() -> io::Result<()> {
    on_loop(async || {
        let reports = Rc::new(RefCell::new(Vec::new()));
        let seen = reports.clone();
        aio::get_running_loop()?
            .set_exception_handler(move |context| seen.borrow_mut().push(context.to_string()));
        let server =
            start_server(
                "127.0.0.1:0",
                async |mut reader: StreamReader, writer: StreamWriter| match &reader
                    .readline()
                    .await?[..]
                {
                    b"panic\n" => panic!("as asked"),
                    b"fail\n" => Err(io::Error::other("as told")),
                    line => {
                        writer.write(line);
                        writer.drain().await
                    }
                },
            )
            .await?;
        let address = server.local_addr();
        let (mut patient, patient_writer) = open_connection(address).await?;
        for request in ["panic\n", "fail\n", "unfinis"] {
            let (mut reader, writer) = open_connection(address).await?;
            writer.write(request.as_bytes());
            writer.drain().await?;
            if request == "unfinis" {
                // Hangs up in the middle of a message; the handler takes it for a last line.
                writer.close();
                continue;
            }
            assert_eq!(reader.read_to_end().await?, b"", "the connection is closed");
        }
        patient_writer.write(b"still here\n");
        assert_eq!(patient.readline().await?, b"still here\n");
        server.close(PATIENCE).await;
        let reports = reports.borrow();
        assert!(
            reports.iter().any(|report| report.contains("as asked")),
            "{reports:?}"
        );
        assert!(
            reports.iter().any(|report| report.contains("as told")),
            "{reports:?}"
        );
        Ok(())
    })
}

#[test]
fn close_ends_idle_handlers_after_the_deadline_and_frees_the_port() -> io::Result<()> {
    on_loop(async || {
        struct Gone(Rc<Cell<bool>>);
        impl Drop for Gone {
            fn drop(&mut self) {
                self.0.set(true);
            }
        }
        let gone = Rc::new(Cell::new(false));
        let flag = gone.clone();
        let server = start_server(
            "127.0.0.1:0",
            async move |mut reader: StreamReader, _writer| {
                let _gone = Gone(flag.clone());
                reader.read_to_end().await.map(drop)
            },
        )
        .await?;
        let address = server.local_addr();
        let (mut reader, _writer) = open_connection(address).await?;
        while server.connections() == 0 {
            aio::yield_now().await;
        }
        server.close(Duration::from_millis(10)).await;
        assert!(gone.get() && !server.is_serving() && server.connections() == 0);
        server.serve_forever().await;
        assert!(reader.read(1).await.is_err() || reader.at_eof());
        TcpListener::bind(address)?;
        Ok(())
    })
}

#[test]
fn accepting_survives_a_storm_of_clients_that_hang_up() -> io::Result<()> {
    on_loop(async || {
        let server = aio::echo::serve("127.0.0.1:0").await?;
        let address = server.local_addr();
        let storm = thread::spawn(move || {
            for _ in 0..300 {
                drop(TcpStream::connect(address).unwrap());
            }
        });
        while !storm.is_finished() {
            aio::sleep(Duration::from_millis(1)).await;
        }
        let (mut reader, writer) = open_connection(address).await?;
        writer.write(b"alive?");
        let expected = format!("{} Your msg alive?", writer.local_addr()?);
        assert_eq!(
            reader.read_exactly(expected.len()).await?,
            expected.as_bytes()
        );
        writer.close();
        server.close(PATIENCE).await;
        Ok(())
    })
}
