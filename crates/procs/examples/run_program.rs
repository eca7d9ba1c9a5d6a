//! Run another program: give it input, read its output, look at its exit status.
//!
//! ```text
//! $ cargo run -p procs --example run_program
//! $ sort
//! apple
//! banana
//! cherry
//! Exit code: 0
//! ```

fn main() {
    println!("$ sort");
    let output = procs::command("sort")
        .input("cherry\napple\nbanana\n")
        .run()
        .expect("sort(1) is everywhere");
    print!("{}", output.text());
    println!("Exit code: {}", output.status().code().expect("it exited"));
}
