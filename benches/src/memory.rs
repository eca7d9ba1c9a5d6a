//! Resident memory of a process and its descendants, as `/proc` tells it.

use std::fs;

use nix::unistd::{SysconfVar, sysconf};

/// Sum of the resident memory of this process and all its descendants; 0 when it is gone.
///
/// Pages that several of them share are counted once for each, as `ps` and `top` do.
pub fn resident_bytes_of_tree(root: u32) -> u64 {
    resident_bytes(root) + resident_bytes_below(root)
}

/// The same without this process itself.
pub fn resident_bytes_below(root: u32) -> u64 {
    children(root).into_iter().map(resident_bytes_of_tree).sum()
}

fn resident_bytes(pid: u32) -> u64 {
    let pages = fs::read_to_string(format!("/proc/{pid}/statm"))
        .ok()
        .and_then(|statm| statm.split(' ').nth(1)?.parse().ok())
        .unwrap_or(0);
    pages * page_size()
}

fn page_size() -> u64 {
    sysconf(SysconfVar::PAGE_SIZE)
        .ok()
        .flatten()
        .and_then(|size| u64::try_from(size).ok())
        .unwrap_or(4096)
}

/// A process's children hang on the thread that started them, so every thread is asked.
fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let lists = threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The most that the calling process ever had resident, shared pages included.
pub fn own_peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: Option<u64> = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok());
    kib.unwrap_or(0) * 1024
}
