//! The driver lock and the command queue of the crate's pools; a supervisor of workers that answer at once.

#[path = "../../src/pool/shared.rs"]
pub(crate) mod shared;

pub(crate) mod callbacks {
    use std::sync::Arc;
    use std::time::Instant;

    #[derive(Default)]
    pub(in crate::pool) struct Callbacks;

    impl Callbacks {
        pub(in crate::pool) fn await_all(&self, _deadline: Option<Instant>) -> bool {
            true
        }
    }

    pub(in crate::pool) struct Deferral;

    impl Deferral {
        pub(in crate::pool) fn begin(_callbacks: &Arc<Callbacks>, _short: bool) -> Self {
            Self
        }
    }
}

pub(crate) mod stats {
    #[derive(Default)]
    pub(crate) struct Counters;
}

pub(crate) mod job {
    use loom::sync::{Condvar, Mutex};

    use crate::error::JobError;

    /// A job: its end, and those that wait for it.
    pub(crate) struct JobState {
        end: Mutex<Option<Result<(), JobError>>>,
        ended: Condvar,
    }

    impl JobState {
        pub(crate) fn new() -> Self {
            Self {
                end: Mutex::new(None),
                ended: Condvar::new(),
            }
        }

        pub(crate) fn is_done(&self) -> bool {
            self.end.lock().unwrap().is_some()
        }

        pub(crate) fn complete(&self, outcome: Result<(), JobError>) {
            let before = self.end.lock().unwrap().replace(outcome);
            assert_eq!(before, None, "a job ends once");
            self.ended.notify_all();
        }

        pub(crate) fn result(&self) -> Result<(), JobError> {
            let mut end = self.end.lock().unwrap();
            loop {
                if let Some(outcome) = &*end {
                    return outcome.clone();
                }
                end = self.ended.wait(end).unwrap();
            }
        }
    }

    pub(crate) mod batch {
        use std::sync::Arc;

        use super::JobState;
        use crate::error::JobError;
        use crate::pool::stats::Counters;

        /// A slice of one job.
        pub(crate) struct BatchSlice(pub(crate) Arc<JobState>);

        impl BatchSlice {
            pub(crate) fn count(&self) -> usize {
                1
            }

            pub(crate) fn count_in(&mut self, _counters: &Arc<Counters>) {}

            pub(crate) fn fail(self, error: &JobError) {
                self.0.complete(Err(error.clone()));
            }

            pub(crate) fn forget(self) {}
        }
    }
}

pub(crate) mod supervisor {
    use std::collections::VecDeque;
    use std::sync::Arc;

    use super::job::batch::BatchSlice;
    use super::shared::{Shared, Stop};
    use crate::error::JobError;
    use crate::sys::{self, Ready};

    /// How the workers of a model answer.
    #[derive(Clone, Copy)]
    pub(crate) struct Workers {
        /// No task ends before so many have begun.
        pub(crate) together: usize,
        /// Answers are found without a poll.
        pub(crate) short: bool,
    }

    /// A supervisor of as many workers as there are tasks.
    pub(crate) struct Supervisor {
        shared: Arc<Shared>,
        workers: Workers,
        draining: bool,
        pending: VecDeque<BatchSlice>,
        running: Vec<BatchSlice>,
        begun: usize,
    }

    impl Supervisor {
        pub(in crate::pool) fn new(shared: Arc<Shared>, workers: Workers) -> Self {
            Self {
                shared,
                workers,
                draining: false,
                pending: VecDeque::new(),
                running: Vec::new(),
                begun: 0,
            }
        }

        pub(in crate::pool) fn advance(&mut self) -> bool {
            let commands = self.shared.take_commands();
            self.pending.extend(commands.slices);
            self.draining |= commands.stop != Stop::No;
            self.begun += self.pending.len();
            self.running.extend(self.pending.drain(..));
            if !self.running.is_empty() && self.begun >= self.workers.together {
                sys::set_answers(true);
            }
            !(self.draining && self.running.is_empty())
        }

        pub(in crate::pool) fn is_quiet(&self) -> bool {
            !self.draining && self.pending.is_empty() && self.running.is_empty()
        }

        pub(in crate::pool) fn has_no_timer(&self) -> bool {
            true
        }

        pub(in crate::pool) fn generation(&self) -> u64 {
            0
        }

        pub(in crate::pool) fn spin_for_result(&mut self) {
            if self.workers.short && sys::poll(false, true).answers {
                self.read_results();
            }
        }

        pub(in crate::pool) fn poll_set(&self) -> PollSet {
            PollSet {
                socket: !self.is_quiet(),
                block: self.shared.prepare_to_sleep(),
                found: Ready::default(),
            }
        }

        pub(in crate::pool) fn handle_events(&mut self, polled: &PollSet) {
            self.shared.notifier.awake(polled.found.event);
            if polled.found.answers {
                self.read_results();
            }
        }

        fn read_results(&mut self) {
            sys::set_answers(false);
            for slice in self.running.drain(..) {
                slice.0.complete(Ok(()));
            }
        }
    }

    impl Drop for Supervisor {
        fn drop(&mut self) {
            let left = self.shared.finish(&JobError::Closed);
            for slice in self.pending.drain(..).chain(left) {
                slice.fail(&JobError::Closed);
            }
            self.shared.set_ended();
        }
    }

    pub(in crate::pool) struct PollSet {
        socket: bool,
        block: bool,
        found: Ready,
    }

    impl PollSet {
        pub(in crate::pool) fn wait(&mut self) {
            self.found = sys::poll(self.block, self.socket);
        }
    }
}

#[path = "../../src/pool/supervisor/caller_runs.rs"]
pub(crate) mod caller_runs;

use std::sync::Arc;

use caller_runs::DriverLock;
use job::JobState;
use job::batch::BatchSlice;
use shared::{Shared, Stop};
use supervisor::{Supervisor, Workers};

use crate::error::JobError;

/// What the handle of a pool does.
#[derive(Clone)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
    driver: Arc<DriverLock>,
}

impl Pool {
    pub(crate) fn new(workers: Workers) -> Self {
        let shared = Arc::new(Shared::new(None).unwrap());
        let supervisor = Supervisor::new(Arc::clone(&shared), workers);
        let driver = Arc::new(DriverLock::new(Arc::clone(&shared), supervisor));
        Self { shared, driver }
    }

    /// The life of the pool's thread.
    pub(crate) fn supervise(&self) {
        self.driver.supervise();
    }

    pub(crate) fn submit(&self) -> Arc<JobState> {
        let job = Arc::new(JobState::new());
        self.shared.submit(BatchSlice(Arc::clone(&job)));
        job
    }

    pub(crate) fn apply(&self) -> Result<(), JobError> {
        let job = Arc::new(JobState::new());
        if self
            .shared
            .enqueue(BatchSlice(Arc::clone(&job)), None)
            .is_ok()
        {
            self.driver.drive_until_done(&job);
        }
        job.result()
    }

    pub(crate) fn close(&self) {
        self.shared.stop(Stop::WhenDone);
    }

    pub(crate) fn join(&self) {
        assert!(self.shared.await_end(None), "there is no deadline");
    }
}
