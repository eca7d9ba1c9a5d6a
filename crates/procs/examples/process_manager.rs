//! A manager holds a dictionary that the workers of a pool fill together.
//!
//! ```text
//! $ cargo run -p procs --example process_manager
//! be: 2
//! not: 1
//! or: 1
//! to: 2
//! ```

use procs::manager::Dict;
use procs::{Manager, Pool};

#[procs::task]
fn count(word: String, counts: Dict<String, u32>) {
    let one_more = |old: Option<u32>| Some(old.unwrap_or(0) + 1);
    counts.update(&word, one_more).expect("the manager lives");
}

#[procs::main]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let manager = Manager::start()?;
    let counts = manager.dict::<String, u32>()?;
    let words = ["to", "be", "or", "not", "to", "be"];
    let pool = Pool::new(2)?;
    pool.map_collect(count, words.map(|word| (word.to_owned(), counts.clone())))?;
    let mut items = counts.items()?;
    items.sort();
    for (word, number) in items {
        println!("{word}: {number}");
    }
    Ok(())
}
