//! One sentence per workload: which model is ahead, or which models are level, and why.

use super::units::{figure, grouped, mebibytes};
use crate::lead;
use crate::{Contender, Kind, Language, Model, Row, Workload};

/// A model this much slower than the winner is worth naming if it is much cheaper.
const NEAR: f64 = 0.25;
/// So many times less processor time is much cheaper.
const CHEAPER: f64 = 2.0;

/// Returns a sentence: the model that is ahead and what its figures say of the reason, or the models that are level; then
/// a model that is a little slower for much less processor time.
pub fn verdict(rows: &[Row]) -> String {
    let (rust, python): (Vec<Row>, Vec<Row>) = rows
        .iter()
        .cloned()
        .partition(|row| row.contender.language == Language::Rust);
    if rust.is_empty() {
        return of_rust(&python);
    }
    of_rust(&rust) + &python_beside(&rust, &python)
}

/// What Python's quickest model reaches, beside the quickest of all.
fn python_beside(rust: &[Row], python: &[Row]) -> String {
    let (Some(best), Some(theirs)) = (fastest(rust), fastest(python)) else {
        return String::new();
    };
    let times = best.tasks_per_s / theirs.tasks_per_s;
    let (rate, contender) = (figure(theirs.tasks_per_s), theirs.contender);
    let beside = if best.rate().is_ahead_of(&theirs.rate()) {
        format!("{}× slower", figure(times))
    } else if theirs.rate().is_ahead_of(&best.rate()) {
        format!("{}× faster", figure(1.0 / times))
    } else {
        "level".into()
    };
    format!(" The quickest of Python's models is {contender}, with {rate} tasks/s: {beside}.")
}

fn fastest(rows: &[Row]) -> Option<&Row> {
    rows.iter()
        .max_by(|a, b| a.tasks_per_s.total_cmp(&b.tasks_per_s))
}

fn of_rust(rows: &[Row]) -> String {
    let Some(first) = fastest(rows) else {
        return String::from("Nothing was measured.");
    };
    let serial = rows
        .iter()
        .find(|row| row.contender == Contender::rust(Model::Serial));
    let (mut level, behind) = lead::split(rows.iter().collect(), |row| row.rate());
    level.sort_by(|a, b| b.tasks_per_s.total_cmp(&a.tasks_per_s));
    if let Some(serial) = serial.filter(|_| rows.len() > 1)
        && level.contains(&serial)
    {
        let rate = figure(serial.tasks_per_s);
        return format!("no model is ahead of serial, with {rate} tasks/s.");
    }
    let mut sentence = match &level[..] {
        [winner] => praise(winner, serial),
        _ if behind.is_empty() => format!("no model is ahead: {}", reached(first, None)),
        _ => {
            let names: Vec<String> = level.iter().map(|row| row.contender.to_string()).collect();
            format!("{} are level: {}", listed(&names), reached(first, serial))
        }
    };
    if let Some(thrifty) = thriftiest(rows, first) {
        let speed = 100.0 * thrifty.tasks_per_s / first.tasks_per_s;
        let saving = figure(first.cpu_ms_of_a_task() / thrifty.cpu_ms_of_a_task());
        let (model, first) = (thrifty.contender, first.contender);
        sentence += &format!(
            "; {model} has {speed:.0} % of the speed of {first} for {saving}× less processor time"
        );
    }
    sentence + "."
}

/// The rate of level models, and how it compares with serial.
fn reached(first: &Row, serial: Option<&Row>) -> String {
    let rate = figure(first.tasks_per_s);
    match serial {
        Some(serial) => {
            let lead = figure(first.tasks_per_s / serial.tasks_per_s);
            format!("up to {rate} tasks/s, {lead}× serial")
        }
        None => format!("about {rate} tasks/s"),
    }
}

/// The winner, its lead over serial, and the reason.
fn praise(winner: &Row, serial: Option<&Row>) -> String {
    let Row {
        contender,
        tasks_per_s,
        ..
    } = winner;
    let mut sentence = format!("{contender} is ahead with {} tasks/s", figure(*tasks_per_s));
    if let Some(serial) = serial.filter(|serial| serial.contender != *contender) {
        let lead = figure(tasks_per_s / serial.tasks_per_s);
        sentence += &format!(", {lead}× serial");
    }
    sentence += &format!(", because {}", reason(winner));
    if winner.workload.kind() == Kind::Mixed {
        sentence += &format!(", and {} processors computed meanwhile", busy(winner));
    }
    sentence
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Of the models that came near, the one that used least processor time, if it is much cheaper.
fn thriftiest<'r>(rows: &'r [Row], winner: &Row) -> Option<&'r Row> {
    rows.iter()
        .filter(|row| row.tasks_per_s >= winner.tasks_per_s * (1.0 - NEAR) && row.cpu_s > 0.0)
        .min_by(|a, b| a.cpu_ms_of_a_task().total_cmp(&b.cpu_ms_of_a_task()))
        .filter(|row| row.cpu_ms_of_a_task() * CHEAPER <= winner.cpu_ms_of_a_task())
}

/// How many processors were busy on average.
fn busy(row: &Row) -> String {
    figure(row.cpu_s / row.wall_s)
}

/// Why this row is as fast as it is, from its own figures.
fn reason(row: &Row) -> String {
    let busy = busy(row);
    let at_once = row.concurrency.min(row.tasks as usize);
    let overlapped = match at_once {
        1 => "each wait was".to_owned(),
        _ => format!("{at_once} waits overlapped"),
    };
    let waits = row.workload.kind() != Kind::CpuBound;
    match row.contender.model {
        Model::Serial => "there was nothing to compare it with".into(),
        Model::ProcessPerTask if waits => {
            format!("{at_once} processes waited at once, each for one task")
        }
        Model::ProcessPerTask => {
            format!("its processes kept {busy} processors busy and a start is cheap beside a task")
        }
        Model::ThreadPerTask if waits => format!(
            "every task had a thread to wait on, {at_once} at once, and blocking a thread costs two context switches ({} in all)",
            grouped(row.ctx_voluntary)
        ),
        Model::ThreadPerTask => {
            format!("its threads kept {busy} processors busy and a start is cheap beside a task")
        }
        Model::ProcessPool | Model::ThreadPool if waits => {
            format!(
                "its {} workers waited at once and were started only once",
                row.workers
            )
        }
        Model::ProcessPool => format!(
            "its {} processes kept {busy} processors busy and were started only once",
            row.workers
        ),
        Model::ThreadPool => format!(
            "its {} threads kept {busy} processors busy, were started only once, and handed results over in shared memory",
            row.workers
        ),
        Model::Coroutines if waits => {
            format!(
                "{overlapped} on one thread, which paid for polling them with {busy} processors"
            )
        }
        Model::EventLoop | Model::EventLoopPerCore | Model::Prefork
            if row.workload == Workload::Fsync =>
        {
            format!(
                "its loop handed the files to threads, and {at_once} of them were under way at once"
            )
        }
        Model::EventLoop if waits => format!(
            "{overlapped} on one thread, which slept until a socket was ready: {} s of processor time and {} MiB for them all",
            figure(row.cpu_s),
            figure(mebibytes(row.peak_rss_bytes))
        ),
        Model::EventLoopPerCore | Model::Prefork if waits => format!(
            "{overlapped} on a few threads, which slept until a socket was ready: {} s of processor time and {} MiB for them all",
            figure(row.cpu_s),
            figure(mebibytes(row.peak_rss_bytes))
        ),
        Model::EventLoopPerCore | Model::Prefork => format!(
            "its loops kept {busy} processors busy, and switching between tasks costs next to nothing"
        ),
        Model::Coroutines | Model::EventLoop => {
            "one thread was enough, and switching between tasks costs next to nothing".into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::verdict;
    use crate::{Contender, Model, Row, Workload};

    fn row(model: Model, tasks_per_s: f64) -> Row {
        Row {
            workload: Workload::Echo,
            contender: Contender::rust(model),
            tasks: 100,
            concurrency: 50,
            workers: 32,
            runs: 3,
            spread: 0.1,
            wall_s: 100.0 / tasks_per_s,
            tasks_per_s,
            p50_ms: 20.0,
            p90_ms: 20.5,
            p99_ms: 21.0,
            max_ms: 22.0,
            cpu_s: 0.01,
            peak_rss_bytes: 4 << 20,
            ctx_voluntary: 5,
            ctx_involuntary: 1,
            checksum: 1,
        }
    }

    #[test]
    fn the_fastest_wins_and_its_lead_is_said() {
        let rows = [
            row(Model::Serial, 50.0),
            row(Model::EventLoop, 2000.0),
            row(Model::ThreadPool, 1500.0),
        ];
        let sentence = verdict(&rows);
        assert!(
            sentence.starts_with(
                "event-loop is ahead with 2,000 tasks/s, 40.0× serial, because 50 waits"
            ),
            "{sentence}"
        );
        assert!(!sentence.contains("level"), "{sentence}");
    }

    #[test]
    fn nobody_wins_by_less_than_the_noise() {
        let rows = [row(Model::Serial, 98.0), row(Model::ThreadPool, 100.0)];
        assert_eq!(
            verdict(&rows),
            "no model is ahead of serial, with 98.0 tasks/s."
        );
    }

    #[test]
    fn a_difference_within_the_noise_is_level() {
        let rows = [
            row(Model::Serial, 50.0),
            row(Model::EventLoop, 2000.0),
            row(Model::ThreadPerTask, 1950.0),
        ];
        assert_eq!(
            verdict(&rows),
            "event-loop and thread-per-task are level: up to 2,000 tasks/s, 40.0× serial."
        );
    }

    #[test]
    fn a_single_run_explains_nothing_that_noise_could_turn() {
        let alone = |model, rate| Row {
            runs: 1,
            spread: 0.0,
            ..row(model, rate)
        };
        let rows = [alone(Model::Serial, 100.0), alone(Model::Coroutines, 190.0)];
        assert_eq!(
            verdict(&rows),
            "no model is ahead of serial, with 100 tasks/s."
        );
    }

    #[test]
    fn a_little_slower_and_much_cheaper_is_worth_a_word() {
        let polling = Row {
            cpu_s: 0.1,
            ..row(Model::Coroutines, 2000.0)
        };
        let rows = [polling, row(Model::EventLoop, 1700.0)];
        let sentence = verdict(&rows);
        assert!(sentence.starts_with("coroutines is ahead"), "{sentence}");
        assert!(
            sentence.ends_with(
                "; event-loop has 85 % of the speed of coroutines for 10.0× less processor time."
            ),
            "{sentence}"
        );
    }

    #[test]
    fn where_all_are_alike_none_is_said_to_be_ahead() {
        let models = [Model::ProcessPool, Model::ThreadPool, Model::EventLoop];
        let sentence = verdict(&models.map(|model| row(model, 46.0)));
        assert_eq!(sentence, "no model is ahead: about 46.0 tasks/s.");
    }

    #[test]
    fn python_is_held_against_the_best_whichever_is_quicker() {
        let beside = |rate| {
            let python = Row {
                contender: Contender::python(Model::ThreadPool),
                ..row(Model::ThreadPool, rate)
            };
            verdict(&[row(Model::EventLoop, 100.0), python])
        };
        assert!(beside(50.0).ends_with("50.0 tasks/s: 2.00× slower."));
        assert!(beside(200.0).ends_with("200 tasks/s: 2.00× faster."));
        assert!(beside(98.0).ends_with("98.0 tasks/s: level."));
    }

    #[test]
    fn one_wait_overlaps_with_nothing() {
        let alone = Row {
            concurrency: 1,
            ..row(Model::EventLoop, 46.0)
        };
        let sentence = verdict(&[alone]);
        assert!(
            sentence.contains("because each wait was on one thread, which slept"),
            "{sentence}"
        );
    }
}
