//! A manager's process: its objects, and a thread for each connection.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::wire::attachments::Descriptor;

use super::client::Server;
use super::protocol::{
    Bytes, Kind, NewObject, Operation, Reply, Request, read_message, write_message,
};

/// Time limit for a new connection to authenticate.
const AUTHENTICATION_LIMIT: Duration = Duration::from_secs(5);

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
        let handler = thread::Builder::new()
            .name("handler".to_owned())
            .stack_size(256 * 1024);
        // Without a thread the connection is closed, and its maker tries again.
        let _ = handler.spawn(move || serve_connection(&stream, server, &objects));
    }
}

/// Answers one connection until it is closed.
fn serve_connection(
    stream: &UnixStream,
    server: Server,
    objects: &Mutex<Vec<Object>>,
) -> io::Result<()> {
    let mut secret = [0; 16];
    stream.set_read_timeout(Some(AUTHENTICATION_LIMIT))?;
    (&*stream).read_exact(&mut secret)?;
    if !server.is_secret(secret) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    stream.set_read_timeout(None)?;
    (&*stream).write_all(&[1])?;
    loop {
        let request = read_message(stream)?;
        let reply = dispatch(
            &mut objects.lock().unwrap_or_else(PoisonError::into_inner),
            request,
        );
        write_message(stream, &reply)?;
    }
}

fn dispatch(objects: &mut Vec<Object>, request: Request) -> Reply {
    match request {
        Request::Make(new) => {
            objects.push(Object::new(new));
            Reply::Made(objects.len() as u64 - 1)
        }
        Request::Do(number, kind, operation) => match objects.get_mut(number as usize) {
            Some(object) if object.kind() == kind => {
                object.operate(operation).unwrap_or(Reply::TypeMismatch)
            }
            _ => Reply::TypeMismatch,
        },
    }
}

enum Object {
    /// A table with one entry, whose key is empty.
    Value(Table),
    Dict(Table),
    List(Vec<Bytes>),
    Counter(i64),
}

impl Object {
    fn new(new: NewObject) -> Self {
        match new {
            NewObject::Dict => Self::Dict(Table::default()),
            NewObject::List => Self::List(Vec::new()),
            NewObject::Counter(number) => Self::Counter(number),
            NewObject::Value(bytes) => {
                let mut table = Table::default();
                table.insert(Bytes::default(), bytes);
                Self::Value(table)
            }
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Value(_) => Kind::Value,
            Self::Dict(_) => Kind::Dict,
            Self::List(_) => Kind::List,
            Self::Counter(_) => Kind::Counter,
        }
    }

    /// `None`: the object has no such operation.
    fn operate(&mut self, operation: Operation) -> Option<Reply> {
        match self {
            Self::Value(table) | Self::Dict(table) => table.operate(operation),
            Self::List(items) => operate_on_list(items, operation),
            Self::Counter(number) => {
                match operation {
                    Operation::Add(more) => *number = number.wrapping_add(more),
                    Operation::SetNumber(new) => {
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

    fn operate(&mut self, operation: Operation) -> Option<Reply> {
        Some(match operation {
            Operation::Length => Reply::Number(self.entries.len() as i64),
            Operation::Clear => {
                self.entries.clear();
                Reply::Done(true)
            }
            Operation::All => Reply::Pairs(self.pairs()),
            Operation::Get(key) => Reply::Bytes(self.get(&key).cloned()),
            Operation::Insert(key, value) => Reply::Bytes(self.insert(key, value)),
            Operation::Remove(key) => Reply::Bytes(self.remove(&key)),
            Operation::Exchange(key, old, new) => Reply::Done(self.exchange(key, old, new)),
            _ => return None,
        })
    }
}

fn operate_on_list(items: &mut Vec<Bytes>, operation: Operation) -> Option<Reply> {
    let length = items.len();
    let has = |index: u64| (index < length as u64).then_some(index as usize);
    Some(match operation {
        Operation::Length => Reply::Number(length as i64),
        Operation::Clear => {
            items.clear();
            Reply::Done(true)
        }
        Operation::All => Reply::List(items.clone()),
        Operation::Pop => Reply::Bytes(items.pop()),
        Operation::Append(mut more) => {
            items.append(&mut more);
            Reply::Number(items.len() as i64)
        }
        Operation::At(index) => Reply::Bytes(has(index).map(|index| items[index].clone())),
        Operation::RemoveAt(index) => Reply::Bytes(has(index).map(|index| items.remove(index))),
        Operation::InsertAt(index, item) if index <= length as u64 => {
            items.insert(index as usize, item);
            Reply::Done(true)
        }
        Operation::Set(index, item) => match has(index) {
            Some(index) => {
                items[index] = item;
                Reply::Done(true)
            }
            None => Reply::OutOfRange,
        },
        Operation::ExchangeAt(index, old, new) => match has(index) {
            Some(index) if items[index] == old => {
                items[index] = new;
                Reply::Done(true)
            }
            Some(_) => Reply::Done(false),
            None => Reply::OutOfRange,
        },
        Operation::InsertAt(..) => Reply::OutOfRange,
        _ => return None,
    })
}
