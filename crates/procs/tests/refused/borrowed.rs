//! Tasks that borrow.

#[procs::task]
fn length(text: &str) -> usize {
    text.len()
}

#[procs::task]
fn lengths(texts: Vec<&'static str>) -> usize {
    texts.len()
}

#[procs::task]
fn name() -> &'static str {
    "name"
}

#[procs::task]
fn show(value: impl ToString) -> String {
    value.to_string()
}

fn main() {}
