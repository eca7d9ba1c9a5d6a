//! Protocols: which callbacks come, in which order, with what; watermarks, ends, and faults on both sides.

use std::{
    cell::{Cell, RefCell},
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    rc::Rc,
    thread,
    time::Duration,
};

use aio::{Protocol, Setter, Transport, create_connection, create_server, open_connection};

const PATIENCE: Duration = Duration::from_secs(20);

fn on_loop(test: impl AsyncFnOnce() -> io::Result<()>) -> io::Result<()> {
    aio::run(aio::wait_for(test(), PATIENCE))??
}

type Log = Rc<RefCell<Vec<String>>>;

/// Notes each call, does what a closure says on data, and tells when the connection is lost.
struct Noting<F> {
    log: Log,
    on_data: F,
    stays_at_eof: bool,
    lost: Option<Setter<()>>,
}

impl<F: FnMut(&Transport, &[u8]) + 'static> Noting<F> {
    fn new(log: &Log, on_data: F) -> Self {
        Noting {
            log: log.clone(),
            on_data,
            stays_at_eof: false,
            lost: None,
        }
    }

    fn note(&self, what: impl Into<String>) {
        self.log.borrow_mut().push(what.into());
    }
}

impl<F: FnMut(&Transport, &[u8]) + 'static> Protocol for Noting<F> {
    fn connection_made(&mut self, transport: &Transport) {
        assert!(transport.is_reading() && !transport.is_closing());
        self.note("made");
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.note(format!("data {}", String::from_utf8_lossy(data)));
        (self.on_data)(transport, data);
    }

    fn eof_received(&mut self, transport: &Transport) -> bool {
        self.note("eof");
        if self.stays_at_eof {
            transport.write(b"after the end");
            transport.write_eof();
            transport.close();
        }
        self.stays_at_eof
    }

    fn pause_writing(&mut self, _: &Transport) {
        self.note("pause");
    }

    fn resume_writing(&mut self, _: &Transport) {
        self.note("resume");
    }

    fn connection_lost(&mut self, transport: &Transport, error: Option<&io::Error>) {
        assert!(transport.is_closing() && transport.write_buffer_size() == 0);
        self.note(format!("lost {:?}", error.map(io::Error::kind)));
        if let Some(lost) = self.lost.take() {
            lost.set(());
        }
    }
}

/// What the log says, once `count` entries are there.
async fn entries(log: &Log, count: usize) -> Vec<String> {
    while log.borrow().len() < count {
        aio::sleep(Duration::from_millis(1)).await;
    }
    log.borrow().clone()
}

#[test]
fn a_connection_is_made_used_ended_and_lost() -> io::Result<()> {
    on_loop(async || {
        let log = Log::default();
        let served = log.clone();
        let server = create_server("127.0.0.1:0", move || {
            Noting::new(&served, |transport: &Transport, data: &[u8]| {
                transport.write(data)
            })
        })
        .await?;
        let (mut reader, writer) = open_connection(server.local_addr()).await?;
        writer.write(b"one");
        assert_eq!(reader.read_exactly(3).await?, b"one");
        writer.write(b"two");
        assert_eq!(reader.read_exactly(3).await?, b"two");
        writer.write_eof();
        assert_eq!(
            reader.read_to_end().await?,
            b"",
            "closed, for eof_received gave false"
        );
        let expected = ["made", "data one", "data two", "eof", "lost None"];
        assert_eq!(entries(&log, 5).await, expected);
        server.close(PATIENCE).await;
        assert_eq!(server.connections(), 0);
        Ok(())
    })
}

#[test]
fn a_half_closed_connection_still_writes() -> io::Result<()> {
    on_loop(async || {
        let log = Log::default();
        let served = log.clone();
        let server = create_server("127.0.0.1:0", move || Noting {
            stays_at_eof: true,
            ..Noting::new(&served, |_: &Transport, _: &[u8]| ())
        })
        .await?;
        let (mut reader, writer) = open_connection(server.local_addr()).await?;
        writer.write_eof();
        assert_eq!(reader.read_to_end().await?, b"after the end");
        assert_eq!(entries(&log, 3).await, ["made", "eof", "lost None"]);
        Ok(())
    })
}

#[test]
fn both_sides_can_be_protocols_and_large_amounts_pass() -> io::Result<()> {
    const SIZE: usize = 3_000_000;
    struct Collect(Vec<u8>, Option<Setter<Vec<u8>>>);
    impl Protocol for Collect {
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            self.0.extend_from_slice(data);
            if self.0.len() == SIZE {
                self.1.take().unwrap().set(std::mem::take(&mut self.0));
                transport.close();
            }
        }
    }
    on_loop(async || {
        let log = Log::default();
        let server = create_server("127.0.0.1:0", move || {
            Noting::new(&log, |transport: &Transport, data: &[u8]| {
                transport.write(data)
            })
        })
        .await?;
        let (setter, echoed) = aio::create_future();
        let factory = || Collect(Vec::new(), Some(setter));
        let transport = create_connection(server.local_addr(), factory).await?;
        assert_eq!(transport.peer_addr()?, server.local_addr());
        let sent: Vec<u8> = (0..SIZE).map(|number| (number % 251) as u8).collect();
        transport.write(&sent);
        assert!(echoed.await.unwrap() == sent);
        server.close(PATIENCE).await;
        Ok(())
    })
}

#[test]
fn writing_pauses_above_the_high_mark_and_resumes_at_the_low_one() -> io::Result<()> {
    on_loop(async || {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let log = Log::default();
        let protocol = Noting::new(&log, |_: &Transport, _: &[u8]| ());
        let transport = create_connection(listener.local_addr()?, || protocol).await?;
        let (mut peer, _) = listener.accept()?;
        transport.set_write_buffer_limits(1000, 2000);
        assert_eq!(transport.write_buffer_limits(), (1000, 1000));
        let size = 20_000_000;
        transport.write(&vec![7; size]);
        assert_eq!(entries(&log, 2).await, ["made", "pause"]);
        let reading = thread::spawn(move || {
            let mut bytes = Vec::new();
            peer.read_to_end(&mut bytes).unwrap();
            bytes.len()
        });
        assert_eq!(entries(&log, 3).await[2], "resume");
        assert!(transport.write_buffer_size() <= 1000);
        transport.close();
        assert_eq!(entries(&log, 4).await[3], "lost None");
        assert_eq!(
            reading.join().unwrap(),
            size,
            "close sends what was written"
        );
        Ok(())
    })
}

#[test]
fn abort_drops_what_is_unsent_and_later_writes_are_reported_once() -> io::Result<()> {
    on_loop(async || {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let log = Log::default();
        let reports = Log::default();
        let reported = reports.clone();
        aio::get_running_loop()?
            .set_exception_handler(move |context| reported.borrow_mut().push(context.to_string()));
        let protocol = Noting::new(&log, |_: &Transport, _: &[u8]| ());
        let transport = create_connection(listener.local_addr()?, || protocol).await?;
        transport.write(&vec![7; 20_000_000]);
        transport.abort();
        assert!(transport.is_closing() && transport.write_buffer_size() == 0);
        assert!(
            transport.with_fd(|_| ()).is_err(),
            "its descriptor is closed"
        );
        assert_eq!(entries(&log, 2).await.last().unwrap(), "lost None");
        for _ in 0..20 {
            transport.write(b"too late");
        }
        assert_eq!(reports.borrow().len(), 1, "{reports:?}");
        assert!(reports.borrow()[0].contains("goes on writing"));
        Ok(())
    })
}

#[test]
fn a_paused_reader_holds_the_peer_back() -> io::Result<()> {
    on_loop(async || {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (log, pausing) = (Log::default(), Rc::new(Cell::new(true)));
        let pauses = pausing.clone();
        let protocol = Noting::new(&log, move |transport: &Transport, _: &[u8]| {
            if pauses.get() {
                transport.pause_reading();
            }
        });
        let transport = create_connection(listener.local_addr()?, || protocol).await?;
        let (mut peer, _) = listener.accept()?;
        peer.write_all(b"first")?;
        assert_eq!(entries(&log, 2).await, ["made", "data first"]);
        assert!(!transport.is_reading());
        peer.write_all(b"second")?;
        peer.shutdown(Shutdown::Write)?;
        // Another connection, whose bytes come after these: when they are told, these would have been.
        let later = Log::default();
        let reading = Noting::new(&later, |_: &Transport, _: &[u8]| ());
        let _other = create_connection(listener.local_addr()?, || reading).await?;
        listener.accept()?.0.write_all(b"later")?;
        entries(&later, 2).await;
        assert_eq!(log.borrow().len(), 2);
        pausing.set(false);
        transport.resume_reading();
        let expected = ["made", "data first", "data second", "eof", "lost None"];
        assert_eq!(entries(&log, 5).await, expected);
        Ok(())
    })
}

#[test]
fn a_panic_in_a_callback_is_reported_and_ends_its_connection_only() -> io::Result<()> {
    on_loop(async || {
        let (log, reports) = (Log::default(), Log::default());
        let reported = reports.clone();
        aio::get_running_loop()?
            .set_exception_handler(move |context| reported.borrow_mut().push(context.to_string()));
        let served = log.clone();
        let server = create_server("127.0.0.1:0", move || {
            Noting::new(&served, |transport: &Transport, data: &[u8]| {
                assert_ne!(data, b"panic", "as asked");
                transport.write(data);
            })
        })
        .await?;
        let (mut other, other_writer) = open_connection(server.local_addr()).await?;
        other_writer.write(b"ok");
        assert_eq!(other.read_exactly(2).await?, b"ok");
        let (mut reader, writer) = open_connection(server.local_addr()).await?;
        writer.write(b"panic");
        assert_eq!(reader.read_to_end().await?, b"");
        assert!(reports.borrow()[0].contains("as asked"), "{reports:?}");
        let log = entries(&log, 5).await;
        assert_eq!(log.last().unwrap(), "lost Some(Other)");
        other_writer.write(b"still");
        assert_eq!(other.read_exactly(5).await?, b"still");
        Ok(())
    })
}

#[test]
fn a_reset_is_told_as_the_error_it_is() -> io::Result<()> {
    on_loop(async || {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let log = Log::default();
        let protocol = Noting::new(&log, |_: &Transport, _: &[u8]| ());
        let transport = create_connection(listener.local_addr()?, || protocol).await?;
        let (peer, _) = listener.accept()?;
        transport.write(b"never read");
        // Bytes that nobody has read make the system reset the connection when it is closed.
        peer.peek(&mut [0])?;
        drop(peer);
        assert_eq!(
            entries(&log, 2).await,
            ["made", "lost Some(ConnectionReset)"]
        );
        Ok(())
    })
}

#[test]
fn servers_and_loops_that_close_tell_every_protocol() -> io::Result<()> {
    let log = Log::default();
    on_loop(async || {
        let served = log.clone();
        let server = create_server("127.0.0.1:0", move || {
            Noting::new(&served, |_: &Transport, _: &[u8]| ())
        })
        .await?;
        let client = TcpStream::connect(server.local_addr())?;
        entries(&log, 1).await;
        server.close(Duration::from_millis(5)).await;
        assert_eq!(*log.borrow(), ["made", "lost None"]);
        drop(client);

        let listener = TcpListener::bind("127.0.0.1:0")?;
        let protocol = Noting::new(&log, |_: &Transport, _: &[u8]| ());
        create_connection(listener.local_addr()?, || protocol).await?;
        Ok(())
    })?;
    assert_eq!(*log.borrow(), ["made", "lost None", "made", "lost None"]);
    Ok(())
}

#[test]
fn unix_sockets_have_protocols_too() -> io::Result<()> {
    let place = std::env::temp_dir().join(format!("aio-protocol-{}", std::process::id()));
    on_loop(async || {
        let log = Log::default();
        let served = log.clone();
        let server = aio::create_unix_server(&place, move || {
            Noting::new(&served, |transport: &Transport, data: &[u8]| {
                transport.write(data)
            })
        })
        .await?;
        let client = Log::default();
        let (setter, lost) = aio::create_future();
        let protocol = Noting {
            lost: Some(setter),
            ..Noting::new(&client, |transport: &Transport, _: &[u8]| transport.close())
        };
        let transport = aio::create_unix_connection(&place, || protocol).await?;
        assert_eq!(
            transport.peer_cred().unwrap().pid(),
            Some(std::process::id() as i32)
        );
        transport.write(b"hi");
        lost.await.unwrap();
        assert_eq!(*client.borrow(), ["made", "data hi", "lost None"]);
        server.close(PATIENCE).await;
        assert_eq!(*log.borrow(), ["made", "data hi", "eof", "lost None"]);
        Ok(())
    })
}

#[cfg(feature = "tls")]
#[test]
fn encrypted_protocols_send_everything() -> io::Result<()> {
    use aio::tls;

    const SIZE: usize = 1_000_000;
    on_loop(async || {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = made.cert.pem();
        let config = tls::ServerConfig::from_pem(&certificate, made.signing_key.serialize_pem())?;
        let log = Log::default();
        let server = tls::create_server("127.0.0.1:0", &config, move || {
            Noting::new(&log, |transport: &Transport, data: &[u8]| {
                transport.write(data)
            })
        })
        .await?;
        let client = tls::ClientConfig::with_roots(&certificate)?;
        let (mut reader, writer) =
            tls::open_connection(server.local_addr(), "localhost", &client).await?;
        let sent: Vec<u8> = (0..SIZE).map(|number| (number % 249) as u8).collect();
        writer.write(&sent);
        assert!(reader.read_exactly(SIZE).await? == sent);
        writer.close();

        let notes = Log::default();
        let (setter, lost) = aio::create_future();
        let protocol = Noting {
            lost: Some(setter),
            ..Noting::new(&notes, |transport: &Transport, _: &[u8]| transport.close())
        };
        let address = server.local_addr();
        let transport = tls::create_connection(address, "localhost", &client, || protocol).await?;
        transport.write(b"secret");
        lost.await.unwrap();
        assert_eq!(*notes.borrow(), ["made", "data secret", "lost None"]);
        server.close(PATIENCE).await;
        Ok(())
    })
}
