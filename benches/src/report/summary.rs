//! The answer in short: for each kind of work that was measured, which model to use.

use super::Series;
use super::units::figure;
use crate::advice::LEVEL;
use crate::guide::{in_words, simplest};
use crate::{Kind, Language, Model, Row, Workload, limits};

/// Beyond so many tasks at once it is "thousands".
const MANY: usize = 500;

/// What to use for one kind of work, and what was measured of it.
#[derive(Debug, PartialEq)]
pub struct Answer {
    /// What the tasks are like.
    pub when: String,
    /// What to use.
    pub take: String,
    /// Why.
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
        ("They compute".into(), &computing),
        (
            format!("They wait for answers, up to {} at once", at_once(&waiting)),
            &waiting,
        ),
        (
            format!("They wait for answers, {} at once", at_once(&crowd)),
            &crowd,
        ),
        ("They force files to the disk".into(), &files),
        (
            format!("They compute, then wait, {} at once", at_once(&mixed)),
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
    let mut scores: Vec<(Model, f64)> = Model::ALL
        .into_iter()
        .filter_map(|model| Some((model, score(model, series)?)))
        .collect();
    scores.sort_by(|a, b| b.1.total_cmp(&a.1));
    // Who asks all the time whether something has come is no advice, however quick.
    let practical = scores
        .iter()
        .filter(|(model, _)| !(waits && *model == Model::Coroutines));
    let practical: Vec<(Model, f64)> = practical.copied().collect();
    let least = practical.first()?.1 * LEVEL;
    let mut level: Vec<(Model, f64)> = practical
        .into_iter()
        .filter(|(_, score)| *score >= least)
        .collect();
    let waits_at_once = if waits { series.last()?.concurrency } else { 0 };
    level.sort_by_key(|(model, _)| simplest(*model, waits_at_once));
    let (model, score) = *level.first()?;
    let workers = row(model, series.last()?)?.workers;
    let mut because = vec![lead(model, series)];
    let others: Vec<String> = level[1..]
        .iter()
        .map(|(other, _)| other.to_string())
        .collect();
    if !others.is_empty() {
        because.push(format!("as quick: {}", others.join(", ")));
    }
    because.extend(polling(scores[0], score));
    Some(Answer {
        when,
        take: in_words(model, workers),
        because: because.join("; "),
        see: series.first()?.name(),
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

/// How it compares with one task after the other, or how quick it was where that was not measured.
fn lead(model: Model, series: &[Series]) -> String {
    if model == Model::Serial {
        return "nothing else is quicker".into();
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
        return format!("{} tasks a second", figure(rates.fold(0.0, f64::max)));
    }
    let span = if figure(least) == figure(most) {
        figure(most)
    } else {
        format!("{} to {}", figure(least), figure(most))
    };
    let why = match series[0].workload.kind() {
        Kind::CpuBound => format!(", on {} processors", limits::processors()),
        _ => String::new(),
    };
    format!("{span} times as quick as one after the other{why}")
}

/// What coroutines that poll had over the one that is advised, if they had.
fn polling((quickest, best): (Model, f64), advised: f64) -> Option<String> {
    (quickest == Model::Coroutines && advised < best * LEVEL).then(|| {
        let times = figure(best / advised);
        format!("coroutines were {times} times as quick, by asking without a pause whether an answer has come")
    })
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
        when: "They may crash, leak or hang".into(),
        take: in_words(Model::ProcessPool, workers),
        because: format!(
            "only the one task is lost; {part} of the quickest model's speed where tasks compute"
        ),
        see: series.name(),
    })
}

/// The answers for a terminal; `sure` unless each row had one run alone.
pub fn text(answers: &[Answer], sure: bool) -> String {
    let mut text = String::from("In short, on this machine");
    if !sure {
        text += " (a first impression: each row was measured once)";
    }
    text += ". What do your tasks do?\n";
    for Answer {
        when,
        take,
        because,
        ..
    } in answers
    {
        text += &format!("  {when}: use {take} ({because}).\n");
    }
    text + "  Yours are different: compare advise --cpu 2ms --io 40ms --tasks 10000 measures them.\n"
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
        let row =
            |&(model, rate): &(Model, f64)| Row::of(Contender::rust(model), &plan, vec![run(rate)]);
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
        assert!(
            computing
                .because
                .starts_with("1.90 to 2.00 times as quick as one after the other"),
            "{computing:?}"
        );
        assert!(
            computing.because.ends_with("as quick: prefork"),
            "{computing:?}"
        );
        assert!(crashing.because.contains("75 to 90 %"), "{crashing:?}");
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
            answers[0].because.contains("coroutines were 1.20 times"),
            "{answers:?}"
        );
    }

    #[test]
    fn one_model_alone_answers_nothing() {
        let serial = rows(Workload::Pi, 4, &[(Model::Serial, 10.0)]);
        assert_eq!(answers(&[series(&serial)]), []);
    }
}
