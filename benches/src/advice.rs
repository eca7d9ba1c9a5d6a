//! Which model to use for a mix of computing and waiting, and why.

use std::fmt::Write;

use crate::guide::{at_once, in_words, program, who_waits};
use crate::report::{Machine, bytes, figure, grouped, span};
use crate::simplicity::simplest;
use crate::{LeftOut, Mix, Model, Row, Wish, limits};

/// What was measured for it, and what follows.
#[derive(Debug, Clone)]
pub struct Advice {
    wish: Wish,
    workers: usize,
    /// From the one that is advised on.
    ranked: Vec<Row>,
    /// Who does not fit the wish, and why.
    unfit: Vec<(Model, String)>,
    /// How many times shorter the measured tasks were.
    shrunk: u32,
}

impl Advice {
    /// Ranks what was measured: those who fit the wish by their speed, where those who are level are ranked by how
    /// simple they are.
    #[must_use]
    pub fn new(wish: Wish, rows: Vec<Row>, left_out: &[LeftOut]) -> Self {
        let mut unfit: Vec<(Model, String)> = left_out
            .iter()
            .map(|left_out| (left_out.contender.model, left_out.reason.clone()))
            .collect();
        let mut ranked = Vec::new();
        for row in rows {
            match wish.refuses(&row) {
                Some(reason) => unfit.push((row.contender.model, reason)),
                None => ranked.push(row),
            }
        }
        ranked.sort_by(|a, b| b.tasks_per_s.total_cmp(&a.tasks_per_s));
        let best = ranked.first().cloned();
        ranked.sort_by_key(|row| {
            let level = best.as_ref().is_some_and(|best| wish.is_level(row, best));
            let waits = if wish.mix.io_us > 0 {
                row.concurrency
            } else {
                0
            };
            let place = if level {
                simplest(row.contender.model, waits)
            } else {
                0
            };
            (!level, place)
        });
        let workers = ranked.first().map_or(0, |row| row.workers);
        Self {
            wish,
            workers,
            ranked,
            unfit,
            shrunk: 1,
        }
    }

    /// Says that the tasks that were measured are so many times shorter.
    #[must_use]
    pub fn measured_with(self, shrunk: u32) -> Self {
        Self { shrunk, ..self }
    }

    /// The model that is advised, if one fits.
    #[must_use]
    pub fn model(&self) -> Option<Model> {
        self.ranked.first().map(|row| row.contender.model)
    }

    /// Why, in sentences.
    fn reasons(&self, best: &Row) -> Vec<String> {
        let mut reasons = vec![self.how_long(best)];
        if best.contender.model != Model::Serial
            && let Some(serial) = self.row(Model::Serial)
        {
            let seconds = f64::from(self.wish.tasks) / serial.tasks_per_s;
            reasons.push(format!("One after the other would take {}.", span(seconds)));
        }
        if self.shrunk > 1 {
            reasons.push(format!(
                "Measured with tasks of the same mix that are {} times shorter, and reckoned up.",
                grouped(self.shrunk.into())
            ));
        }
        reasons.push(self.nature());
        if self.wish.tasks > 1 {
            reasons.extend(self.others(best));
        }
        reasons.extend(self.crowd(best));
        if best.is_noisy() && self.wish.tasks > 1 {
            reasons.push(format!(
                "Its runs were {:.0} % apart, so the machine was busy with something else: measure again before you rely on this.",
                100.0 * best.spread
            ));
        }
        if self.wish.crashy {
            reasons.push("A task that crashes ends its process and nothing else: its result is an error, the other tasks go on.".into());
        }
        if let Some(memory) = self.wish.memory {
            let (took, limit) = (bytes(best.peak_rss_bytes), bytes(memory));
            reasons.push(format!(
                "It took {took} at its most, with {} tasks at once; the limit is {limit}.",
                at_once(best)
            ));
        }
        reasons
    }

    fn how_long(&self, best: &Row) -> String {
        let seconds = f64::from(self.wish.tasks) / best.tasks_per_s;
        let rate = figure(best.tasks_per_s);
        if best.tasks >= self.wish.tasks {
            format!(
                "It did {} in {}: {rate} tasks/s.",
                self.wish.all(),
                span(seconds)
            )
        } else {
            format!(
                "It did a sample of {} at {rate} tasks/s; at that rate all {} take {}.",
                grouped(best.tasks.into()),
                grouped(self.wish.tasks.into()),
                span(seconds)
            )
        }
    }

    /// Who is as quick, or else who comes next.
    fn others(&self, best: &Row) -> Option<String> {
        let (level, slower): (Vec<&Row>, Vec<&Row>) = self.ranked[1..]
            .iter()
            .partition(|row| self.wish.is_level(row, best) || row.tasks_per_s > best.tasks_per_s);
        let names: Vec<String> = level.iter().map(|row| row.contender.to_string()).collect();
        if !names.is_empty() {
            return Some(format!(
                "Level with it, but more code or more memory: {}.",
                names.join(", ")
            ));
        }
        let next = slower.first()?;
        let times = figure(best.tasks_per_s / next.tasks_per_s);
        Some(format!("The next, {}, is {times}× slower.", next.contender))
    }

    /// What more waits at once would take.
    fn crowd(&self, best: &Row) -> Option<String> {
        let at_once = at_once(best);
        let alone = self.row(Model::Serial)?.peak_rss_bytes;
        let waits = self.wish.mix.io_us > 0 && best.contender.model != Model::Serial;
        let each = best.peak_rss_bytes.saturating_sub(alone) as f64 / at_once as f64 / 1024.0;
        let room = at_once < self.wish.mix.workers().min(self.wish.tasks as usize);
        (waits && room).then(|| {
            format!(
                "{} were in flight at once, for about {} KiB of memory each; with more, all are done sooner, if whoever they wait for keeps up.",
                grouped(at_once as i64),
                figure(each)
            )
        })
    }

    /// What the mix is like.
    fn nature(&self) -> String {
        let Mix { cpu_us, io_us, .. } = self.wish.mix;
        let share = 100.0 * f64::from(cpu_us) / (f64::from(cpu_us) + f64::from(io_us)).max(1.0);
        let processors = limits::processors();
        if self.wish.tasks == 1 {
            return "There is one task, so that nothing can be done beside it.".into();
        }
        match (cpu_us, io_us) {
            _ if self.wish.is_short() => format!("A task this short costs less than handing it over: to keep {processors} processors busy, make one task of a thousand of them."),
            (_, 0) => format!("The tasks only compute, so that what counts is to keep {processors} processors busy, and no more than that helps."),
            (0, _) => "The tasks only wait, so that what counts is how many wait at once, and what each costs while it does.".into(),
            _ => format!(
                "The tasks compute for {} % of their time: while one computes, {}, so that {} at once keep {processors} processors busy.",
                figure(share),
                who_waits(io_us / cpu_us),
                grouped(self.wish.mix.workers() as i64)
            ),
        }
    }

    fn row(&self, model: Model) -> Option<&Row> {
        self.ranked.iter().find(|row| row.contender.model == model)
    }
}

impl std::fmt::Display for Advice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mix = self.wish.mix;
        match self.wish.tasks {
            1 => writeln!(f, "One task of {mix}, on {}\n", Machine::this())?,
            tasks => writeln!(
                f,
                "{} tasks of {mix} each, on {}\n",
                grouped(tasks.into()),
                Machine::this()
            )?,
        }
        let Some(best) = self.ranked.first() else {
            writeln!(f, "No model fits:")?;
            return write_unfit(f, &self.unfit);
        };
        let model = best.contender.model;
        writeln!(f, "Use {}.\n", in_words(model, self.workers))?;
        for reason in self.reasons(best) {
            writeln!(f, "  - {reason}")?;
        }
        writeln!(
            f,
            "\n  {:<22}{:>10}{:>9}{:>12}{:>12}",
            "measured", "tasks/s", "spread", "CPU ms/task", "memory"
        )?;
        for row in &self.ranked {
            writeln!(
                f,
                "  {:<22}{:>10}{:>9}{:>12}{:>12}",
                row.contender.to_string(),
                figure(row.tasks_per_s),
                row.spread_in_words(),
                figure(1e3 * row.cpu_s / f64::from(row.tasks)),
                bytes(row.peak_rss_bytes)
            )?;
        }
        write_unfit(f, &self.unfit)?;
        writeln!(f, "\nStart from this:\n")?;
        program(model, self.wish.crashy)
            .lines()
            .try_for_each(|line| f.write_char(' ').and_then(|()| writeln!(f, "   {line}")))
    }
}

fn write_unfit(f: &mut std::fmt::Formatter<'_>, unfit: &[(Model, String)]) -> std::fmt::Result {
    unfit
        .iter()
        .try_for_each(|(model, reason)| writeln!(f, "  {model:<22}not for this: {reason}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Contender, Plan, Run, Workload};

    fn row(model: Model, tasks_per_s: f64, mebibytes: u64) -> Row {
        let run = Run {
            wall_s: 100.0 / tasks_per_s,
            peak_rss_bytes: mebibytes << 20,
            ..Run::default()
        };
        let plan = Plan::new(Workload::Mixed, 100);
        Row::of(Contender::rust(model), &plan, vec![run; 3]).unwrap()
    }

    fn wish() -> Wish {
        Wish {
            mix: Mix::new(Duration::ZERO, Duration::from_millis(1)),
            tasks: 1000,
            memory: None,
            crashy: false,
        }
    }

    fn rows() -> Vec<Row> {
        vec![
            row(Model::Serial, 10.0, 3),
            row(Model::ThreadPool, 950.0, 20),
            row(Model::EventLoop, 1000.0, 4),
            row(Model::ProcessPool, 500.0, 90),
        ]
    }

    #[test]
    fn of_those_who_are_level_the_simplest_is_advised() {
        let advice = Advice::new(wish(), rows(), &[]);
        assert_eq!(advice.model(), Some(Model::ThreadPool));
        let text = advice.to_string();
        assert!(
            text.contains("Level with it, but more code or more memory: event-loop."),
            "{text}"
        );
        assert!(text.contains("all 1,000 take 1.05 s"), "{text}");
        assert!(text.contains("threads::Pool"), "{text}");
    }

    #[test]
    fn what_may_crash_goes_to_processes() {
        let advice = Advice::new(
            Wish {
                crashy: true,
                ..wish()
            },
            rows(),
            &[],
        );
        assert_eq!(advice.model(), Some(Model::ProcessPool));
        assert!(
            advice
                .to_string()
                .contains("a crash takes the whole program along")
        );
    }

    #[test]
    fn what_takes_too_much_memory_is_left_out() {
        let tight = Wish {
            memory: Some(10 << 20),
            ..wish()
        };
        assert_eq!(
            Advice::new(tight, rows(), &[]).model(),
            Some(Model::EventLoop)
        );
        let impossible = Wish {
            crashy: true,
            ..tight
        };
        let advice = Advice::new(impossible, rows(), &[]);
        assert_eq!(advice.model(), None);
        assert!(
            advice
                .to_string()
                .contains("it took 90.0 MiB, more than 10.0 MiB"),
            "{advice}"
        );
    }

    #[test]
    fn one_task_needs_a_plain_loop_whatever_the_noise_says() {
        let one = Wish { tasks: 1, ..wish() };
        let advice = Advice::new(one, rows(), &[]);
        assert_eq!(advice.model(), Some(Model::Serial));
        let text = advice.to_string();
        assert!(
            text.starts_with("One task of 1 ms of waiting, on "),
            "{text}"
        );
        assert!(text.contains("nothing can be done beside it"), "{text}");
    }

    #[test]
    fn who_leads_by_less_than_the_noise_is_not_ahead() {
        let mut unsteady = rows();
        unsteady[1].tasks_per_s = 850.0;
        assert_eq!(
            Advice::new(wish(), unsteady.clone(), &[]).model(),
            Some(Model::EventLoop)
        );
        unsteady[1].spread = 0.2;
        assert_eq!(
            Advice::new(wish(), unsteady, &[]).model(),
            Some(Model::ThreadPool)
        );
    }

    #[test]
    fn hours_do_not_overflow() {
        let hour = Duration::from_secs(3600);
        let mix = Mix {
            cpu_us: 3_600_000_000,
            ..Mix::new(Duration::ZERO, hour)
        };
        let text = Advice::new(Wish { mix, ..wish() }, rows(), &[]).to_string();
        assert!(text.contains("compute for 50.0 % of their time"), "{text}");
    }

    #[test]
    fn more_at_once_is_spoken_of_where_it_helps() {
        let crowd = |cpu, io| {
            let mix = Mix::new(Duration::from_millis(cpu), Duration::from_millis(io));
            Advice::new(Wish { mix, ..wish() }, rows(), &[]).to_string()
        };
        assert!(crowd(0, 100).contains("with more, all are done sooner"));
        assert!(
            !crowd(10, 10).contains("with more"),
            "the processors are busy"
        );
    }

    #[test]
    fn short_tasks_are_not_worth_another_model() {
        let short = Mix {
            cpu_us: 1,
            ..Mix::default()
        };
        let rows = vec![row(Model::Serial, 80.0, 3), row(Model::Prefork, 100.0, 12)];
        let advice = Advice::new(
            Wish {
                mix: short,
                ..wish()
            },
            rows,
            &[],
        );
        assert_eq!(advice.model(), Some(Model::Serial));
        assert!(
            advice.to_string().contains("make one task of a thousand"),
            "{advice}"
        );
    }
}
