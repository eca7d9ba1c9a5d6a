//! Large amounts through a connection of any kind.

use std::io;

use aio::{StreamReader, StreamWriter, create_task};

/// Far more than the buffers on the way hold.
const SIZE: usize = 3_000_000;

/// Sends to a peer that echoes while reading from it, and asserts that all comes back, and in order.
pub async fn pass_both_ways(mut reader: StreamReader, writer: StreamWriter) -> io::Result<()> {
    // A prime: no buffer's size is a multiple of it, so a piece in the wrong place shows.
    let sent: Vec<u8> = (0..SIZE).map(|number| (number % 251) as u8).collect();
    let all = sent.clone();
    let sending = create_task(async move {
        for chunk in all.chunks(100_000) {
            writer.write(chunk);
            writer.drain().await?;
        }
        writer.write_eof();
        Ok::<_, io::Error>(writer)
    });
    assert!(reader.read_to_end().await? == sent);
    drop(sending.await??);
    Ok(())
}
