//! Timelines as SVG: a lane for each process, thread or coroutine.

use crate::timeline::{Lane, Timeline};
use crate::{What, Workload};

const WIDTH: f64 = 760.0;
const LABEL: f64 = 190.0;
const LANE: f64 = 16.0;
const TITLE: f64 = 26.0;

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
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {top}\" font-family=\"sans-serif\" font-size=\"11\">\
         <title>{workload}: who ran and who waited, under each model</title>\
         <style>svg {{ background: #fff; color: #1c2430 }} text {{ fill: currentColor }} .run {{ fill: #d9622b }} \
         .wait {{ fill: #9fb4cc }} @media (prefers-color-scheme: dark) {{ svg {{ background: #14181d; color: #e7eaee }} \
         .wait {{ fill: #4c637d }} }}</style>{drawn}</svg>\n"
    )
}

/// One timeline, for the page, on a scale of so many nanoseconds.
pub fn figure(workload: Workload, timeline: &Timeline, scale_ns: u64) -> String {
    let label = format!("{}: {}", timeline.model, spoken(timeline));
    format!(
        "<figure><svg class=\"lanes\" viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{label}\">{}</svg></figure>",
        height(timeline),
        draw(workload, timeline, scale_ns)
    )
}

fn height(timeline: &Timeline) -> f64 {
    TITLE + LANE * timeline.lanes.len() as f64 + 8.0
}

/// The text alternative: how long it took, in how many lanes.
fn spoken(timeline: &Timeline) -> String {
    let (lanes, ms) = (timeline.lanes.len(), timeline.length_ns as f64 / 1e6);
    format!("{lanes} lanes, {ms:.1} ms from the first task's beginning to the last one's end")
}

fn draw(workload: Workload, timeline: &Timeline, scale_ns: u64) -> String {
    let mut svg = format!(
        "<text x=\"0\" y=\"16\" font-weight=\"600\">{}, {:.1} ms</text>",
        timeline.model,
        timeline.length_ns as f64 / 1e6
    );
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
