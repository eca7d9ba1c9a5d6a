//! Stands for what is known about a process.

pub(crate) mod info {
    #[derive(Clone, Debug)]
    pub(crate) struct ProcessInfo;
}
