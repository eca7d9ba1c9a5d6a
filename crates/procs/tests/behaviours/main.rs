//! What the crate promises: a file for each behaviour, a function for each case.

mod a_kill_at_any_step_costs_one_task;
mod a_waiting_caller_supervises;
mod common;
mod connections_carry_messages_whole;
mod dead_worker_fails_only_its_task;
mod errors_print_each_text_once;
mod large_and_many_values_are_bounded;
mod lazy_input_is_bounded;
mod locks_survive_their_owners;
mod managers_free_their_objects;
mod managers_objects_are_shared;
mod memory_is_shared_and_leaves_nothing;
mod overwritten_primitives_are_errors;
mod overwritten_queues_are_errors;
mod pool_counts_and_rests;
mod pool_keeps_order;
mod pool_stops_without_hanging;
mod pool_waits_end;
mod process_returns_result_or_reason;
mod processes_have_streams_of_their_own;
mod programs_are_started_as_told;
mod programs_run_without_deadlock;
mod queue_survives_its_users;
mod queues_are_fair_and_quiet;
mod results_belong_to_their_jobs;
mod tasks_are_functions;
mod values_arrive_as_they_were_sent;
mod waiters_are_woken_whoever_dies;
mod waiting_threads_rest;
mod waits_end_when_they_should;

procs::test_support!();
