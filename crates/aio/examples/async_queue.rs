//! Two producers and three consumers share a bounded queue; `join` waits until every item has been worked on.
//!
//! `cargo run -p aio --example async_queue` prints twenty lines such as `consumer 1 got 7`, then
//!
//! ```text
//! all 20 items are done
//! ```

use std::{error::Error, rc::Rc, time::Duration};

use aio::sync::{Queue, Shutdown};

fn main() -> Result<(), Box<dyn Error>> {
    aio::run(async {
        let queue = Rc::new(Queue::bounded(4));
        let consumers = (1..4).map(|name| {
            let queue = queue.clone();
            aio::create_task(async move {
                while let Ok(item) = queue.get().await {
                    aio::sleep(Duration::from_millis(5)).await;
                    println!("consumer {name} got {item}");
                    queue.task_done()?;
                }
                Ok::<(), aio::TooManyDone>(())
            })
        });
        let consumers: Vec<_> = consumers.collect();
        aio::gather((0..2).map(async |producer| {
            for item in 0..10 {
                queue.put(producer * 10 + item).await?;
            }
            Ok::<(), aio::PutError<u32>>(())
        }))
        .await?;
        queue.join().await;
        println!("all 20 items are done");
        queue.shutdown(Shutdown::Drain);
        for consumer in consumers {
            consumer.await??;
        }
        Ok(())
    })?
}
