//! A writer and a reader over a queue; shutting the queue down ends the reader.
//!
//! Run: `cargo run -p threads --example thread_queue`
//!
//! ```text
//! Put A to queue...
//! Get A from queue.
//! ...
//! Get C from queue.
//! The queue is shut down.
//! ```

use std::error::Error;
use std::time::Duration;
use threads::{Queue, Shutdown};

fn main() -> Result<(), Box<dyn Error>> {
    let queue = Queue::bounded(1);

    let source = queue.clone();
    let mut reader = threads::spawn(move || {
        // In Python's tutorial this loop never ends, and the program with it.
        while let Ok(value) = source.get() {
            println!("Get {value} from queue.");
        }
        println!("The queue is shut down.");
    })?;

    let sink = queue.clone();
    let mut writer = threads::spawn(move || {
        for value in ['A', 'B', 'C'] {
            println!("Put {value} to queue...");
            sink.put(value)?;
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok::<(), threads::PutError<char>>(())
    })?;

    writer.join()??;
    queue.shutdown(Shutdown::Drain);
    reader.join()?;
    Ok(())
}
