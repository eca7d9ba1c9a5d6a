//! Every model gives the serial checksum on every workload.

use std::time::Duration;

use benches::{Mix, Model, Plan, Service, Workload, checksum};

procs::test_support!();

fn all_models_agree(plan: Plan) {
    let serial = checksum(&Model::Serial.run(&plan).unwrap());
    for model in Model::ALL {
        let outcomes = model
            .run(&plan)
            .unwrap_or_else(|failed| panic!("{model}: {failed}"));
        assert_eq!(
            outcomes.len(),
            plan.tasks as usize,
            "{model} ran every task"
        );
        assert_eq!(checksum(&outcomes), serial, "{model}");
    }
}

#[test]
fn on_cpu_bound_work() {
    all_models_agree(Plan::new(Workload::Pi, 5));
    all_models_agree(Plan::new(Workload::Primes, 5));
    all_models_agree(Plan::new(Workload::Sha256, 5));
}

#[test]
fn on_io_bound_and_mixed_work() {
    let service = Service::start().unwrap();
    for workload in [Workload::Echo, Workload::Http] {
        all_models_agree(Plan::new(workload, 7).with_services(service.addresses()));
    }
    for (cpu_ms, io_ms) in [(1, 5), (0, 5), (1, 0)] {
        let mix = Mix::new(Duration::from_millis(cpu_ms), Duration::from_millis(io_ms));
        all_models_agree(
            Plan::new(Workload::Mixed, 7)
                .with_services(service.addresses())
                .with_mix(mix),
        );
    }
}

#[test]
fn on_files_and_pauses() {
    let folder = std::env::temp_dir().join(format!("models-agree-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut plan = Plan::new(Workload::Fsync, 7);
    plan.folder = Some(folder.clone());
    all_models_agree(plan);
    assert_eq!(
        std::fs::read_dir(&folder).unwrap().count(),
        0,
        "each task removes its file"
    );
    std::fs::remove_dir(folder).unwrap();
    all_models_agree(Plan::new(Workload::Ab, 2));
}

#[test]
fn as_many_tasks_are_in_flight_as_the_plan_allows_and_no_more() {
    // A pause is in nobody's way, so what is in flight at once can be read from the traces.
    let plan = Plan {
        traced: true,
        ..Plan::new(Workload::Ab, 12).with_concurrency(4)
    };
    for model in Model::ALL {
        let outcomes = model.run(&plan).unwrap();
        let mut moments: Vec<(u64, i32)> = Vec::new();
        for outcome in outcomes {
            let spans = outcome.trace.expect("a traced plan has traces").spans;
            moments.push((spans.first().unwrap().begin_ns, 1));
            moments.push((spans.last().unwrap().end_ns, -1));
        }
        moments.sort_unstable();
        let in_flight = moments.iter().scan(0, |now, (_, change)| {
            *now += change;
            Some(*now)
        });
        let most = in_flight.max().unwrap();
        let allowed = i32::try_from(model.concurrency(&plan)).unwrap();
        assert!(most <= allowed, "{model}: {most} at once");
        assert!(most > 1 || allowed == 1, "{model}: {most} at once");
    }
}

#[test]
fn different_work_has_a_different_checksum() {
    let four = Model::Serial.run(&Plan::new(Workload::Primes, 4)).unwrap();
    let five = Model::Serial.run(&Plan::new(Workload::Primes, 5)).unwrap();
    assert_ne!(checksum(&four), checksum(&five));
}

#[test]
fn a_task_without_its_service_fails_and_says_so() {
    for model in Model::ALL {
        let failed = model
            .run(&Plan::new(Workload::Echo, 2))
            .unwrap_err()
            .to_string();
        assert!(
            failed.contains("its service was not started"),
            "{model}: {failed}"
        );
    }
}
