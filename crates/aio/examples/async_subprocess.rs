//! Several programs run at once: their output is read line by line as it comes, one is given input, one is too slow.
//!
//! `cargo run -p aio --example async_subprocess` prints
//!
//! ```text
//! [counter] 1
//! [letters] a
//! [counter] 2
//! [letters] b
//! [counter] 3
//! [letters] c
//! [counter] ended: exit status: 0
//! [letters] ended: exit status: 3
//! sorted: apple, banana, cherry
//! the sleeper was stopped: signal: 15 (SIGTERM)
//! ```
//!
//! where the lines of the counter and of the letters may come in another order.

use std::{error::Error, io, process::Stdio, time::Duration};

use aio::{create_subprocess_exec, create_subprocess_shell};

async fn follow(name: &str, script: &str) -> io::Result<()> {
    let mut shell = create_subprocess_shell(script)
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(mut lines) = shell.stdout.take() {
        while let line @ [_, ..] = &lines.readline().await?[..] {
            print!("[{name}] {}", String::from_utf8_lossy(line));
        }
    }
    println!("[{name}] ended: {}", shell.wait().await?);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    aio::run(async {
        let counter = follow("counter", "for i in 1 2 3; do echo $i; sleep 0.1; done");
        let letters = follow(
            "letters",
            "sleep 0.05; for i in a b c; do echo $i; sleep 0.1; done; exit 3",
        );
        aio::gather([counter, letters]).await?;

        let piped = create_subprocess_exec("sort", [] as [&str; 0])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let output = piped
            .spawn()?
            .communicate(b"cherry\nbanana\napple\n")
            .await?;
        println!(
            "sorted: {}",
            String::from_utf8(output.stdout)?
                .trim_end()
                .replace('\n', ", ")
        );

        let sleeper = create_subprocess_exec("sleep", ["60"])
            .kill_on_drop(true)
            .spawn()?;
        if aio::wait_for(sleeper.wait(), Duration::from_millis(50))
            .await
            .is_err()
        {
            println!(
                "the sleeper was stopped: {}",
                sleeper.stop(Duration::from_secs(1)).await?
            );
        }
        Ok(())
    })?
}
