//! A million tasks that have ended leave no memory behind.
//!
//! Alone in this file: the figure is the whole process's.

use aio::create_task;

#[test]
fn a_million_tasks_leave_their_memory() {
    fn resident() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
    let ran = aio::run(async {
        for _ in 0..20 {
            for _ in 0..1000 {
                create_task(async { [0u8; 100].len() }).detach();
            }
            aio::yield_now().await;
        }
        let before = resident();
        for _ in 0..1000 {
            for _ in 0..1000 {
                create_task(async { [0u8; 100].len() }).detach();
            }
            aio::yield_now().await;
        }
        let grown = resident().saturating_sub(before);
        assert!(grown < 20_000, "{grown} kB more");
    });
    ran.unwrap();
}
