//! A server that has no descriptor left for one more connection pauses, and serves on when some are free again.

use std::{
    cell::Cell,
    env, io,
    net::{SocketAddr, TcpStream},
    process::Command,
    rc::Rc,
    time::Duration,
};

const LIMITED: &str = "AIO_TEST_FEW_DESCRIPTORS";

#[test]
fn accepting_pauses_and_recovers() {
    if env::var_os(LIMITED).is_some() {
        return exhaust_and_recover().unwrap();
    }
    // The limit concerns the whole process, so this test runs itself once more, in one of its own.
    let status = Command::new("sh")
        .args([
            "-c",
            "ulimit -n 64 && exec \"$0\" --exact accepting_pauses_and_recovers --nocapture",
        ])
        .arg(env::current_exe().unwrap())
        .env(LIMITED, "1")
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
}

fn exhaust_and_recover() -> io::Result<()> {
    let patience = Duration::from_secs(30);
    aio::run(aio::wait_for(
        async {
            let reports = Rc::new(Cell::new(0));
            let count = reports.clone();
            aio::get_running_loop()?.set_exception_handler(move |context| {
                assert!(
                    context.to_string().contains("accepting pauses"),
                    "{context}"
                );
                count.set(count.get() + 1);
            });
            let server = aio::echo::serve("127.0.0.1:0").await?;
            let clients = exhaust(server.local_addr());
            while reports.get() == 0 {
                aio::sleep(Duration::from_millis(1)).await;
            }
            drop(clients);
            let (mut reader, writer) = aio::open_connection(server.local_addr()).await?;
            writer.write(b"back");
            let expected = format!("{} Your msg back", writer.local_addr()?);
            assert_eq!(
                reader.read_exactly(expected.len()).await?,
                expected.as_bytes()
            );
            server.close(Duration::ZERO).await;
            Ok(())
        },
        patience,
    ))??
}

/// Connects until no descriptor is left; those that wait in the backlog need none on the server's side.
fn exhaust(address: SocketAddr) -> Vec<TcpStream> {
    let mut clients = Vec::new();
    loop {
        match TcpStream::connect(address) {
            Ok(client) => clients.push(client),
            Err(_) => return clients,
        }
    }
}
