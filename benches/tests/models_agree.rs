//! Every model gives the serial checksum on every workload.

use benches::{Model, Plan, Service, Workload, checksum};

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
}

#[test]
fn on_io_bound_and_mixed_work() {
    let service = Service::start().unwrap();
    for workload in [Workload::Echo, Workload::Http, Workload::Mixed] {
        all_models_agree(Plan::new(workload, 7).with_services(service.addresses()));
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
