//! A manager's objects are the same for all processes, change one call at a time, and say so when they are gone.

use std::fs;
use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::thread;
use std::time::Duration;

use procs::manager::{Counter, Dict, List, Value};
use procs::{Manager, ManagerError, Pool, channel};

use crate::common::{LIMIT, eventually, is_running, signal, stop};

/// Long enough to see that nothing comes, and no more.
const SHORT: Duration = Duration::from_millis(20);

#[procs::task]
fn note(counts: Dict<String, u32>, all: List<u32>, total: Counter, number: u32) {
    let key = format!("{}", number % 3);
    let one_more = |count: Option<u32>| Some(count.unwrap_or(0) + 1);
    counts.update(&key, one_more).unwrap();
    all.push(&number).unwrap();
    total.add(number.into()).unwrap();
}

#[test]
fn jobs_of_a_pool_change_the_same_objects() {
    let manager = Manager::start().unwrap();
    let (counts, all) = (manager.dict().unwrap(), manager.list().unwrap());
    let total = manager.counter(0).unwrap();
    let pool = Pool::new(3).unwrap();
    let arguments = |number| (counts.clone(), all.clone(), total.clone(), number);
    pool.map_collect(note, (0..300).map(arguments)).unwrap();
    let mut values = counts.items().unwrap();
    values.sort();
    let expected = ["0", "1", "2"].map(|key| (key.to_owned(), 100));
    assert_eq!(values, expected);
    let mut numbers = all.to_vec().unwrap();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..300).collect::<Vec<_>>());
    assert_eq!(total.get().unwrap(), 299 * 300 / 2);
}

#[test]
fn a_dictionary_keeps_its_order() {
    let manager = Manager::start().unwrap();
    let dict = manager.dict::<String, Vec<u8>>().unwrap();
    let key = |n: u32| format!("key {n}");
    for n in [5, 3, 9] {
        assert_eq!(dict.insert(&key(n), &vec![n as u8; 3]).unwrap(), None);
    }
    assert_eq!(dict.insert(&key(5), &vec![0]).unwrap(), Some(vec![5; 3]));
    assert_eq!(dict.remove(&key(3)).unwrap(), Some(vec![3; 3]));
    dict.insert(&key(3), &vec![7; 1_000_000]).unwrap();
    assert_eq!(dict.keys().unwrap(), [5, 9, 3].map(key));
    assert_eq!(dict.values().unwrap()[2].len(), 1_000_000);
    assert!(dict.contains_key(&key(9)).unwrap());
    assert!(!dict.contains_key(&key(4)).unwrap());
    // An update to nothing removes.
    assert_eq!(dict.update(&key(9), |_| None).unwrap(), None);
    assert_eq!((dict.len().unwrap(), dict.is_empty().unwrap()), (2, false));
    dict.clear().unwrap();
    assert!(dict.items().unwrap().is_empty());
}

#[test]
fn a_list_is_asked_by_index() {
    let manager = Manager::start().unwrap();
    let list = manager.list::<i32>().unwrap();
    assert_eq!(list.extend(0..5).unwrap(), 5);
    list.set(0, &10).unwrap();
    list.insert(5, &50).unwrap();
    assert_eq!(list.remove(1).unwrap(), Some(1));
    assert_eq!(list.get(4).unwrap(), Some(50));
    assert_eq!(list.get(5).unwrap(), None);
    assert_eq!(list.set(5, &0), Err(ManagerError::OutOfRange));
    assert_eq!(list.insert(6, &0), Err(ManagerError::OutOfRange));
    assert_eq!(list.update(5, |n| n), Err(ManagerError::OutOfRange));
    assert_eq!(list.remove(5).unwrap(), None);
    assert_eq!(list.to_vec().unwrap(), [10, 2, 3, 4, 50]);
    list.clear().unwrap();
    assert_eq!(list.pop().unwrap(), None);
}

#[procs::task]
fn improve(best: Value<(u64, String)>, number: u64) {
    best.update(|old| old.max((number, format!("number {number}"))))
        .unwrap();
}

#[test]
fn proxies_travel_in_messages_and_in_other_objects() {
    let manager = Manager::start().unwrap();
    let best = manager.value(&(0, String::new())).unwrap();
    let nested = manager.list().unwrap();
    nested.push(&best).unwrap();
    let (here, there) = channel().unwrap();
    here.send(&nested).unwrap();
    let again: List<Value<(u64, String)>> = there.receive().unwrap();
    let same = again.get(0).unwrap().unwrap();
    let start = |n| procs::spawn(improve, (same.clone(), n)).unwrap();
    for mut process in [3, 9, 4].map(start) {
        process.join_for(LIMIT).unwrap();
    }
    assert_eq!(best.get().unwrap(), (9, "number 9".to_owned()));
    best.set(&(1, String::new())).unwrap();
    assert_eq!(same.get().unwrap().0, 1);
}

#[procs::task]
fn count_until_it_fails(counter: Counter) -> String {
    loop {
        if let Err(error) = counter.add(1) {
            return format!("{error:?}");
        }
    }
}

#[test]
fn a_killed_manager_is_an_error_for_all_who_use_it() {
    let manager = Manager::start().unwrap();
    let counter = manager.counter(0).unwrap();
    let mut users = [0; 2].map(|_| procs::spawn(count_until_it_fails, counter.clone()).unwrap());
    eventually("they count", || counter.get().unwrap() > 100);
    signal(manager.pid(), "KILL");
    for user in &mut users {
        assert_eq!(user.join_for(LIMIT).unwrap(), "ServerDied");
    }
    assert_eq!(counter.get(), Err(ManagerError::ServerDied));
    assert_eq!(
        manager.dict::<u32, u32>().unwrap_err(),
        ManagerError::ServerDied
    );
    // Another one is not affected.
    let other = Manager::start().unwrap().counter(3);
    assert_eq!(other.unwrap().get(), Err(ManagerError::ServerDied));
}

#[test]
fn a_dropped_manager_ends_its_process() {
    let manager = Manager::start().unwrap();
    let counter = manager.counter(7).unwrap();
    let pid = manager.pid();
    assert_eq!(counter.get(), Ok(7));
    drop(manager);
    assert!(!is_running(pid));
    assert_eq!(counter.add(1), Err(ManagerError::ServerDied));
}

#[test]
fn a_stopped_manager_is_late_and_not_lost() {
    let manager = Manager::start().unwrap();
    let counter = manager.counter(0).unwrap();
    let impatient = counter.clone().timeout(SHORT);
    assert_eq!(impatient.add(1), Ok(1));
    stop(manager.pid());
    assert_eq!(impatient.get(), Err(ManagerError::TimedOut));
    assert_eq!(impatient.get(), Err(ManagerError::TimedOut));
    signal(manager.pid(), "CONT");
    assert_eq!(counter.get(), Ok(1));
}

#[test]
fn a_killed_user_harms_nobody() {
    let manager = Manager::start().unwrap();
    let counter = manager.counter(0).unwrap();
    for round in 0..20_u64 {
        let user = procs::spawn(count_until_it_fails, counter.clone()).unwrap();
        let before = counter.get().unwrap();
        eventually("it counts", || counter.get().unwrap() > before);
        thread::sleep(Duration::from_micros(round * 7919 % 509));
        user.kill().unwrap();
    }
    let list = manager.list::<u32>().unwrap();
    list.push(&1).unwrap();
    assert_eq!(list.len(), Ok(1));
}

#[test]
fn a_stranger_is_not_heard() {
    let manager = Manager::start().unwrap();
    let counter = manager.counter(1).unwrap();
    let names = fs::read_to_string("/proc/net/unix").unwrap();
    let names = names.split_whitespace().filter_map(|word| {
        word.strip_prefix("@procs-manager-")
            .map(|rest| format!("procs-manager-{rest}"))
    });
    let mut heard = 0;
    for name in names {
        let address = SocketAddr::from_abstract_name(name).unwrap();
        // Other tests' managers are there too, and go.
        let Ok(mut stream) = UnixStream::connect_addr(&address) else {
            continue;
        };
        let _ = stream.write_all(&[0; 64]);
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        heard += stream.read(&mut [0; 64]).unwrap_or(0);
    }
    assert_eq!((heard, counter.get()), (0, Ok(1)));
}

/// Whoever has the secret can read and change all objects.
#[test]
fn debug_output_does_not_show_the_secret() {
    let manager = Manager::start().unwrap();
    let counter = manager.counter(0).unwrap();
    let proxy = serde_json::to_value(&counter).unwrap();
    let secret = find(&proxy, "secret")
        .expect("the proxy carries it")
        .to_string();
    let numbers = secret.trim_matches(['[', ']']).replace(',', ", ");
    let shown = [
        format!("{counter:?}"),
        format!("{counter:#?}"),
        format!("{manager:?}"),
        format!("{:?}", manager.dict::<u8, u8>().unwrap()),
        format!("{:?}", manager.list::<u8>().unwrap()),
        format!("{:?}", manager.value(&0_u8).unwrap()),
    ];
    for text in shown {
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            !flat.contains(&numbers) && !text.contains("secret"),
            "{text}"
        );
    }
}

/// The value of a field, however deep it lies.
fn find<'a>(value: &'a serde_json::Value, name: &str) -> Option<&'a serde_json::Value> {
    match value {
        serde_json::Value::Object(fields) => fields
            .get(name)
            .or_else(|| fields.values().find_map(|field| find(field, name))),
        serde_json::Value::Array(items) => items.iter().find_map(|item| find(item, name)),
        _ => None,
    }
}

/// Proxies travel by serde, which does not know their types.
#[test]
fn a_proxy_of_another_kind_changes_nothing() {
    fn turned<T: serde::de::DeserializeOwned>(proxy: &impl serde::Serialize) -> T {
        let mut fields = serde_json::to_value(proxy).unwrap();
        // A counter has no type of its elements.
        fields["types"] = serde_json::Value::Null;
        serde_json::from_value(fields).unwrap()
    }
    let manager = Manager::start().unwrap();
    let dict = manager.dict::<String, u32>().unwrap();
    dict.insert(&"a".to_owned(), &1).unwrap();
    let list = manager.list::<u32>().unwrap();
    list.push(&7).unwrap();
    let counter = manager.counter(3).unwrap();
    let value = manager.value(&5_u32).unwrap();
    let wrong = Err(ManagerError::TypeMismatch);
    assert_eq!(turned::<Value<u32>>(&dict).set(&9), wrong);
    assert_eq!(turned::<Value<u32>>(&list).set(&9), wrong);
    assert_eq!(turned::<List<u32>>(&counter).set(0, &9), wrong);
    assert_eq!(turned::<List<u32>>(&counter).insert(0, &9), wrong);
    assert_eq!(turned::<List<u32>>(&dict).clear(), wrong);
    assert_eq!(turned::<Dict<String, u32>>(&counter).clear(), wrong);
    assert_eq!(turned::<Dict<String, u32>>(&value).clear(), wrong);
    assert_eq!(
        turned::<procs::manager::Counter>(&list).add(1).map(drop),
        wrong
    );
    assert_eq!(dict.items().unwrap(), [("a".to_owned(), 1)]);
    assert_eq!(list.to_vec().unwrap(), [7]);
    assert_eq!((counter.get(), value.get()), (Ok(3), Ok(5)));
}

/// More calls than the system lets connections wait.
#[test]
fn every_call_of_a_stopped_manager_times_out() {
    let manager = Manager::start().unwrap();
    let counter = manager.counter(0).unwrap();
    let hasty = counter.clone().timeout(Duration::from_millis(1));
    signal(manager.pid(), "STOP");
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..270 {
                    assert_eq!(hasty.add(1), Err(ManagerError::TimedOut));
                }
            });
        }
    });
    signal(manager.pid(), "CONT");
    // How many of the requests had been sent is open.
    assert!(counter.get().is_ok());
}
