//! The programs that generators have been shown off with for thirty years.

mod classics {
    pub mod conjoin;
    pub mod search;
    pub mod tokens;
    pub mod trees;
}
