//! Unix sockets and their files, and datagrams: what arrives, what is refused, what is left behind.

#[path = "common/transfer.rs"]
mod transfer;

use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::net::UnixListener,
    path::PathBuf,
    time::Duration,
};

use aio::{DatagramEndpoint, StreamReader, StreamWriter, open_unix_connection, start_unix_server};

use transfer::pass_both_ways;

const PATIENCE: Duration = Duration::from_secs(20);

fn on_loop(test: impl AsyncFnOnce() -> io::Result<()>) -> io::Result<()> {
    aio::run(aio::wait_for(test(), PATIENCE))??
}

/// A path of its own for each test; what is there is removed at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let place = std::env::temp_dir().join(format!("aio-{}-{name}", std::process::id()));
        let _ = fs::remove_file(&place);
        Place(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Most tests have removed it.
        let _ = fs::remove_file(&self.0);
    }
}

async fn echo(mut reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
    loop {
        let bytes = reader.read(64 * 1024).await?;
        if bytes.is_empty() {
            return Ok(());
        }
        writer.write(&bytes);
        writer.drain().await?;
    }
}

#[test]
fn large_amounts_pass_both_ways_and_the_file_goes_with_the_server() -> io::Result<()> {
    let place = Place::new("echo");
    on_loop(async || {
        let server = start_unix_server(&place.0, echo).await?;
        assert_eq!(server.path(), place.0);
        let (reader, writer) = open_unix_connection(&place.0).await?;
        assert_eq!(
            writer.peer_cred().unwrap().pid(),
            Some(std::process::id() as i32)
        );
        assert_eq!(
            writer.peer_addr().unwrap_err().kind(),
            ErrorKind::NotConnected
        );
        pass_both_ways(reader, writer).await?;
        assert!(place.0.exists());
        server.close(PATIENCE).await;
        assert!(!place.0.exists());
        let refused = open_unix_connection(&place.0).await.unwrap_err();
        assert!(
            refused.to_string().contains(place.0.to_str().unwrap()),
            "{refused}"
        );
        Ok(())
    })
}

#[test]
fn a_file_without_a_listener_is_replaced_and_one_with_a_listener_is_not() -> io::Result<()> {
    let place = Place::new("stale");
    on_loop(async || {
        // A listener that is dropped leaves its file, as a program that was killed does.
        drop(UnixListener::bind(&place.0)?);
        let server = start_unix_server(&place.0, echo).await?;
        let refused = start_unix_server(&place.0, echo).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AddrInUse);
        let (mut reader, writer) = open_unix_connection(&place.0).await?;
        writer.write(b"alive");
        assert_eq!(reader.read_exactly(5).await?, b"alive");
        writer.close();
        server.close(PATIENCE).await;

        fs::write(&place.0, "not a socket")?;
        assert!(start_unix_server(&place.0, echo).await.is_err());
        assert_eq!(fs::read(&place.0)?, b"not a socket");
        Ok(())
    })
}

#[test]
fn a_server_does_not_remove_the_file_of_its_successor() -> io::Result<()> {
    let place = Place::new("successor");
    on_loop(async || {
        let first = start_unix_server(&place.0, echo).await?;
        fs::remove_file(&place.0)?;
        let second = start_unix_server(&place.0, echo).await?;
        first.close(PATIENCE).await;
        assert!(place.0.exists());
        let (mut reader, writer) = open_unix_connection(&place.0).await?;
        writer.write(b"second");
        assert_eq!(reader.read_exactly(6).await?, b"second");
        writer.close();
        second.close(PATIENCE).await;
        Ok(())
    })
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_without_a_file_serves_too() -> io::Result<()> {
    on_loop(async || {
        let name = format!("\0aio-{}", std::process::id());
        let server = start_unix_server(&name, echo).await?;
        let (mut reader, writer) = open_unix_connection(&name).await?;
        writer.write(b"abstract");
        assert_eq!(reader.read_exactly(8).await?, b"abstract");
        writer.close();
        server.close(PATIENCE).await;
        Ok(())
    })
}

#[test]
fn datagrams_are_whole_and_tell_their_sender() -> io::Result<()> {
    on_loop(async || {
        let server = DatagramEndpoint::bind("127.0.0.1:0").await?;
        let client = DatagramEndpoint::connect(server.local_addr()?).await?;
        assert_eq!(client.peer_addr()?, server.local_addr()?);
        let large = vec![7; 60_000];
        for datagram in [&b""[..], b"small", &large] {
            client.send(datagram).await?;
            let (bytes, sender) = server.receive_from().await?;
            assert_eq!((&bytes[..], sender), (datagram, client.local_addr()?));
        }
        client.send(b"longer than the buffer").await?;
        let mut buffer = [0; 6];
        assert_eq!(server.receive_into(&mut buffer).await?.0, 6);
        assert_eq!(&buffer, b"longer");
        server.try_send_to(b"answer", client.local_addr()?)?;
        assert_eq!(client.receive().await?, b"answer");
        Ok(())
    })
}

#[test]
fn a_cancelled_receive_loses_no_datagram() -> io::Result<()> {
    on_loop(async || {
        let server = DatagramEndpoint::bind("127.0.0.1:0").await?;
        let client = DatagramEndpoint::connect(server.local_addr()?).await?;
        assert!(
            aio::wait_for(server.receive(), Duration::from_millis(5))
                .await
                .is_err()
        );
        client.send(b"late").await?;
        assert_eq!(server.receive().await?, b"late");
        Ok(())
    })
}

#[test]
fn what_cannot_be_sent_or_reached_is_an_error() -> io::Result<()> {
    on_loop(async || {
        let server = DatagramEndpoint::bind("127.0.0.1:0").await?;
        let address = server.local_addr()?;
        assert!(
            server.send(b"to whom?").await.is_err(),
            "it is not connected"
        );
        assert!(server.peer_addr().is_err());
        assert!(
            server.send_to(&vec![0; 70_000], address).await.is_err(),
            "too large"
        );
        let taken = DatagramEndpoint::bind(address).await.unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        assert!(taken.to_string().contains(&address.to_string()), "{taken}");
        drop(server);
        let client = DatagramEndpoint::connect(address).await?;
        client.send(b"anybody there?").await?;
        let refused = client.receive().await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        Ok(())
    })
}

#[test]
fn a_socket_set_up_elsewhere_serves_too() -> io::Result<()> {
    on_loop(async || {
        let own = std::net::UdpSocket::bind("127.0.0.1:0")?;
        own.set_ttl(7)?;
        let endpoint = DatagramEndpoint::from_std(own)?;
        endpoint.set_broadcast(true)?;
        assert!(endpoint.socket().broadcast()? && endpoint.socket().ttl()? == 7);
        endpoint
            .send_to(b"to itself", endpoint.local_addr()?)
            .await?;
        assert_eq!(endpoint.receive().await?, b"to itself");
        Ok(())
    })
}
