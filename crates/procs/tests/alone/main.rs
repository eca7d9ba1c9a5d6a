//! What needs a process of its own: death of the parent, a forgotten `init`, forks, counts of descriptors and zombies.
//!
//! Without arguments this program runs each scenario in a fresh process of itself and looks at how it ended. Like in the
//! standard harness, an argument selects scenarios by a part of their names.

mod counting;
mod entry;
mod fork_server;
mod forking;
mod leftovers;
mod monitors;
mod orphans;
mod owners;
mod pools;
mod programs;
mod storms;
mod streams;
mod surroundings;
mod users;

use std::env;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than any scenario takes on a loaded machine.
const LIMIT: Duration = Duration::from_secs(120);

/// Long counts are taken in full in a release build only: `cargo test --release -p procs --test alone`. In a debug build
/// they are divided by this.
const PART: u32 = if cfg!(debug_assertions) { 10 } else { 1 };

/// Says which scenario this process, and every child of it, is to play.
const SCENARIO: &str = "PROCS_TEST_SCENARIO";

const SCENARIOS: &[(&str, fn())] = &[
    (
        "init_forgotten_in_the_program_is_an_error",
        entry::forgotten,
    ),
    (
        "init_forgotten_in_the_child_is_an_error",
        entry::forgotten_in_child,
    ),
    ("init_that_never_comes_is_an_error", entry::never),
    ("init_off_the_main_thread_does_not_count", entry::misplaced),
    (
        "init_after_the_input_was_replaced_is_an_error",
        entry::input_replaced,
    ),
    (
        "children_that_became_daemons_before_init_are_bounded",
        entry::daemonized,
    ),
    (
        "init_forgotten_is_explained_by_debug_too",
        entry::missing_is_explained,
    ),
    (
        "programs_that_a_task_runs_are_no_children",
        entry::foreign_program,
    ),
    (
        "a_killed_fork_server_is_replaced_and_harms_nobody",
        fork_server::killed,
    ),
    ("a_stopped_fork_server_is_replaced", fork_server::stopped),
    (
        "a_fork_server_that_ends_before_its_answer_leaves_no_process",
        fork_server::ends_before_its_answer,
    ),
    (
        "processes_inherit_what_the_fork_server_did_not",
        fork_server::inheritance,
    ),
    (
        "what_a_command_has_started_ends_with_a_killed_program",
        leftovers::of_a_programs_command,
    ),
    (
        "what_a_program_has_started_ends_with_it_although_it_has_a_forked_copy",
        leftovers::of_a_program_with_a_copy,
    ),
    (
        "a_command_ends_with_a_killed_program_whose_fork_server_was_replaced",
        leftovers::of_a_programs_command_after_a_stop,
    ),
    (
        "the_fork_server_passes_on_what_is_so_now",
        fork_server::surroundings,
    ),
    ("start_methods_do_the_same", fork_server::methods),
    ("fork_returns_twice", forking::returns_twice),
    ("checked_fork_refuses_threads", forking::refuses_threads),
    (
        "forked_children_can_be_awaited_and_killed",
        forking::awaited_and_killed,
    ),
    ("parent_death_leaves_no_worker", orphans::pool),
    (
        "parent_death_leaves_no_process_and_no_grandchild",
        orphans::nested,
    ),
    ("parent_exit_leaves_no_detached_process", orphans::detached),
    (
        "many_starts_leave_no_zombie_and_no_descriptor",
        counting::starts,
    ),
    (
        "no_descriptors_left_is_an_error_and_passes",
        counting::exhausted,
    ),
    (
        "no_descriptors_left_is_an_error_of_each_call",
        counting::exhausted_elsewhere,
    ),
    (
        "no_descriptors_left_for_the_next_worker_is_an_error",
        counting::exhausted_when_a_worker_dies,
    ),
    (
        "no_processes_left_is_an_error_and_passes",
        counting::no_processes,
    ),
    (
        "parent_death_at_a_random_point_leaves_nothing",
        orphans::random,
    ),
    (
        "death_of_the_first_process_of_a_namespace_leaves_nothing",
        orphans::first_process,
    ),
    (
        "many_killed_workers_lose_no_task_silently",
        storms::without_retries,
    ),
    (
        "many_killed_workers_lose_nothing_with_retries",
        storms::with_retries,
    ),
    (
        "what_a_task_has_started_ends_when_it_returns",
        leftovers::of_a_task_that_returned,
    ),
    (
        "what_a_task_has_started_ends_with_a_killed_process",
        leftovers::of_a_killed_process,
    ),
    (
        "what_a_task_has_started_ends_at_its_time_limit",
        leftovers::of_a_task_that_timed_out,
    ),
    (
        "what_a_task_has_started_ends_with_its_pool",
        leftovers::of_a_dropped_pool,
    ),
    (
        "what_a_task_has_started_ends_with_its_worker",
        leftovers::of_a_worker_killed_by_others,
    ),
    (
        "what_a_task_has_started_ends_with_an_exiting_program",
        leftovers::of_a_program_that_exits,
    ),
    (
        "what_a_task_has_started_ends_with_a_killed_program",
        leftovers::of_a_program_that_is_killed,
    ),
    (
        "a_readable_descriptor_of_a_process_means_that_it_has_ended",
        leftovers::a_readable_descriptor_means_ended,
    ),
    (
        "descriptors_that_were_not_handed_over_reach_no_child",
        leftovers::descriptors_do_not_leak,
    ),
    ("processes_have_the_present_user", fork_server::identity),
    (
        "no_wait_outlasts_the_monitor_of_a_process",
        monitors::panicked,
    ),
    (
        "signals_that_may_not_be_sent_are_errors",
        users::refused_signals,
    ),
    (
        "a_pool_whose_workers_may_not_be_killed_ends",
        users::pool_ends,
    ),
    (
        "a_task_whose_worker_may_not_be_killed_is_stopped",
        users::task_timeout,
    ),
    (
        "a_program_that_may_not_be_killed_is_an_error",
        users::program_goes_on,
    ),
    ("owners_of_locks_that_are_killed_are_known", owners::killed),
    ("owners_of_locks_are_told_apart", owners::excluded),
    ("queues_of_killed_users_go_on", owners::queues),
    (
        "a_program_replaced_on_disk_goes_on_as_it_was",
        surroundings::replaced,
    ),
    (
        "a_worker_that_never_starts_fails_the_pool",
        pools::second_never_starts,
    ),
    (
        "a_fork_server_that_stands_still_does_not_stop_a_pool",
        pools::server_stands_still,
    ),
    (
        "waits_in_a_loop_leave_nothing_in_a_job",
        pools::waits_leave_nothing,
    ),
    (
        "variables_that_cannot_be_set_are_errors_and_break_no_start",
        surroundings::odd_variables,
    ),
    (
        "processes_have_the_arguments_of_the_program",
        surroundings::arguments,
    ),
    (
        "signals_of_the_terminal_reach_no_process",
        surroundings::terminal,
    ),
    (
        "processes_share_the_process_group_of_the_program_on_request",
        surroundings::group_inherited,
    ),
    (
        "processes_run_where_sigchld_is_ignored",
        surroundings::sigchld_ignored,
    ),
    (
        "workers_that_die_raise_no_sigpipe",
        surroundings::sigpipe_at_its_default,
    ),
    (
        "memory_above_the_file_size_limit_is_an_error",
        surroundings::file_size_limited,
    ),
    (
        "processes_run_where_all_signals_are_blocked",
        surroundings::signals_blocked,
    ),
    (
        "processes_run_without_standard_streams",
        surroundings::streams_closed,
    ),
    (
        "closed_standard_streams_stay_closed_here_and_are_null_in_processes",
        streams::closed,
    ),
    (
        "processes_run_without_a_null_device",
        surroundings::null_missing,
    ),
    (
        "without_proc_each_start_is_an_error",
        surroundings::proc_missing,
    ),
    (
        "no_process_has_the_root_directory_of_before",
        surroundings::root_changed,
    ),
    (
        "busy_threads_do_not_hinder_a_start",
        surroundings::busy_threads,
    ),
    (
        "programs_run_where_sigchld_is_ignored",
        programs::sigchld_ignored,
    ),
    (
        "programs_run_where_children_are_collected_elsewhere",
        programs::children_collected_elsewhere,
    ),
    (
        "programs_that_end_early_raise_no_sigpipe",
        programs::sigpipe_at_its_default,
    ),
    (
        "the_time_limit_of_a_program_ends_its_tree",
        programs::time_limit_ends_the_tree,
    ),
    (
        "a_program_ends_with_a_killed_process",
        programs::killed_host,
    ),
    (
        "a_program_ends_with_an_exiting_process",
        programs::exited_host,
    ),
    (
        "a_program_ends_with_the_worker_of_its_task",
        programs::killed_worker,
    ),
];

/// Each scenario decides for itself whether and where to call `procs::init()`.
fn main() -> ExitCode {
    if let Ok(name) = env::var(SCENARIO) {
        let (_, scenario) = SCENARIOS
            .iter()
            .find(|(known, _)| *known == name)
            .expect("the scenario exists");
        scenario();
        return ExitCode::SUCCESS;
    }
    let filters: Vec<String> = env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let wanted = |name: &str| {
        filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()))
    };
    let names = SCENARIOS
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| wanted(name));
    let mut failed = Vec::new();
    // Some wait for a deadline most of the time; a few at once keep the whole short.
    for names in names.collect::<Vec<_>>().chunks(6) {
        let played = thread::scope(|scope| {
            let threads: Vec<_> = names
                .iter()
                .map(|name| scope.spawn(|| passes(name)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or(false))
                .collect::<Vec<_>>()
        });
        failed.extend(
            names
                .iter()
                .zip(played)
                .filter(|(_, passed)| !passed)
                .map(|(name, _)| *name),
        );
    }
    println!("failed: {failed:?}");
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Plays one scenario in a fresh process.
fn passes(name: &str) -> bool {
    let program = env::current_exe().expect("this program has a file");
    let mut child = Command::new(program)
        .env(SCENARIO, name)
        .spawn()
        .expect("the scenario starts");
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            println!(
                "test {name} ... {}",
                if status.success() { "ok" } else { "FAILED" }
            );
            return status.success();
        }
        if Instant::now() > deadline {
            println!("test {name} ... HANGS");
            child.kill().expect("it runs");
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until something is so; fails the scenario when it does not become so within a time.
fn eventually(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !is_so() {
        assert!(Instant::now() < deadline, "it never came to this: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

#[procs::task]
fn double(n: u64) -> u64 {
    2 * n
}
