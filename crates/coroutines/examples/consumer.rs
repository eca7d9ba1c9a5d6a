//! A producer and a consumer that hand each other the thread: numbers go in with `send`, replies come out.
//!
//! No queue, no lock: the consumer waits in its `yield_` until the producer has something. Python has to prime such a
//! coroutine with `send(None)`; here the first number arrives as the body's argument.
//!
//! ```text
//! $ cargo run -p coroutines --example consumer
//! [PRODUCER] Producing 1...
//! [CONSUMER] Consuming 1...
//! [PRODUCER] Consumer return: 200 OK
//! [PRODUCER] Producing 2...
//! [CONSUMER] Consuming 2...
//! [PRODUCER] Consumer return: 200 OK
//! [PRODUCER] Producing 3...
//! [CONSUMER] Consuming 3...
//! [PRODUCER] Consumer return: 200 OK
//! [PRODUCER] Producing 4...
//! [CONSUMER] Consuming 4...
//! [PRODUCER] Consumer return: 200 OK
//! [PRODUCER] Producing 5...
//! [CONSUMER] Consuming 5...
//! [PRODUCER] Consumer return: 200 OK
//! ```

use coroutines::{Co, Coroutine, CoroutineExt, CoroutineState::Yielded, coroutine};
use std::pin::{Pin, pin};

async fn consume(mut co: Co<'_, &'static str, u32>, first: u32) {
    let mut n = first;
    loop {
        println!("[CONSUMER] Consuming {n}...");
        n = co.yield_("200 OK").await;
    }
}

fn produce(mut consumer: Pin<&mut impl Coroutine<u32, Yield = &'static str>>) {
    for n in 1..=5 {
        println!("[PRODUCER] Producing {n}...");
        if let Yielded(reply) = consumer.send(n) {
            println!("[PRODUCER] Consumer return: {reply}");
        }
    }
    consumer.close();
}

fn main() {
    produce(pin!(coroutine(consume)));
}
