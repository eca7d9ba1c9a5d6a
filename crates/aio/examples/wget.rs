//! Three hosts fetched at once over raw streams; the headers of their answers are printed as they come.
//!
//! `cargo run -p aio --example wget -- example.com example.org example.net` prints lines such as
//!
//! ```text
//! wget example.com...
//! example.com header > HTTP/1.0 200 OK
//! ```
//!
//! Without hosts it starts three servers of its own, at 127.0.0.1 and free ports, and fetches from those.

use std::{env, error::Error, io};

use aio::{Server, StreamReader, StreamWriter, gather, open_connection, start_server};

async fn wget(host: &str) -> io::Result<()> {
    println!("wget {host}...");
    let address = if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let (mut reader, writer) = open_connection(address).await?;
    writer.write(format!("GET / HTTP/1.0\r\nHost: {host}\r\n\r\n").as_bytes());
    writer.drain().await?;
    loop {
        let line = reader.readline().await?;
        match String::from_utf8_lossy(&line).trim_end() {
            "" => break,
            header => println!("{host} header > {header}"),
        }
    }
    // The body is not wanted.
    writer.close();
    Ok(())
}

async fn answer(mut reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
    reader.readuntil(b"\r\n\r\n").await?;
    writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    writer.drain().await
}

fn main() -> Result<(), Box<dyn Error>> {
    aio::run(async {
        let mut hosts: Vec<String> = env::args().skip(1).collect();
        let mut servers: Vec<Server> = Vec::new();
        while hosts.is_empty() || (!servers.is_empty() && hosts.len() < 3) {
            servers.push(start_server("127.0.0.1:0", answer).await?);
            hosts.extend(servers.last().map(|server| server.local_addr().to_string()));
        }
        gather(hosts.iter().map(|host| wget(host))).await?;
        Ok(())
    })?
}
