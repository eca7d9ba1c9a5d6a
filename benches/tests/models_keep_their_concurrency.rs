//! Every model keeps as many tasks in flight as the plan allows, as long as so many are left.
//!
//! The service of these tests answers only when that many tasks ask at once, and then the newest of them: the first
//! task ends last. A model that waits for its oldest task, or deals its tasks out beforehand, never gets an answer.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use benches::measure::measure;
use benches::{Contender, Model, Plan, Services, Workload};

procs::test_support!();

const TASKS: u32 = 12;

/// Answers `TASKS` questions, the newest first, and each only when the plan's share of tasks is in flight.
///
/// Returns the numbers of tasks in flight at each answer.
fn answer(listener: &TcpListener, concurrency: usize) -> Vec<usize> {
    let (mut waiting, mut seen) = (Vec::new(), Vec::new());
    let mut asked = 0;
    while seen.len() < TASKS as usize {
        let left = TASKS as usize - seen.len();
        while waiting.len() < concurrency.min(left) {
            waiting.push(question(listener));
            asked += 1;
        }
        assert_eq!(asked, seen.len() + waiting.len());
        // A task too many would ask while nothing is answered: only what has come by now can be seen here, so the
        // bound from above is the business of the test of the traces.
        seen.push(waiting.len());
        let (mut stream, number) = waiting.pop().unwrap();
        stream.write_all(&number).unwrap();
    }
    seen
}

/// The next question: the task's number comes back as the answer.
fn question(listener: &TcpListener) -> (TcpStream, [u8; 8]) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut question = [0; 12];
    stream.read_exact(&mut question).unwrap();
    (stream, question[..8].try_into().unwrap())
}

fn keeps_its_concurrency(contender: Contender, concurrency: usize, folder: Option<&Path>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let echo = listener.local_addr().unwrap();
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let mut plan = Plan::new(Workload::Echo, TASKS)
        .with_concurrency(concurrency)
        .with_services(Services {
            echo,
            http: nowhere,
        });
    plan.folder = folder.map(Path::to_owned);
    let at_once = contender.model.concurrency(&plan);
    // Not joined when the model fails: it would wait for questions for ever, and ends with the test.
    let service = std::thread::spawn(move || answer(&listener, at_once));
    let run = measure(contender, &plan, Duration::from_secs(60))
        .unwrap_or_else(|failed| panic!("{contender} does not keep {at_once} at once: {failed}"));
    assert_eq!(run.checksums.len(), TASKS as usize);
    let full = TASKS as usize + 1 - at_once;
    let expected: Vec<usize> = std::iter::repeat_n(at_once, full)
        .chain((1..at_once).rev())
        .collect();
    assert_eq!(service.join().unwrap(), expected, "{contender}");
}

#[test]
fn each_model_has_as_many_tasks_in_flight_as_the_plan_allows_until_the_last_ones() {
    for model in Model::ALL {
        for concurrency in [1, 2, 5] {
            keeps_its_concurrency(Contender::rust(model), concurrency, None);
        }
    }
}

#[test]
fn so_has_each_model_of_python_where_there_is_one() {
    match benches::python::find(None) {
        Ok(python) => {
            let name = format!("models-keep-{}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            benches::python::install(&python, &folder).unwrap();
            for model in Model::ALL {
                keeps_its_concurrency(Contender::python(model), 4, Some(&folder));
            }
            std::fs::remove_dir_all(folder).unwrap();
        }
        Err(absent) => eprintln!("NOT CHECKED: {absent}"),
    }
}
