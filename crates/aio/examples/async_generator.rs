//! An async generator, consumed with `while let`, closed early; its clean-up is run.
//!
//! `cargo run -p aio --example async_generator` prints
//!
//! ```text
//! connected
//! row 1
//! row 2
//! that is enough
//! disconnecting
//! disconnected
//! the generator has ended
//! ```

use std::{error::Error, time::Duration};

use aio::{AsyncGenerator, Yielder, async_generator, sleep};

/// Rows of a table, each of which has to be waited for.
fn rows() -> AsyncGenerator<String> {
    async_generator(async |co: Yielder<String>| {
        println!("connected");
        // In Python: try … finally: await disconnect().
        let _finally = co.on_close(async {
            println!("disconnecting");
            sleep(Duration::from_millis(20)).await;
            println!("disconnected");
        });
        for number in 1.. {
            sleep(Duration::from_millis(10)).await;
            co.yield_(format!("row {number}")).await;
        }
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    aio::run(async {
        let mut rows = rows();
        while let Some(row) = rows.next().await {
            println!("{row}");
            if row.ends_with('2') {
                println!("that is enough");
                break;
            }
        }
        rows.close().await;
        if rows.next().await.is_none() {
            println!("the generator has ended");
        }
    })?;
    Ok(())
}
