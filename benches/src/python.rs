//! Python's counterparts of the models, run by the `python3` of the search path or by the interpreter that is named.
//!
//! The programs are those of `benches/python`; they are part of this one and are written to a folder when they are
//! needed.

use std::ffi::OsStr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::measure::{Timed, Usage};
use crate::{Failed, Model, Outcome, Plan};

const INTERPRETER: &str = "python3";

/// The folder within a plan's folder that takes the programs.
const FOLDER: &str = "python";

/// The file there that says where the interpreter is.
const EXECUTABLE: &str = "executable";

const PROGRAMS: [(&str, &str); 3] = [
    ("run.py", include_str!("../python/run.py")),
    ("models.py", include_str!("../python/models.py")),
    ("workloads.py", include_str!("../python/workloads.py")),
];

/// Tells where the interpreter itself is, behind what the search path may have in front of it, its version, and that of
/// aiohttp if it is there.
const INTRODUCE: &str = "\
import platform, sys
try:
    import aiohttp
    client = f'aiohttp {aiohttp.__version__}'
except ImportError:
    client = 'without aiohttp'
print(sys.executable)
print(f'{platform.python_implementation()} {platform.python_version()}, {client}')";

/// An interpreter.
#[derive(Debug, Clone)]
pub struct Python {
    executable: String,
    /// What it says of itself, such as `CPython 3.11.7, without aiohttp`.
    pub introduction: String,
}

/// Asks this interpreter, or else the `python3` of the search path, what it is.
///
/// # Errors
/// When there is none, or it is too old or too broken to say what it is.
pub fn find(program: Option<&OsStr>) -> Result<Python, Failed> {
    let program = program.unwrap_or(OsStr::new(INTERPRETER));
    let step = || format!("asking {} for its version", program.display());
    let asked = procs::command(program)
        .args(["-c", INTRODUCE])
        .timeout(std::time::Duration::from_secs(20));
    let output = asked.run().and_then(procs::Output::check);
    match &output.map_err(Failed::at(step()))?.lines()[..] {
        [executable, introduction] => Ok(Python {
            executable: executable.clone(),
            introduction: introduction.clone(),
        }),
        lines => Err(Failed::new(step(), format!("it said {lines:?}"))),
    }
}

/// Writes the programs into the folder of the plans that this interpreter will run.
///
/// # Errors
/// Names the file that could not be written.
pub fn install(python: &Python, folder: &Path) -> Result<(), Failed> {
    let folder = folder.join(FOLDER);
    let step = || format!("writing Python's programs to {}", folder.display());
    std::fs::create_dir_all(&folder).map_err(Failed::at(step()))?;
    let executable = (EXECUTABLE, python.executable.as_str());
    for (name, text) in PROGRAMS.into_iter().chain([executable]) {
        std::fs::write(folder.join(name), text).map_err(Failed::at(step()))?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Order<'p> {
    model: Model,
    plan: &'p Plan,
}

#[derive(Deserialize)]
struct Report {
    wall_s: f64,
    at_start: Usage,
    outcomes: Vec<(u32, u64, u64)>,
}

/// Runs the plan; its folder must have the programs.
pub(crate) fn run(model: Model, plan: &Plan) -> Result<Timed, Failed> {
    let step = || format!("running {} by Python", plan.workload);
    let folder = plan.folder.as_deref();
    let folder =
        folder.ok_or_else(|| Failed::new(step(), "the plan has no folder for its programs"))?;
    let folder = folder.join(FOLDER);
    let executable =
        std::fs::read_to_string(folder.join(EXECUTABLE)).map_err(Failed::at(step()))?;
    let order = serde_json::to_vec(&Order { model, plan }).map_err(Failed::at(step()))?;
    let output = procs::command(executable)
        .arg(folder.join("run.py"))
        .input(order)
        .run()
        .and_then(procs::Output::check)
        .map_err(Failed::at(step()))?;
    let report: Report = serde_json::from_slice(output.stdout()).map_err(Failed::at(step()))?;
    let outcomes = report
        .outcomes
        .into_iter()
        .map(|(index, checksum, latency_ns)| Outcome {
            index,
            checksum,
            latency_ns,
            trace: None,
        });
    Ok(Timed {
        at_start: report.at_start,
        wall_s: report.wall_s,
        outcomes: outcomes.collect(),
        own_peak_bytes: 0,
    })
}
