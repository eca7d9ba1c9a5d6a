//! Which machine the figures are of.

use std::fs;

use serde::Serialize;

/// What a reader must know of a machine to judge its figures.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// Processors that this program may use.
    pub processors: usize,
    /// Memory of the machine in bytes.
    pub memory_bytes: u64,
    /// The kernel's name and release.
    pub kernel: String,
}

impl Machine {
    /// The machine that this runs on.
    #[must_use]
    pub fn this() -> Self {
        let memory = field("/proc/meminfo", "MemTotal")
            .and_then(|text| text.trim_end_matches(" kB").parse().ok());
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            processor: field("/proc/cpuinfo", "model name")
                .unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            processors: procs::cpu_count(),
            memory_bytes: memory.unwrap_or(0_u64) * 1024,
            kernel: format!("Linux {}", kernel.trim()),
        }
    }
}

/// The value of the first line `name : value` of a file under `/proc`.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            processor,
            processors,
            memory_bytes,
            kernel,
        } = self;
        let gib = *memory_bytes as f64 / (1 << 30) as f64;
        write!(
            f,
            "{processor}, {processors} usable processors, {gib:.0} GiB, {kernel}"
        )
    }
}
