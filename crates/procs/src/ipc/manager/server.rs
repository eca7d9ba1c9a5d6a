//! A manager's process: its objects, and a thread for each connection.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::wire::attachments::Descriptor;

use super::client::Server;
use super::language::{Action, Bytes, Reply, Request, Seed, hear, say};

/// How long a stranger may take to show that it is none.
const PATIENCE: Duration = Duration::from_secs(5);

/// The life of a manager's process, which ends when it is killed.
#[procs::task]
pub(super) fn serve(listener: Descriptor, server: Server) {
    let listener = UnixListener::from(listener.into_inner());
    let objects = Arc::new(Mutex::new(Vec::new()));
    loop {
        let Ok((stream, _)) = listener.accept() else {
            // Too many are connected; one of them may go.
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        let objects = Arc::clone(&objects);
        let attendant = thread::Builder::new()
            .name("attendant".to_owned())
            .stack_size(256 * 1024);
        // Without a thread the connection is closed, and its maker tries again.
        let _ = attendant.spawn(move || attend(&stream, server, &objects));
    }
}

/// Answers one connection until it is closed.
fn attend(stream: &UnixStream, server: Server, objects: &Mutex<Vec<Object>>) -> io::Result<()> {
    let mut secret = [0; 16];
    stream.set_read_timeout(Some(PATIENCE))?;
    (&*stream).read_exact(&mut secret)?;
    if !server.is_secret(secret) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    stream.set_read_timeout(None)?;
    (&*stream).write_all(&[1])?;
    loop {
        let request = hear(stream)?;
        let reply = obey(
            &mut objects.lock().unwrap_or_else(PoisonError::into_inner),
            request,
        );
        say(stream, &reply)?;
    }
}

fn obey(objects: &mut Vec<Object>, request: Request) -> Reply {
    match request {
        Request::Make(seed) => {
            objects.push(Object::new(seed));
            Reply::Made(objects.len() as u64 - 1)
        }
        Request::Do(number, action) => match objects.get_mut(number as usize) {
            Some(object) => object.obey(action).unwrap_or(Reply::Senseless),
            None => Reply::Senseless,
        },
    }
}

enum Object {
    Dict(Table),
    List(Vec<Bytes>),
    Counter(i64),
}

impl Object {
    fn new(seed: Seed) -> Self {
        match seed {
            Seed::Dict => Self::Dict(Table::default()),
            Seed::List => Self::List(Vec::new()),
            Seed::Counter(number) => Self::Counter(number),
            Seed::Value(bytes) => {
                let mut table = Table::default();
                table.insert(Bytes::default(), bytes);
                Self::Dict(table)
            }
        }
    }

    /// `None`: it is not what it was taken for.
    fn obey(&mut self, action: Action) -> Option<Reply> {
        match self {
            Self::Dict(table) => table.obey(action),
            Self::List(items) => obey_list(items, action),
            Self::Counter(number) => {
                match action {
                    Action::Add(more) => *number = number.wrapping_add(more),
                    Action::SetNumber(new) => {
                        return Some(Reply::Number(std::mem::replace(number, new)));
                    }
                    _ => return None,
                }
                Some(Reply::Number(*number))
            }
        }
    }
}

/// A dictionary that knows in which order its keys came.
#[derive(Default)]
struct Table {
    entries: HashMap<Bytes, (u64, Bytes)>,
    next: u64,
}

impl Table {
    fn insert(&mut self, key: Bytes, value: Bytes) -> Option<Bytes> {
        if let Some((_, old)) = self.entries.get_mut(&key) {
            return Some(std::mem::replace(old, value));
        }
        self.entries.insert(key, (self.next, value));
        self.next += 1;
        None
    }

    fn remove(&mut self, key: &Bytes) -> Option<Bytes> {
        self.entries.remove(key).map(|(_, value)| value)
    }

    fn get(&self, key: &Bytes) -> Option<&Bytes> {
        self.entries.get(key).map(|(_, value)| value)
    }

    fn pairs(&self) -> Vec<(Bytes, Bytes)> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_unstable_by_key(|(_, (number, _))| *number);
        let pair = |(key, (_, value)): (&Bytes, &(u64, Bytes))| (key.clone(), value.clone());
        entries.into_iter().map(pair).collect()
    }

    fn exchange(&mut self, key: Bytes, old: Option<Bytes>, new: Option<Bytes>) -> bool {
        if self.get(&key) != old.as_ref() {
            return false;
        }
        match new {
            Some(new) => drop(self.insert(key, new)),
            None => drop(self.remove(&key)),
        }
        true
    }

    fn obey(&mut self, action: Action) -> Option<Reply> {
        Some(match action {
            Action::Length => Reply::Number(self.entries.len() as i64),
            Action::Clear => {
                self.entries.clear();
                Reply::Done(true)
            }
            Action::All => Reply::Pairs(self.pairs()),
            Action::Get(key) => Reply::Bytes(self.get(&key).cloned()),
            Action::Insert(key, value) => Reply::Bytes(self.insert(key, value)),
            Action::Remove(key) => Reply::Bytes(self.remove(&key)),
            Action::Exchange(key, old, new) => Reply::Done(self.exchange(key, old, new)),
            _ => return None,
        })
    }
}

fn obey_list(items: &mut Vec<Bytes>, action: Action) -> Option<Reply> {
    let length = items.len();
    let has = |index: u64| (index < length as u64).then_some(index as usize);
    Some(match action {
        Action::Length => Reply::Number(length as i64),
        Action::Clear => {
            items.clear();
            Reply::Done(true)
        }
        Action::All => Reply::List(items.clone()),
        Action::Pop => Reply::Bytes(items.pop()),
        Action::Append(mut more) => {
            items.append(&mut more);
            Reply::Number(items.len() as i64)
        }
        Action::At(index) => Reply::Bytes(has(index).map(|index| items[index].clone())),
        Action::RemoveAt(index) => Reply::Bytes(has(index).map(|index| items.remove(index))),
        Action::InsertAt(index, item) if index <= length as u64 => {
            items.insert(index as usize, item);
            Reply::Done(true)
        }
        Action::Set(index, item) => match has(index) {
            Some(index) => {
                items[index] = item;
                Reply::Done(true)
            }
            None => Reply::OutOfRange,
        },
        Action::ExchangeAt(index, old, new) => match has(index) {
            Some(index) if items[index] == old => {
                items[index] = new;
                Reply::Done(true)
            }
            Some(_) => Reply::Done(false),
            None => Reply::OutOfRange,
        },
        Action::InsertAt(..) => Reply::OutOfRange,
        _ => return None,
    })
}
