//! What the fuzz targets claim of the crate through its public API. The gate replays their kept inputs through the same
//! functions.

pub mod cookie;
pub mod multipart;
pub mod range;
pub mod router;

use aio::EventLoop;

/// Runs a future to its end, on a loop that serves one input after the other.
fn on_loop<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        // Leaked: what it stands on may be gone when a thread's values are dropped.
        static LOOP: &'static EventLoop =
            Box::leak(Box::new(EventLoop::new().expect("there can be a loop")));
    }
    LOOP.with(|event_loop| {
        event_loop
            .run_until_complete(future)
            .expect("it is not running")
    })
}

/// Pieces of all sizes, which depend on the bytes alone: an input always runs alike.
fn pieces(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut seed = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |seed, byte| {
        (seed ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    std::iter::from_fn(move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let most = 1 << (seed >> 61);
        let (piece, left) = bytes.split_at(bytes.len().min(1 + (seed >> 32) as usize % most));
        bytes = left;
        (!piece.is_empty()).then_some(piece)
    })
}
