//! The same two tasks under every model: a says 0 1 2, b says a b c, and both pause after each.
//!
//! `cargo run -p benches --example four_ways` prints a lane for each process, thread or coroutine (`█` ran, `·` waited)
//! and writes the same as a picture, `four_ways.svg`, into the folder that is its argument, or the system's for temporary
//! files:
//!
//! ```text
//! serial, 38.1 ms
//!   process 1, thread 1              ██·····██·····██·····██·····██·····██·····
//! …
//! Picture: /tmp/four_ways.svg
//! ```

use std::path::PathBuf;

use benches::report::timeline_svg;
use benches::timeline::Timeline;
use benches::{Model, Plan, Workload};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    procs::init();
    let plan = Plan::new(Workload::Ab, 2).with_concurrency(2);
    let mut timelines = Vec::new();
    for model in Model::ALL {
        let timeline = Timeline::record(model, &plan)?;
        println!("{}", timeline.text(64));
        timelines.push(timeline);
    }
    let folder = std::env::args()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let picture = folder.join("four_ways.svg");
    std::fs::write(&picture, timeline_svg(Workload::Ab, &timelines))?;
    println!("Picture: {}", picture.display());
    Ok(())
}
