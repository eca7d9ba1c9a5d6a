//! Two tasks on one thread take turns at each await.
//!
//! `cargo run -p aio --example async_interleave` prints
//!
//! ```text
//! 0
//! a
//! 1
//! b
//! 2
//! c
//! ```

async fn print_each(items: [&'static str; 3]) {
    for item in items {
        println!("{item}");
        aio::yield_now().await;
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    aio::run(async {
        let a = aio::create_task(print_each(["0", "1", "2"]));
        let b = aio::create_task(print_each(["a", "b", "c"]));
        aio::gather([a, b]).await
    })??;
    Ok(())
}
