//! What the crate promises: each module claims a behaviour, each of its functions is a case.
//!
//! One binary, since the cases share no state of the process; those that do have a file of their own.

mod common;
mod futures;

mod a_barrier_passes_for_all_or_breaks_for_all;
mod a_local_has_one_value_for_each_thread;
mod condition_wakes_exactly_whom_it_should;
mod locks_admit_whom_they_should;
mod other_queues_keep_their_order;
mod pool_outlives_panics_of_user_code;
mod pool_returns_what_jobs_hold;
mod pool_runs_each_job_once;
mod pool_serves_every_way_of_asking;
mod primitives_wake_every_waiter;
mod promises_are_jobs_without_a_pool;
mod queue_loses_nothing;
mod queue_serves_as_a_channel;
mod queues_join_threads_to_pipelines;
mod queues_outlive_panics_of_user_code;
mod thread_ends_are_seen;
mod timers_ring_when_due;
mod wait_any_finds_the_first;
