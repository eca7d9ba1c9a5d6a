//! The threads of a pool: the machine's, or loom's.

#[cfg(not(loom))]
mod backend {
    use crate::error::SpawnError;
    use crate::thread::Thread;

    /// A worker of a pool.
    pub(crate) type Worker = Thread<()>;

    /// Starts a worker of a pool.
    pub(crate) fn start_worker(
        name: String,
        f: impl FnOnce() + Send + 'static,
    ) -> Result<Worker, SpawnError> {
        Worker::builder().name(name).daemon(true).spawn(f)
    }
}

#[cfg(loom)]
mod backend {
    use crate::error::{JoinError, SpawnError};

    /// A worker of a pool.
    pub(crate) struct Worker(Option<loom::thread::JoinHandle<()>>);

    impl Worker {
        /// Never known to be over: loom reports the end of a thread only to a join.
        pub(crate) fn is_alive(&self) -> bool {
            true
        }

        pub(crate) fn join(&mut self) -> Result<(), JoinError> {
            if let Some(thread) = self.0.take() {
                thread.join().expect("a worker catches every panic");
            }
            Ok(())
        }
    }

    /// Starts a worker of a pool, without a name.
    pub(crate) fn start_worker(
        _name: String,
        f: impl FnOnce() + Send + 'static,
    ) -> Result<Worker, SpawnError> {
        Ok(Worker(Some(loom::thread::spawn(f))))
    }
}

pub(super) use backend::{Worker, start_worker};
