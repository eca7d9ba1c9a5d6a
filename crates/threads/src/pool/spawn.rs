//! The threads of a pool: the machine's, or loom's.

#[cfg(not(loom))]
mod backend {
    use crate::error::{JoinError, SpawnError};
    use crate::thread::{Thread, ThreadInfo};
    use std::time::Instant;

    /// A worker's thread.
    pub(crate) struct Worker(Thread<()>);

    impl Worker {
        pub(crate) fn is_alive(&self) -> bool {
            self.0.is_alive()
        }

        pub(crate) fn info(&self) -> &ThreadInfo {
            self.0.info()
        }

        /// Waits for the end of the thread. False: it has not ended before the deadline.
        ///
        /// A worker catches every panic of a job, so that its end is all that a join reports.
        pub(crate) fn join(&mut self, deadline: Option<Instant>) -> bool {
            let end = match deadline {
                None => self.0.join(),
                Some(at) => self
                    .0
                    .join_for(at.saturating_duration_since(Instant::now())),
            };
            !matches!(end, Err(JoinError::TimedOut))
        }
    }

    /// Starts a worker.
    pub(crate) fn start_worker(
        name: String,
        stack_size: Option<usize>,
        f: impl FnOnce() + Send + 'static,
    ) -> Result<Worker, SpawnError> {
        let builder = Thread::builder().name(name).daemon(true);
        let builder = match stack_size {
            Some(bytes) => builder.stack_size(bytes),
            None => builder,
        };
        builder.spawn(f).map(Worker)
    }
}

#[cfg(loom)]
mod backend {
    use crate::error::SpawnError;
    use crate::thread::ThreadInfo;
    use std::time::Instant;

    /// A worker's thread.
    pub(crate) struct Worker(Option<loom::thread::JoinHandle<()>>);

    impl Worker {
        /// Never known to be over: loom reports the end of a thread only to a join.
        pub(crate) fn is_alive(&self) -> bool {
            true
        }

        pub(crate) fn info(&self) -> &ThreadInfo {
            unreachable!("no model lists the workers")
        }

        pub(crate) fn join(&mut self, _deadline: Option<Instant>) -> bool {
            if let Some(thread) = self.0.take() {
                thread.join().expect("a worker catches every panic");
            }
            true
        }
    }

    /// Starts a worker, without a name.
    pub(crate) fn start_worker(
        _name: String,
        _stack_size: Option<usize>,
        f: impl FnOnce() + Send + 'static,
    ) -> Result<Worker, SpawnError> {
        Ok(Worker(Some(loom::thread::spawn(f))))
    }
}

pub(super) use backend::{Worker, start_worker};
