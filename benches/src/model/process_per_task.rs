//! A new process for each task.

use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use procs::Process;

use super::window;
use crate::{Failed, Outcome, Plan, Unit};

/// A process that runs one task.
type Running = Process<Result<Outcome, Failed>>;

/// One task, in a process of its own.
#[procs::task]
pub fn in_process(unit: Unit) -> Result<Outcome, Failed> {
    unit.blocking()
}

/// Spawns a process for each task, and joins each when it has ended.
pub fn run(plan: &Plan) -> Result<Vec<Outcome>, Failed> {
    window::run_by(
        plan,
        |unit, _| procs::spawn(in_process, unit).map_err(Failed::at("starting a process")),
        first_ended,
        |mut process| process.join().map_err(Failed::at("joining a process"))?,
    )
}

/// Waits until one of the processes has ended, and returns its place.
fn first_ended(places: &[Option<Running>]) -> Result<usize, Failed> {
    let running = || {
        let occupied = places.iter().enumerate();
        occupied.filter_map(|(place, process)| Some((place, process.as_ref()?)))
    };
    let mut descriptors: Vec<PollFd> = running()
        .map(|(_, process)| PollFd::new(process.as_fd(), PollFlags::POLLIN))
        .collect();
    loop {
        match poll(&mut descriptors, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(Failed::new("waiting for a process", error)),
        }
        let ready = descriptors
            .iter()
            .position(|descriptor| descriptor.any().unwrap_or(false));
        if let Some((place, _)) = ready.and_then(|nth| running().nth(nth)) {
            return Ok(place);
        }
    }
}
