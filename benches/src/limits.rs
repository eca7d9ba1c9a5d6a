//! What this machine lets a model do: how many processes, threads and open files.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::thread::available_parallelism;

use crate::{Model, Plan};

/// More processes than this for each processor only wait for each other.
const PROCESSES_A_PROCESSOR: usize = 128;
/// Files that a process has open besides its tasks' sockets, with room to spare.
const OTHER_FILES: usize = 64;

/// Lets this process, and those that it starts, open as many files as the system allows: a task that waits has a
/// socket, and the usual limit of 1,024 is for programs that have few.
///
/// A system that refuses leaves the limit as it was; plans beyond it are then left out with that reason.
pub fn raise_open_files() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Why this plan is not for this model on this machine, if it is not.
pub fn refuses(model: Model, plan: &Plan) -> Option<String> {
    let at_once = model.concurrency(plan).min(plan.tasks as usize);
    let refused = |what: &str, most: usize, why: &str| {
        (at_once > most).then(|| format!("{at_once} {what} at once, and {most} {why}"))
    };
    let open = soft_limit(Resource::RLIMIT_NOFILE).saturating_sub(OTHER_FILES);
    let few = "open files are allowed (ulimit -n)";
    match model {
        Model::ProcessPerTask | Model::ProcessPool if plan.processes(model) > most_processes() => {
            Some(format!(
                "{} processes at once, and {} is the most that makes sense on {} processors",
                plan.processes(model),
                most_processes(),
                processors()
            ))
        }
        Model::ProcessPerTask | Model::ProcessPool => None,
        Model::ThreadPerTask | Model::ThreadPool => refused(
            "threads",
            soft_limit(Resource::RLIMIT_NPROC) / 2,
            "threads are allowed (half of ulimit -u)",
        )
        .or_else(|| refused("open sockets", open, few)),
        _ if plan.workload.needs_service() => refused("open sockets", open, few),
        _ => None,
    }
}

/// Processors that this program may use.
pub fn processors() -> usize {
    available_parallelism().map_or(1, usize::from)
}

fn most_processes() -> usize {
    (PROCESSES_A_PROCESSOR * processors()).min(soft_limit(Resource::RLIMIT_NPROC) / 2)
}

fn soft_limit(resource: Resource) -> usize {
    getrlimit(resource).map_or(usize::MAX, |(soft, _)| {
        usize::try_from(soft).unwrap_or(usize::MAX)
    })
}
