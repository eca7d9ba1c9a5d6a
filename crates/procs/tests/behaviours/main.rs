//! What the crate promises: a file for each behaviour, a function for each case.

mod common;
mod connections_carry_messages_whole;
mod dead_worker_fails_only_its_task;
mod lazy_input_is_bounded;
mod memory_is_shared_and_leaves_nothing;
mod pool_keeps_order;
mod pool_stops_without_hanging;
mod process_returns_result_or_reason;
mod programs_run_without_deadlock;
mod queue_survives_its_users;

procs::test_support!();
