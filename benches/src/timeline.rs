//! Who ran when: every task of a plan as a lane over time, under each model.

use serde_json::{Value, json};

use crate::{Failed, Model, Outcome, Plan, Span, Trace, What, Workload};

/// A model's run of a plan, as lanes.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// The model.
    pub model: Model,
    /// Nanoseconds from the beginning of the first span to the end of the last.
    pub length_ns: u64,
    /// What ran where, in the order of processes, threads and tasks.
    pub lanes: Vec<Lane>,
}

/// What one process, thread or coroutine did over time.
#[derive(Debug, Clone)]
pub struct Lane {
    /// Which process it is, from 1 on.
    pub process: usize,
    /// Which thread of that process, from 1 on.
    pub thread: usize,
    /// The task, when several shared the thread at the same time and each has a lane of its own.
    pub coroutine: Option<u32>,
    /// What it did, from the timeline's beginning on.
    pub spans: Vec<(u32, Span)>,
}

impl Timeline {
    /// Runs the plan under this model and records it.
    ///
    /// # Errors
    /// As [`Model::run`].
    pub fn record(model: Model, plan: &Plan) -> Result<Self, Failed> {
        let traced = Plan {
            traced: true,
            ..plan.clone()
        };
        Ok(Self::of(model, model.run(&traced)?))
    }

    fn of(model: Model, outcomes: Vec<Outcome>) -> Self {
        let mut traces: Vec<(u32, Trace)> = outcomes
            .into_iter()
            .filter_map(|outcome| Some((outcome.index, outcome.trace?)))
            .filter(|(_, trace)| !trace.spans.is_empty())
            .collect();
        traces.sort_by_key(|(_, trace)| trace.spans[0].begin_ns);
        let spans = || traces.iter().flat_map(|(_, trace)| &trace.spans);
        let start = spans().map(|span| span.begin_ns).min().unwrap_or(0);
        let end = spans().map(|span| span.end_ns).max().unwrap_or(0);
        Self {
            model,
            length_ns: end - start,
            lanes: lanes(traces, start),
        }
    }

    /// The lanes as text, this many characters wide: `█` ran, `·` waited.
    #[must_use]
    pub fn text(&self, width: usize) -> String {
        let milliseconds = self.length_ns as f64 / 1e6;
        let mut text = format!("{}, {milliseconds:.1} ms\n", self.model);
        for lane in &self.lanes {
            let mut cells = vec![' '; width];
            for (_, span) in &lane.spans {
                let (from, to) = (self.at(span.begin_ns, width), self.at(span.end_ns, width));
                let mark = if span.what == What::Run { '█' } else { '·' };
                for cell in &mut cells[from..=to.min(width - 1)] {
                    if *cell != '█' {
                        *cell = mark;
                    }
                }
            }
            let cells: String = cells.into_iter().collect();
            text += &format!("  {:<32} {}\n", lane.to_string(), cells.trim_end());
        }
        text
    }

    fn at(&self, ns: u64, width: usize) -> usize {
        let part = ns as f64 / self.length_ns.max(1) as f64;
        ((part * width as f64) as usize).min(width - 1)
    }

    /// The events of this timeline in the format that `chrome://tracing` and Perfetto open, its processes numbered from
    /// the one after `before` on.
    fn events(&self, before: usize, workload: Workload) -> Vec<Value> {
        let mut events = Vec::new();
        for (at, lane) in (1..).zip(&self.lanes) {
            let process = before + lane.process;
            let named = |what: &str, name: String| json!({ "ph": "M", "name": what, "pid": process, "tid": at, "args": { "name": name } });
            events.push(named(
                "process_name",
                format!("{}: process {}", self.model, lane.process),
            ));
            events.push(named("thread_name", lane.to_string()));
            events.push(json!({ "ph": "M", "name": "process_sort_index", "pid": process, "tid": at, "args": { "sort_index": process } }));
            events.push(json!({ "ph": "M", "name": "thread_sort_index", "pid": process, "tid": at, "args": { "sort_index": at } }));
            events.extend(lane.spans.iter().map(|(task, span)| {
                json!({
                    "ph": "X", "pid": process, "tid": at,
                    "name": format!("{}: {}", workload.task_name(*task), if span.what == What::Run { "run" } else { "wait" }),
                    "cat": workload.to_string(),
                    "ts": span.begin_ns as f64 / 1e3,
                    "dur": (span.end_ns - span.begin_ns) as f64 / 1e3,
                    "args": { "task": workload.task_name(*task) },
                })
            }));
        }
        events
    }
}

/// These timelines as a file for `chrome://tracing` and Perfetto.
#[must_use]
pub fn chrome_trace(workload: Workload, timelines: &[Timeline]) -> String {
    let mut processes = 0;
    let mut events: Vec<Value> = Vec::new();
    for timeline in timelines {
        events.extend(timeline.events(processes, workload));
        let all = timeline.lanes.iter().map(|lane| lane.process);
        processes += all.max().unwrap_or(0);
    }
    json!({ "displayTimeUnit": "ms", "traceEvents": events }).to_string()
}

/// A lane for each thread, or for each task of a thread where several were under way at once.
fn lanes(traces: Vec<(u32, Trace)>, start: u64) -> Vec<Lane> {
    let mut places: Vec<(u32, u64)> = Vec::new();
    for (_, trace) in &traces {
        if !places.contains(&(trace.process, trace.thread)) {
            places.push((trace.process, trace.thread));
        }
    }
    let mut processes: Vec<u32> = places.iter().map(|(process, _)| *process).collect();
    processes.dedup();
    processes.sort_unstable();
    processes.dedup();
    let mut lanes = Vec::new();
    for (nth, process) in processes.into_iter().enumerate() {
        let threads = places.iter().filter(|(of, _)| *of == process);
        for (thread_nth, (_, thread)) in threads.enumerate() {
            let here = traces
                .iter()
                .filter(|(_, trace)| (trace.process, trace.thread) == (process, *thread));
            let lane = Lane {
                process: nth + 1,
                thread: thread_nth + 1,
                coroutine: None,
                spans: Vec::new(),
            };
            lanes.extend(lanes_of_thread(&lane, here, start));
        }
    }
    lanes
}

/// `traces` are those of one thread, by their beginnings.
fn lanes_of_thread<'t>(
    lane: &Lane,
    traces: impl Iterator<Item = &'t (u32, Trace)>,
    start: u64,
) -> Vec<Lane> {
    let shifted = |trace: &Trace| -> Vec<Span> {
        let shift = |span: &Span| Span {
            what: span.what,
            begin_ns: span.begin_ns - start,
            end_ns: span.end_ns - start,
        };
        trace.spans.iter().map(shift).collect()
    };
    let tasks: Vec<(u32, Vec<Span>)> = traces
        .map(|(task, trace)| (*task, shifted(trace)))
        .collect();
    let overlap = tasks.windows(2).any(|pair| {
        pair[0].1.last().map(|span| span.end_ns) > pair[1].1.first().map(|span| span.begin_ns)
    });
    let spans_of =
        |(task, spans): (u32, Vec<Span>)| spans.into_iter().map(move |span| (task, span));
    if !overlap {
        let spans = tasks.into_iter().flat_map(spans_of).collect();
        return vec![Lane {
            spans,
            ..lane.clone()
        }];
    }
    let mut lanes: Vec<Lane> = tasks
        .into_iter()
        .map(|task| Lane {
            coroutine: Some(task.0),
            spans: spans_of(task).collect(),
            ..lane.clone()
        })
        .collect();
    lanes.sort_by_key(|lane| lane.coroutine);
    lanes
}

impl std::fmt::Display for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            process, thread, ..
        } = self;
        match self.coroutine {
            None => write!(f, "process {process}, thread {thread}"),
            Some(task) => write!(f, "process {process}, thread {thread}, task {task}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(index: u32, thread: u64, begin_ns: u64) -> Outcome {
        let span = |what, begin_ns, end_ns| Span {
            what,
            begin_ns,
            end_ns,
        };
        Outcome {
            index,
            checksum: 0,
            latency_ns: 0,
            trace: Some(Trace {
                process: 7,
                thread,
                spans: vec![
                    span(What::Run, begin_ns, begin_ns + 10),
                    span(What::Wait, begin_ns + 10, begin_ns + 30),
                ],
            }),
        }
    }

    #[test]
    fn tasks_of_a_thread_share_its_lane_when_they_take_turns() {
        let timeline = Timeline::of(Model::Serial, vec![outcome(0, 1, 100), outcome(1, 1, 130)]);
        assert_eq!((timeline.lanes.len(), timeline.length_ns), (1, 60));
        assert_eq!(timeline.lanes[0].to_string(), "process 1, thread 1");
        assert_eq!(timeline.lanes[0].spans.len(), 4);
        assert_eq!(timeline.lanes[0].spans[0].1.begin_ns, 0);
    }

    #[test]
    fn tasks_that_overlap_on_a_thread_have_lanes_of_their_own() {
        let timeline = Timeline::of(
            Model::EventLoop,
            vec![outcome(1, 1, 105), outcome(0, 1, 100)],
        );
        let names: Vec<String> = timeline.lanes.iter().map(Lane::to_string).collect();
        assert_eq!(
            names,
            ["process 1, thread 1, task 0", "process 1, thread 1, task 1"]
        );
        assert!(timeline.text(20).contains('█') && timeline.text(20).contains('·'));
    }

    #[test]
    fn the_trace_is_what_a_browser_opens() {
        let timeline = Timeline::of(
            Model::ThreadPool,
            vec![outcome(0, 1, 100), outcome(1, 2, 100)],
        );
        let trace: Value = serde_json::from_str(&chrome_trace(Workload::Ab, &[timeline])).unwrap();
        let events = trace["traceEvents"].as_array().unwrap();
        let complete: Vec<&Value> = events.iter().filter(|event| event["ph"] == "X").collect();
        assert_eq!(complete.len(), 4);
        assert_eq!(complete[0]["dur"], 0.01);
        assert_eq!(complete[2]["args"]["task"], "b");
    }

    #[test]
    fn a_process_of_the_trace_is_one_of_one_model() {
        let many = |model| {
            let process = |nth: u32| {
                let mut outcome = outcome(nth, 1, 100);
                outcome.trace.as_mut().unwrap().process = nth;
                outcome
            };
            Timeline::of(model, (0..150).map(process).collect())
        };
        let timelines = [many(Model::ProcessPerTask), many(Model::ProcessPool)];
        let trace: Value = serde_json::from_str(&chrome_trace(Workload::Echo, &timelines)).unwrap();
        let mut names = std::collections::HashMap::new();
        for event in trace["traceEvents"].as_array().unwrap() {
            let pid = event["pid"].as_u64().unwrap();
            if event["name"] == "process_name" {
                let name = event["args"]["name"].clone();
                assert_eq!(*names.entry(pid).or_insert_with(|| name.clone()), name);
            }
        }
        assert_eq!(names.len(), 2 * 150);
    }
}
