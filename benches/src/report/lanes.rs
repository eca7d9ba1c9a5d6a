//! Timelines as SVG: a lane for each process, thread or coroutine.

use super::svg::{Svg, escape};
use crate::timeline::{Lane, Timeline};
use crate::{What, Workload};

const WIDTH: f64 = 760.0;
const LABEL: f64 = 190.0;
const LANE: f64 = 16.0;
const TITLE: f64 = 26.0;
/// Room for the times below the lanes, and before the next timeline.
const AXIS: f64 = 26.0;
/// Times below a timeline, at most.
const TICKS: f64 = 8.0;

/// A picture of its own, for a file: all timelines, one below the other, on one scale.
pub fn document(workload: Workload, timelines: &[Timeline]) -> String {
    let longest = timelines
        .iter()
        .map(|timeline| timeline.length_ns)
        .max()
        .unwrap_or(1);
    let (mut top, mut drawn) = (0.0, String::new());
    for timeline in timelines {
        drawn += &format!(
            "<g transform=\"translate(0 {top})\">{}</g>",
            draw(workload, timeline, longest)
        );
        top += height(timeline);
    }
    let all: Vec<String> = timelines.iter().map(spoken).collect();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {}\" font-family=\"sans-serif\" font-size=\"11\">\
         <title>{workload}: who ran and who waited, under each model</title><desc>{}</desc>\
         <style>svg {{ background: #fff; color: #1c2430 }} text {{ fill: currentColor }} .run {{ fill: #d9622b }} \
         .wait {{ fill: #7d97b5 }} .grid {{ stroke: #dfe3e8 }} @media (prefers-color-scheme: dark) {{ \
         svg {{ background: #14181d; color: #e7eaee }} .wait {{ fill: #6b86a5 }} .grid {{ stroke: #323b46 }} }}</style>\
         {drawn}{}</svg>\n",
        top + TITLE,
        escape(&all.join("; ")),
        legend(top)
    )
}

/// One timeline, for the page, on a scale of so many nanoseconds.
pub fn figure(workload: Workload, timeline: &Timeline, scale_ns: u64) -> String {
    let picture = Svg {
        class: "lanes",
        id: &format!("lanes-{}", timeline.model),
        width: WIDTH,
        height: height(timeline),
        title: &format!("{workload} by {}: who ran and who waited", timeline.model),
        description: &spoken(timeline),
        drawn: &draw(workload, timeline, scale_ns),
    };
    format!("<figure>{picture}</figure>")
}

fn height(timeline: &Timeline) -> f64 {
    TITLE + LANE * timeline.lanes.len() as f64 + AXIS
}

/// The text alternative: how long it took, in how many lanes.
fn spoken(timeline: &Timeline) -> String {
    let ms = timeline.length_ns as f64 / 1e6;
    let lanes = match timeline.lanes.len() {
        1 => "1 lane".to_owned(),
        lanes => format!("{lanes} lanes"),
    };
    let model = timeline.model;
    format!("{model}: {lanes}, {ms:.1} ms from the first task's beginning to the last one's end")
}

fn legend(top: f64) -> String {
    let y = top + 14.0;
    format!(
        "<rect class=\"run\" x=\"{LABEL}\" y=\"{}\" width=\"24\" height=\"12\"/><text x=\"{}\" y=\"{y}\">ran</text>\
         <rect class=\"wait\" x=\"{}\" y=\"{}\" width=\"24\" height=\"3\"/><text x=\"{}\" y=\"{y}\">waited</text>",
        top + 4.0,
        LABEL + 30.0,
        LABEL + 70.0,
        top + 8.0,
        LABEL + 100.0
    )
}

/// Lines at round times, with the times below the lanes.
fn axis(bottom: f64, scale_ns: u64) -> String {
    let (step, scale) = (step_ms(scale_ns), (WIDTH - LABEL) / scale_ns.max(1) as f64);
    let last = (scale_ns as f64 / 1e6 / step).floor() as u32;
    let tick = |nth: u32| {
        let ms = f64::from(nth) * step;
        let x = LABEL + ms * 1e6 * scale;
        let anchor = if x > WIDTH - 30.0 { "end" } else { "middle" };
        format!(
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TITLE}\" y2=\"{bottom}\"/>\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{} ms</text>",
            bottom + 12.0,
            (ms * 1e6).round() / 1e6
        )
    };
    (0..=last).map(tick).collect()
}

/// 1, 2 or 5 times a power of ten, so that there are a few of them.
fn step_ms(scale_ns: u64) -> f64 {
    let least = (scale_ns.max(1) as f64 / 1e6) / TICKS;
    let power = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|times| times * power);
    steps
        .into_iter()
        .find(|step| *step >= least)
        .unwrap_or(steps[3])
}

fn draw(workload: Workload, timeline: &Timeline, scale_ns: u64) -> String {
    let mut svg = format!(
        "<text x=\"0\" y=\"16\" font-weight=\"600\">{}, {:.1} ms</text>",
        timeline.model,
        timeline.length_ns as f64 / 1e6
    );
    svg += &axis(TITLE + LANE * timeline.lanes.len() as f64, scale_ns);
    for (nth, lane) in timeline.lanes.iter().enumerate() {
        svg += &draw_lane(workload, lane, TITLE + LANE * nth as f64, scale_ns);
    }
    svg
}

fn draw_lane(workload: Workload, lane: &Lane, top: f64, scale_ns: u64) -> String {
    let scale = (WIDTH - LABEL) / scale_ns.max(1) as f64;
    let mut svg = format!("<text x=\"0\" y=\"{}\">{lane}</text>", top + 11.0);
    for (task, span) in &lane.spans {
        let (class, y, height) = match span.what {
            What::Run => ("run", top + 1.0, LANE - 4.0),
            What::Wait => ("wait", top + LANE / 2.0 - 3.0, 3.0),
        };
        let x = LABEL + span.begin_ns as f64 * scale;
        let width = ((span.end_ns - span.begin_ns) as f64 * scale).max(0.6);
        let from_ms = span.begin_ns as f64 / 1e6;
        let ms = (span.end_ns - span.begin_ns) as f64 / 1e6;
        svg += &format!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"{height}\">\
             <title>{}: {class}, {ms:.2} ms from {from_ms:.2} ms</title></rect>",
            workload.task_name(*task)
        );
    }
    svg
}

#[cfg(test)]
mod tests {
    use super::{axis, step_ms};

    #[test]
    fn times_are_round_and_few() {
        assert_eq!(step_ms(6_000_000_000), 1000.0);
        assert_eq!(step_ms(41_300_000), 10.0);
        assert_eq!(step_ms(90_000), 0.02);
        let axis = axis(10.0, 41_300_000);
        assert_eq!(axis.matches("<line").count(), 5);
        assert!(
            axis.contains(">0 ms<") && axis.contains(">40 ms<"),
            "{axis}"
        );
    }

    #[test]
    fn nothing_takes_no_time() {
        assert!(axis(10.0, 0).contains(">0 ms<"));
    }
}
