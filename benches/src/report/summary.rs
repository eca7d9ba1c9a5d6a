//! The answer in short: for each kind of work that was measured, which model to use.

use comfy_table::{ContentArrangement, Table};

use super::Series;
use super::table::STYLE;
use super::units::figure;
use crate::guide::in_short;
use crate::simplicity::simplest;
use crate::{Kind, Language, Model, Row, Workload};

/// A model that reaches this part of the quickest one's speed is level with it, however steady the runs were.
const LEVEL: f64 = 0.9;
/// Beyond so many tasks at once it is "thousands".
const MANY: usize = 500;

/// What to use for one kind of work, and what was measured of it.
#[derive(Debug, PartialEq)]
pub struct Answer {
    /// What the tasks are like.
    pub when: String,
    /// What to use.
    pub take: String,
    /// How much quicker it is than one task after the other.
    pub gain: String,
    /// What else there is to know; may be empty.
    pub because: String,
    /// The series that the page leads to.
    pub see: String,
}

/// The answers for every kind of work of which several models were measured.
pub fn answers(all: &[Series]) -> Vec<Answer> {
    let of = |belongs: &dyn Fn(&Series) -> bool| -> Vec<Series> {
        let several = all.iter().filter(|series| rust(series.rows).count() > 1);
        several.filter(|series| belongs(series)).copied().collect()
    };
    let network = |series: &Series| {
        series.workload.needs_service() && series.workload.kind() == Kind::IoBound
    };
    let computing = of(&|series| series.workload.kind() == Kind::CpuBound);
    let waiting = of(&|series| network(series) && (10..MANY).contains(&series.concurrency));
    let crowd = of(&|series| network(series) && series.concurrency >= MANY);
    let files = of(&|series| series.workload == Workload::Fsync);
    let mixed = of(&|series| series.workload.kind() == Kind::Mixed);
    let at_once = |series: &[Series]| {
        series
            .iter()
            .map(|series| series.concurrency)
            .max()
            .unwrap_or(0)
    };
    let groups = [
        ("compute".into(), &computing),
        (
            format!("wait for answers, up to {} at once", at_once(&waiting)),
            &waiting,
        ),
        (
            format!("wait for answers, {} at once", at_once(&crowd)),
            &crowd,
        ),
        ("force files to the disk".into(), &files),
        (
            format!("compute, then wait, {} at once", at_once(&mixed)),
            &mixed,
        ),
    ];
    let mut answers: Vec<Answer> = groups
        .into_iter()
        .filter_map(|(when, series)| answer(when, series))
        .collect();
    answers.extend(crashing(&computing));
    answers
}

fn rust(rows: &[Row]) -> impl Iterator<Item = &Row> {
    rows.iter()
        .filter(|row| row.contender.language == Language::Rust)
}

fn answer(when: String, series: &[Series]) -> Option<Answer> {
    let waits = series.first()?.workload.kind() != Kind::CpuBound;
    // Polling without a pause whether an answer has come is no advice, however quick it is.
    let practical = |model: &Model| !(waits && *model == Model::Coroutines);
    let waits_at_once = if waits { series.last()?.concurrency } else { 0 };
    let mut level: Vec<Model> = Model::ALL
        .into_iter()
        .filter(practical)
        .filter(|model| is_level(*model, series, practical))
        .collect();
    level.sort_by_key(|model| simplest(*model, waits_at_once));
    if level.is_empty() {
        // Each series has another winner: take the model that is least behind anywhere.
        level.extend(
            Model::ALL
                .into_iter()
                .filter(practical)
                .filter_map(|model| Some((model, score(model, series)?)))
                .max_by(|a, b| a.1.total_cmp(&b.1))
                .map(|(model, _)| model),
        );
    }
    let (model, others) = level.split_first()?;
    let workers = row(*model, series.last()?)?.workers;
    let others: Vec<String> = others.iter().map(Model::to_string).collect();
    let mut because = Vec::new();
    if !others.is_empty() {
        because.push(format!("level with it: {}", others.join(", ")));
    }
    because.extend(polling(*model, series));
    Some(Answer {
        when,
        take: in_short(*model, workers),
        gain: lead(*model, series),
        because: because.join("; "),
        see: series.first()?.name(),
    })
}

/// Returns whether no practical model is ahead of this one in any of the series.
fn is_level(model: Model, series: &[Series], practical: impl Fn(&Model) -> bool) -> bool {
    series.iter().all(|series| {
        row(model, series).is_some_and(|own| {
            rust(series.rows)
                .filter(|other| practical(&other.contender.model))
                .all(|other| !other.rate().is_ahead_of(&own.rate()))
        })
    })
}

/// The least part of the quickest model's speed that this one reached; `None` unless it was measured in each.
fn score(model: Model, series: &[Series]) -> Option<f64> {
    let part = |series: &Series| {
        let best = rust(series.rows)
            .map(|row| row.tasks_per_s)
            .fold(0.0, f64::max);
        Some(row(model, series)?.tasks_per_s / best)
    };
    let parts: Option<Vec<f64>> = series.iter().map(part).collect();
    parts?.into_iter().reduce(f64::min)
}

fn row<'r>(model: Model, series: &Series<'r>) -> Option<&'r Row> {
    rust(series.rows).find(|row| row.contender.model == model)
}

/// How it compares with one task after the other, or its rate where that was not measured.
fn lead(model: Model, series: &[Series]) -> String {
    if model == Model::Serial {
        let score = score(model, series).unwrap_or(1.0);
        return if score < LEVEL {
            "level within the noise".into()
        } else {
            "nothing is quicker".into()
        };
    }
    let times = series.iter().filter_map(|series| {
        Some(row(model, series)?.tasks_per_s / row(Model::Serial, series)?.tasks_per_s)
    });
    let times: Vec<f64> = times.collect();
    let (least, most) = (
        times.iter().copied().fold(f64::MAX, f64::min),
        times.iter().copied().fold(0.0, f64::max),
    );
    if times.is_empty() {
        let rates = series
            .iter()
            .filter_map(|series| Some(row(model, series)?.tasks_per_s));
        return format!("{} tasks/s", figure(rates.fold(0.0, f64::max)));
    }
    if figure(least) == figure(most) {
        format!("{}× serial", figure(most))
    } else {
        format!("{} to {}× serial", figure(least), figure(most))
    }
}

/// How much quicker coroutines that poll were than the model that is advised, if they were.
fn polling(advised: Model, series: &[Series]) -> Option<String> {
    let ahead = |series: &Series| {
        let polling = row(Model::Coroutines, series)?;
        let own = row(advised, series)?;
        (series.workload.kind() != Kind::CpuBound && polling.rate().is_ahead_of(&own.rate()))
            .then_some(polling.tasks_per_s / own.tasks_per_s)
    };
    let times = series.iter().filter_map(ahead).reduce(f64::max)?;
    Some(format!(
        "coroutines were {}× as quick, by polling without a pause",
        figure(times)
    ))
}

/// What it costs to be safe from crashes.
fn crashing(computing: &[Series]) -> Option<Answer> {
    let (least, most) = computing
        .iter()
        .filter_map(|series| {
            let best = rust(series.rows)
                .map(|row| row.tasks_per_s)
                .fold(0.0, f64::max);
            Some(100.0 * row(Model::ProcessPool, series)?.tasks_per_s / best)
        })
        .fold((f64::MAX, 0.0_f64), |(least, most), part| {
            (least.min(part), most.max(part))
        });
    let series = computing.first()?;
    let workers = row(Model::ProcessPool, series)?.workers;
    let part = if (most - least).abs() < 1.0 {
        format!("{most:.0} %")
    } else {
        format!("{least:.0} to {most:.0} %")
    };
    Some(Answer {
        when: "may crash, leak or hang".into(),
        take: in_short(Model::ProcessPool, workers),
        gain: format!("{part} of the quickest"),
        because: "a crash loses one task".into(),
        see: series.name(),
    })
}

/// The answers for a terminal of this many columns: a table of three columns, then what else there is to know.
pub fn text(answers: &[Answer], width: Option<usize>) -> String {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_header(["your tasks", "take", "speed"]);
    for answer in answers {
        table.add_row([&answer.when, &answer.take, &answer.gain]);
    }
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    }
    let mut text = format!("{table}\n");
    for answer in answers.iter().filter(|answer| !answer.because.is_empty()) {
        text += &format!("  {}: {}.\n", answer.when, answer.because);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Contender, Plan, Run};

    fn rows(workload: Workload, concurrency: usize, rates: &[(Model, f64)]) -> Vec<Row> {
        let plan = Plan::new(workload, 100).with_concurrency(concurrency);
        let run = |rate: f64| Run {
            wall_s: 100.0 / rate,
            ..Run::default()
        };
        let row = |&(model, rate): &(Model, f64)| {
            Row::of(Contender::rust(model), &plan, vec![run(rate); 3])
        };
        rates.iter().filter_map(row).collect()
    }

    fn series(rows: &[Row]) -> Series<'_> {
        Series {
            workload: rows[0].workload,
            concurrency: rows[0].concurrency,
            rows,
            left_out: &[],
        }
    }

    #[test]
    fn the_simplest_of_those_who_are_quick_everywhere_is_the_answer() {
        let pi = rows(
            Workload::Pi,
            4,
            &[
                (Model::Serial, 10.0),
                (Model::ThreadPool, 19.0),
                (Model::ProcessPool, 15.0),
                (Model::Prefork, 20.0),
            ],
        );
        let primes = rows(
            Workload::Primes,
            4,
            &[
                (Model::Serial, 10.0),
                (Model::ThreadPool, 20.0),
                (Model::ProcessPool, 18.0),
                (Model::Prefork, 20.0),
            ],
        );
        let answers = answers(&[series(&pi), series(&primes)]);
        let [computing, crashing] = &answers[..] else {
            panic!("{answers:?}");
        };
        assert!(computing.take.contains("threads"), "{computing:?}");
        assert_eq!(computing.gain, "1.90 to 2.00× serial");
        assert_eq!(computing.because, "level with it: prefork");
        assert_eq!(crashing.gain, "75 to 90 % of the quickest");
    }

    #[test]
    fn polling_is_named_and_not_advised() {
        let echo = rows(
            Workload::Echo,
            1000,
            &[
                (Model::EventLoop, 140.0),
                (Model::ThreadPool, 80.0),
                (Model::Coroutines, 168.0),
            ],
        );
        let answers = answers(&[series(&echo)]);
        assert!(answers[0].when.contains("1000 at once"), "{answers:?}");
        assert!(answers[0].take.contains("event loop"), "{answers:?}");
        assert!(
            answers[0].because.contains("coroutines were 1.20×"),
            "{answers:?}"
        );
    }

    #[test]
    fn one_model_alone_answers_nothing() {
        let serial = rows(Workload::Pi, 4, &[(Model::Serial, 10.0)]);
        assert_eq!(answers(&[series(&serial)]), []);
    }
}
