//! TLS: what it carries, whom it refuses, and that nothing about it waits for ever.
#![cfg(feature = "tls")]

#[path = "common/transfer.rs"]
mod transfer;

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use aio::{
    StreamReader, StreamWriter, TlsError, open_connection, start_server,
    tls::{self, ClientConfig, ServerConfig},
};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};

use transfer::pass_both_ways;

const PATIENCE: Duration = Duration::from_secs(20);

fn on_loop(test: impl AsyncFnOnce() -> io::Result<()>) -> io::Result<()> {
    aio::run(aio::wait_for(test(), PATIENCE))??
}

/// An authority that the tests trust, or do not.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate and its key.
    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn server(&self) -> ServerConfig {
        let (certificate, key) = self.issue("localhost");
        ServerConfig::from_pem(certificate, key).unwrap()
    }

    fn client(&self) -> ClientConfig {
        ClientConfig::with_roots(self.pem()).unwrap()
    }
}

async fn echo(mut reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
    loop {
        let bytes = reader.read(64 * 1024).await?;
        if bytes.is_empty() {
            writer.close();
            return writer.wait_closed().await;
        }
        writer.write(&bytes);
        writer.drain().await?;
    }
}

#[test]
fn large_amounts_pass_both_ways_and_in_order() -> io::Result<()> {
    on_loop(async || {
        let authority = Authority::new();
        let server = tls::start_server("127.0.0.1:0", &authority.server(), echo).await?;
        let (reader, writer) =
            tls::open_connection(server.local_addr(), "localhost", &authority.client()).await?;
        pass_both_ways(reader, writer).await?;
        server.close(PATIENCE).await;
        Ok(())
    })
}

#[test]
fn what_is_written_arrives_when_the_halves_are_just_dropped() -> io::Result<()> {
    on_loop(async || {
        let authority = Authority::new();
        let server = tls::start_server(
            "127.0.0.1:0",
            &authority.server(),
            async |_reader, writer: StreamWriter| writer.write(b"by itself"),
        )
        .await?;
        let (mut reader, _writer) =
            tls::open_connection(server.local_addr(), "localhost", &authority.client()).await?;
        assert_eq!(reader.read_to_end().await?, b"by itself");
        Ok(())
    })
}

#[test]
fn a_connection_that_is_cut_is_no_end() -> io::Result<()> {
    on_loop(async || {
        let authority = Authority::new();
        let server = tls::start_server(
            "127.0.0.1:0",
            &authority.server(),
            async |_reader, writer: StreamWriter| {
                writer.write(b"half of");
                writer.drain().await?;
                writer.abort();
                assert!(writer.is_closing());
                writer.wait_closed().await
            },
        )
        .await?;
        let (mut reader, _writer) =
            tls::open_connection(server.local_addr(), "localhost", &authority.client()).await?;
        let error = reader.read_to_end().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(reader.read(100).await?, b"half of", "what came is kept");
        Ok(())
    })
}

#[test]
fn strangers_and_false_names_are_refused() -> io::Result<()> {
    on_loop(async || {
        let authority = Authority::new();
        let server = tls::start_server("127.0.0.1:0", &authority.server(), echo).await?;
        let address = server.local_addr();
        let stranger = Authority::new().client();
        let refused = tls::open_connection(address, "localhost", &stranger).await;
        let text = refused.unwrap_err().to_string();
        assert!(
            text.contains("localhost") && text.contains("certificate"),
            "{text}"
        );
        let client = authority.client();
        let refused = tls::open_connection(address, "example.com", &client).await;
        assert!(refused.unwrap_err().to_string().contains("example.com"));
        let error = tls::open_connection(address, "no:port", &client).await;
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        server.close(PATIENCE).await;
        Ok(())
    })
}

#[test]
fn a_server_may_ask_its_clients_who_they_are() -> io::Result<()> {
    on_loop(async || {
        let authority = Authority::new();
        let config = authority.server().require_clients(authority.pem())?;
        let server = tls::start_server(
            "127.0.0.1:0",
            &config,
            async |_reader, writer: StreamWriter| {
                let shown = writer.peer_certificates().len();
                writer.write(format!("{shown} shown").as_bytes());
            },
        )
        .await?;
        let address = server.local_addr();
        // In TLS 1.3 the client's handshake ends before the server has looked at what it shows.
        let refused = async {
            let client = authority.client();
            let (mut reader, _writer) = tls::open_connection(address, "localhost", &client).await?;
            reader.read_to_end().await
        };
        assert!(refused.await.is_err());
        let (certificate, key) = authority.issue("client");
        let client = authority.client().identity(certificate, key)?;
        let (mut reader, writer) = tls::open_connection(address, "localhost", &client).await?;
        assert_eq!(reader.read_to_end().await?, b"1 shown");
        assert_eq!(writer.peer_certificates().len(), 1);
        Ok(())
    })
}

#[test]
fn the_protocol_within_is_agreed_on() -> io::Result<()> {
    on_loop(async || {
        let authority = Authority::new();
        let config = authority.server().alpn(["h2", "http/1.1"]);
        let server = tls::start_server("127.0.0.1:0", &config, echo).await?;
        let address = server.local_addr();
        let client = authority.client().alpn(["http/1.1"]);
        let (_reader, writer) = tls::open_connection(address, "localhost", &client).await?;
        assert_eq!(writer.alpn_protocol().as_deref(), Some(&b"http/1.1"[..]));
        assert_eq!(writer.peer_addr()?, address);
        let client = authority.client().alpn(["gopher"]);
        assert!(
            tls::open_connection(address, "localhost", &client)
                .await
                .is_err()
        );
        writer.close();
        server.close(PATIENCE).await;
        Ok(())
    })
}

#[test]
fn handshakes_that_do_not_end_are_ended() -> io::Result<()> {
    on_loop(async || {
        let authority = Authority::new();
        let silent = TcpListener::bind("127.0.0.1:0")?;
        let hasty = authority
            .client()
            .handshake_timeout(Duration::from_millis(20));
        let never = tls::open_connection(silent.local_addr()?, "localhost", &hasty).await;
        assert_eq!(never.unwrap_err().kind(), io::ErrorKind::TimedOut);

        let hasty = authority
            .server()
            .handshake_timeout(Duration::from_millis(20));
        let server = tls::start_server("127.0.0.1:0", &hasty, echo).await?;
        let mut client = TcpStream::connect(server.local_addr())?;
        let hung_up = aio::to_thread(move || client.read(&mut [0; 10]));
        assert_eq!(hung_up.await??, 0);
        server.close(PATIENCE).await;
        Ok(())
    })
}

#[test]
fn noise_instead_of_a_handshake_harms_no_other_client() -> io::Result<()> {
    on_loop(async || {
        let authority = Authority::new();
        let server = tls::start_server("127.0.0.1:0", &authority.server(), echo).await?;
        let address = server.local_addr();
        let noise = thread::spawn(move || {
            let mut client = TcpStream::connect(address).unwrap();
            client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
            let mut answer = Vec::new();
            // An alert, or a reset: not an echo.
            let _ = client.read_to_end(&mut answer);
            assert!(!answer.starts_with(b"GET"));
        });
        let (mut reader, writer) =
            tls::open_connection(address, "localhost", &authority.client()).await?;
        writer.write(b"fine");
        assert_eq!(reader.read_exactly(4).await?, b"fine");
        aio::to_thread(move || noise.join().unwrap()).await?;
        writer.close();
        server.close(PATIENCE).await;
        assert_eq!(server.connections(), 0);
        Ok(())
    })
}

#[test]
fn an_open_connection_goes_on_encrypted() -> io::Result<()> {
    on_loop(async || {
        let authority = Authority::new();
        let config = authority.server();
        let server = start_server(
            "127.0.0.1:0",
            async move |mut reader: StreamReader, writer: StreamWriter| {
                assert_eq!(reader.readline().await?, b"STARTTLS\n");
                writer.write(b"go ahead\n");
                let (reader, writer) = tls::accept(reader, writer, &config).await?;
                echo(reader, writer).await
            },
        )
        .await?;
        let (mut reader, writer) = open_connection(server.local_addr()).await?;
        writer.write(b"STARTTLS\n");
        assert_eq!(reader.readline().await?, b"go ahead\n");
        let (mut reader, writer) =
            tls::connect(reader, writer, "localhost", &authority.client()).await?;
        writer.write(b"secret");
        assert_eq!(reader.read_exactly(6).await?, b"secret");
        writer.close();
        assert_eq!(reader.read(1).await?, b"");
        server.close(PATIENCE).await;
        Ok(())
    })
}

#[test]
fn bytes_slipped_in_before_the_handshake_are_an_error() -> io::Result<()> {
    on_loop(async || {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (mut reader, writer) = open_connection(listener.local_addr()?).await?;
        listener
            .accept()?
            .0
            .write_all(b"go ahead\n250 slipped in\n")?;
        assert_eq!(reader.readline().await?, b"go ahead\n");
        let upgraded = tls::connect(reader, writer, "localhost", &Authority::new().client()).await;
        assert_eq!(upgraded.unwrap_err().kind(), io::ErrorKind::InvalidData);
        Ok(())
    })
}

#[test]
fn useless_certificates_and_keys_are_named() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("localhost");
    let other_key = KeyPair::generate().unwrap().serialize_pem();
    let refused = |chain: &str, key: &str| ServerConfig::from_pem(chain, key).unwrap_err();
    assert!(matches!(refused("", &key), TlsError::NoCertificate));
    assert!(matches!(refused(&certificate, ""), TlsError::NoKey));
    assert!(matches!(
        refused(&certificate, &other_key),
        TlsError::Refused(_)
    ));
    let torn = certificate.replace("-----END CERTIFICATE-----", "");
    assert!(matches!(refused(&torn, &key), TlsError::BadPem(_)));
    let missing = ServerConfig::from_pem_files("/nowhere/cert.pem", "/nowhere/key.pem");
    let text = missing.unwrap_err().to_string();
    assert!(text.contains("/nowhere/cert.pem"), "{text}");
    assert!(ClientConfig::with_roots("").is_err());
}
