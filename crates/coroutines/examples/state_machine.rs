//! What the compiler makes of a generator, written by hand: an enum of states and one function that steps it.
//!
//! ```text
//! $ cargo run -p coroutines --example state_machine
//! by hand:   3 2 1 0 (8 bytes)
//! generated: 3 2 1 0 (64 bytes)
//! equal: true
//! ```

use coroutines::{BoxedAs, Co, Coroutine, CoroutineState, ResumeError, generator};
use std::pin::Pin;

enum Countdown {
    At(u32),
    Done,
}

impl Coroutine for Countdown {
    type Yield = u32;
    type Return = ();

    fn try_resume(
        mut self: Pin<&mut Self>,
        (): (),
    ) -> Result<CoroutineState<u32, ()>, ResumeError> {
        let Self::At(n) = *self else {
            return Err(ResumeError::Finished(()));
        };
        *self = n.checked_sub(1).map_or(Self::Done, Self::At);
        Ok(CoroutineState::Yielded(n))
    }

    fn is_finished(&self) -> bool {
        matches!(self, Self::Done)
    }

    fn close(mut self: Pin<&mut Self>) {
        *self = Self::Done;
    }
}

async fn countdown(mut co: Co<'_, u32>) {
    for n in (0..=3).rev() {
        co.yield_(n).await;
    }
}

fn main() {
    let (hand, generated) = (Countdown::At(3), generator(countdown));
    let sizes = (size_of_val(&hand), size_of_val(&generated));

    let hand: Vec<u32> = BoxedAs::from_box(Box::pin(hand)).collect();
    let generated: Vec<u32> = generated.boxed().collect();
    let text = |numbers: &[u32]| {
        numbers
            .iter()
            .map(u32::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    };
    println!("by hand:   {} ({} bytes)", text(&hand), sizes.0);
    println!("generated: {} ({} bytes)", text(&generated), sizes.1);
    println!("equal: {}", hand == generated);
}
