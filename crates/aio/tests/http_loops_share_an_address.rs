//! Several loops serve one address, each with an app of its own: lasting connections are spread evenly.
#![cfg(feature = "http")]

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    num::NonZeroUsize,
    time::Duration,
};

use aio::{
    SharedListener,
    http::{App, Listener, Request, Server},
};

/// Asks on a connection that stays open; the answer is one byte.
fn ask(stream: &mut TcpStream) -> io::Result<u8> {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        answer.push(byte[0]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    let mut body = [0];
    stream.read_exact(&mut body)?;
    Ok(body[0])
}

#[test]
fn lasting_connections_are_spread_evenly() -> Result<(), Box<dyn std::error::Error>> {
    const EACH: usize = 4;
    let listener = SharedListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr();
    let two = NonZeroUsize::new(2).ok_or("two is not zero")?;
    aio::run_loops(two, async |core: aio::Core| {
        let index = core.index();
        let app = App::new().get("/", async move |_: Request| index.to_string());
        let server = Server::start(app, [Listener::shared(&listener)?]).await?;
        assert_eq!(server.local_addr(), address);
        if index == 0 {
            // Each is answered before the next one comes, so the counts are those that the loops go by.
            let asked = aio::to_thread(move || {
                let mut held = Vec::new();
                let mut answers = Vec::new();
                for _ in 0..2 * EACH {
                    let mut stream = TcpStream::connect(address)?;
                    answers.push(ask(&mut stream)?);
                    held.push(stream);
                }
                Ok::<_, io::Error>((answers, held))
            });
            let (answers, held) = asked.await.map_err(io::Error::other)??;
            let of_first = answers.iter().filter(|answer| **answer == b'0').count();
            assert!(
                (EACH - 2..=EACH + 2).contains(&of_first),
                "{of_first} of {} at one loop",
                2 * EACH
            );
            drop(held);
            core.stop_all();
        }
        core.stopping().await;
        server.close(Duration::from_secs(5)).await;
        Ok::<(), io::Error>(())
    })?;
    Ok(())
}
