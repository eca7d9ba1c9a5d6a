//! An error is thrown in at the point of suspension and handled there; closing runs the clean-up, once.
//!
//! ```text
//! $ cargo run -p coroutines --example throw_close
//! got Some(0)
//! got Some(1)
//! handled inside: the sensor is wet
//! got Some(2)
//! cleaned up
//! closed twice, cleaned up once
//! unhandled, it ends the body: Complete(Err("the sensor is on fire"))
//! ```

use coroutines::{Co, Coroutine, CoroutineExt, CoroutineState, coroutine};
use std::pin::pin;

/// Python's `finally`: a destructor, which runs however the body is left.
struct CleanUp;

impl Drop for CleanUp {
    fn drop(&mut self) {
        println!("cleaned up");
    }
}

/// What each resume brings: a request to go on, or an error.
type Order = Result<(), &'static str>;

async fn readings(mut co: Co<'_, u32, Order>, first: Order) -> Order {
    first?;
    let _clean_up = CleanUp;
    for n in 0.. {
        if let Err(error) = co.yield_(n).await {
            println!("handled inside: {error}");
        }
    }
    Ok(())
}

async fn fragile(mut co: Co<'_, (), Order>, first: Order) -> Result<u32, &'static str> {
    first?;
    loop {
        co.yield_(()).await?;
    }
}

fn main() {
    let mut sensor = pin!(coroutine(readings));
    let got = |state: CoroutineState<u32, Order>| println!("got {:?}", state.yielded());
    got(sensor.send(()));
    got(sensor.send(()));
    got(sensor.throw("the sensor is wet"));
    sensor.as_mut().close();
    sensor.as_mut().close();
    println!("closed twice, cleaned up once");

    let mut fragile = pin!(coroutine(fragile));
    let _ = fragile.send(());
    println!(
        "unhandled, it ends the body: {:?}",
        fragile.throw("the sensor is on fire")
    );
}
