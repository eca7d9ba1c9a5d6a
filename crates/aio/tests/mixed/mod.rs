//! Clients of every kind at once, well-behaved and not.

use std::{cell::RefCell, collections::BTreeMap, io, net::SocketAddr, rc::Rc, time::Duration};

use aio::{StreamReader, StreamWriter};

/// The sizes of what the server has at `/big` and `/static/file.txt`.
pub const BIG: usize = 300_000;
pub const FILE: usize = 100_000;

#[path = "../heads/dice.rs"]
mod dice;
use dice::Dice;

/// How a client's turn has ended.
enum Turn {
    /// With the right answer.
    Served,
    /// The client has broken it off, or was cut off for its slowness.
    BrokenOff,
}

const KINDS: [&str; 9] = [
    "get",
    "post",
    "chunked",
    "events",
    "websocket",
    "http2",
    "file",
    "slow",
    "flood",
];

struct Client {
    reader: StreamReader,
    writer: Rc<StreamWriter>,
}

/// Keeps this many clients busy for as long, and until each kind of them was served, each with one connection after the other, and tells what they did.
pub async fn traffic(
    address: SocketAddr,
    connections: usize,
    time: Duration,
    round: usize,
) -> io::Result<()> {
    let counts = Rc::new(RefCell::new(BTreeMap::new()));
    let clients: Vec<_> = (0..connections)
        .map(|number| {
            let counts = counts.clone();
            let seed = (round * connections + number + 1) as u64;
            aio::create_task(keep_asking(address, Dice::new(seed), counts))
        })
        .collect();
    aio::sleep(time).await;
    // However slow the machine is: each kind has had its turn.
    let enough = |counts: &BTreeMap<&str, (usize, usize)>, kind: &&str| {
        let (served, broken_off) = counts.get(kind).copied().unwrap_or((0, 0));
        match *kind {
            "slow" | "flood" => broken_off > 0,
            _ => served > 0,
        }
    };
    while !KINDS.iter().all(|kind| enough(&counts.borrow(), kind)) {
        aio::sleep(Duration::from_millis(50)).await;
    }
    for client in clients {
        // In the middle of whatever it does.
        client.cancel();
    }
    let counts = counts.borrow();
    let served = |kind: &str| counts.get(kind).copied().unwrap_or((0, 0));
    let told: Vec<_> = KINDS
        .iter()
        .map(|kind| {
            let (served, broken_off) = served(kind);
            format!("{kind} {served}+{broken_off}")
        })
        .collect();
    println!("traffic: {}", told.join(", "));
    Ok(())
}

type Counts = Rc<RefCell<BTreeMap<&'static str, (usize, usize)>>>;

async fn keep_asking(address: SocketAddr, mut dice: Dice, counts: Counts) {
    loop {
        let kind = dice.pick(&KINDS);
        let turn = match aio::open_connection(address).await {
            Ok((reader, writer)) => {
                let writer = Rc::new(writer);
                take_turn(kind, Client { reader, writer }, &mut dice).await
            }
            Err(error) => Err(error),
        };
        let mut counts = counts.borrow_mut();
        let count = counts.entry(kind).or_default();
        match turn {
            Ok(Turn::Served) => count.0 += 1,
            // An error is the end of a connection that either side has broken off.
            Ok(Turn::BrokenOff) | Err(_) => count.1 += 1,
        }
    }
}

/// One connection, from its beginning to its end, which comes at random for every third.
async fn take_turn(kind: &str, mut client: Client, dice: &mut Dice) -> io::Result<Turn> {
    if dice.roll(3) > 0 {
        return client.serve(kind, dice).await;
    }
    let patience = Duration::from_millis(dice.roll(100) as u64);
    let abrupt = dice.roll(2) == 0;
    let writer = client.writer.clone();
    let turn = aio::wait_for(client.serve(kind, dice), patience).await;
    if abrupt {
        writer.abort();
    }
    turn.unwrap_or(Ok(Turn::BrokenOff))
}

fn wrong(what: &str) -> ! {
    // Ends the process with a failure, which the test tells.
    eprintln!("wrong answer: {what}");
    std::process::exit(1)
}

impl Client {
    async fn serve(&mut self, kind: &str, dice: &mut Dice) -> io::Result<Turn> {
        match kind {
            "get" => self.get(dice).await,
            "post" => self.post(dice).await,
            "chunked" => self.chunked(dice).await,
            "events" => self.events(dice).await,
            "websocket" => self.websocket(dice).await,
            "http2" => self.http2(dice).await,
            "file" => self.file().await,
            "slow" => self.slow(dice).await,
            _ => self.flood().await,
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write(bytes);
        self.writer.drain().await
    }

    async fn exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let read = self.reader.read_exactly(count).await;
        read.map_err(io::Error::other)
    }

    /// Reads an answer with a length, which must be this.
    async fn expect(&mut self, status: &str, body: &[u8]) -> io::Result<()> {
        let head = self.reader.readuntil(b"\r\n\r\n").await;
        let head = head.map_err(io::Error::other)?;
        let head = String::from_utf8_lossy(&head);
        if !head.starts_with(&format!("HTTP/1.1 {status}")) {
            wrong(&head);
        }
        if self.exactly(body.len()).await? != body {
            wrong("a body");
        }
        Ok(())
    }

    async fn get(&mut self, dice: &mut Dice) -> io::Result<Turn> {
        for number in 0..1 + dice.roll(5) {
            self.send(format!("GET /hello/{number} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
                .await?;
            self.expect("200", format!("hello, {number}").as_bytes())
                .await?;
            self.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await?;
            self.expect("200", b"slow").await?;
        }
        Ok(Turn::Served)
    }

    async fn post(&mut self, dice: &mut Dice) -> io::Result<Turn> {
        let body = "p".repeat(dice.roll(100_000));
        let head = format!(
            "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.send(head.as_bytes()).await?;
        for piece in body.as_bytes().chunks(20_000) {
            self.send(piece).await?;
            aio::yield_now().await;
        }
        self.expect("200", body.as_bytes()).await?;
        Ok(Turn::Served)
    }

    async fn chunked(&mut self, dice: &mut Dice) -> io::Result<Turn> {
        let head = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        self.send(head.as_bytes()).await?;
        let mut body = Vec::new();
        for _ in 0..dice.roll(20) {
            let piece = vec![b'c'; 1 + dice.roll(3000)];
            self.send(format!("{:x}\r\n", piece.len()).as_bytes())
                .await?;
            self.send(&piece).await?;
            self.send(b"\r\n").await?;
            body.extend_from_slice(&piece);
        }
        self.send(b"0\r\n\r\n").await?;
        self.expect("200", &body).await?;
        Ok(Turn::Served)
    }

    async fn events(&mut self, dice: &mut Dice) -> io::Result<Turn> {
        self.send(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
            .await?;
        for number in 0..1 + dice.roll(10) {
            let event = self.reader.readuntil(b"\n\n").await;
            let event = String::from_utf8_lossy(&event.map_err(io::Error::other)?).into_owned();
            if !event.contains(&format!("data: {number}\n"))
                && !event.contains(&format!("data:{number}\n"))
            {
                wrong(&event);
            }
        }
        Ok(Turn::Served)
    }

    async fn websocket(&mut self, dice: &mut Dice) -> io::Result<Turn> {
        let head = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        self.send(head.as_bytes()).await?;
        self.expect("101", b"").await?;
        for _ in 0..1 + dice.roll(5) {
            // A mask of zeroes is one, too.
            let size = dice.roll(126) as u8;
            let mut frame = vec![0x82, 0x80 | size, 0, 0, 0, 0];
            frame.extend(std::iter::repeat_n(b'w', size.into()));
            self.send(&frame).await?;
            let echo = self.exactly(2 + usize::from(size)).await?;
            if echo[..2] != [0x82, size] {
                wrong("a frame");
            }
        }
        if dice.roll(2) == 0 {
            self.send(&[0x88, 0x80, 0, 0, 0, 0]).await?;
            self.exactly(2).await?;
        }
        Ok(Turn::Served)
    }

    /// `GET /hello/1` and `GET /big` with the windows at the beginning, many at once.
    async fn http2(&mut self, dice: &mut Dice) -> io::Result<Turn> {
        let count = 1 + dice.roll(20) as u32;
        let mut bytes = begin_http2();
        for number in 0..count {
            let path: &[u8] = if dice.roll(4) == 0 {
                b"/big"
            } else {
                b"/hello/1"
            };
            let mut block = vec![0x82, 0x86, 0x04, path.len() as u8];
            block.extend_from_slice(path);
            block.extend_from_slice(&[0x01, 0x01, b'x']);
            bytes.extend(frame(1, 5, 2 * number + 1, &block));
        }
        self.send(&bytes).await?;
        // As many answers as requests, whatever of the big bodies fits into the windows.
        let mut answers = 0;
        while answers < count {
            let head = self.exactly(9).await?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let payload = self.exactly(length).await?;
            match head[3] {
                1 if payload[0] != 0x88 => wrong("a status"),
                1 => answers += 1,
                3 | 7 => wrong("an end"),
                _ => {}
            }
        }
        Ok(Turn::Served)
    }

    async fn file(&mut self) -> io::Result<Turn> {
        self.send(b"GET /static/file.txt HTTP/1.1\r\nHost: x\r\n\r\n")
            .await?;
        self.expect("200", &[b'f'; FILE]).await?;
        Ok(Turn::Served)
    }

    /// Half a head, half a body, or a big answer that nobody reads; then waits to be cut off, or loses patience itself.
    async fn slow(&mut self, dice: &mut Dice) -> io::Result<Turn> {
        let beginning = dice.pick(&[
            "",
            "GET /hel",
            "GET / HTTP/1.1\r\nHost: x\r\nA: b",
            "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
            "GET /big HTTP/1.1\r\nHost: x\r\n\r\n",
        ]);
        self.send(beginning.as_bytes()).await?;
        aio::sleep(Duration::from_millis(dice.roll(4000) as u64)).await;
        Ok(Turn::BrokenOff)
    }

    /// Frames of HTTP/2 that ask for nothing, until the server has had enough.
    async fn flood(&mut self) -> io::Result<Turn> {
        let pings = frame(6, 0, 0, &[0; 8]).repeat(5000);
        self.send(&begin_http2()).await?;
        self.send(&pings).await?;
        loop {
            let head = self.exactly(9).await?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            self.exactly(length).await?;
            if head[3] == 7 {
                return Ok(Turn::BrokenOff);
            }
        }
    }
}

fn begin_http2() -> Vec<u8> {
    [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        &frame(4, 0, 0, &[]),
    ]
    .concat()
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend_from_slice(&[kind, flags]);
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}
