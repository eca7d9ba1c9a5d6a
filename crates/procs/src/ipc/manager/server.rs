//! A manager's process: its objects, and a thread for each connection.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::wire::attachments::Descriptor;

use super::client::Server;
use super::protocol::{
    Bytes, Kind, NewObject, Operation, Reply, Request, read_message, write_message,
};

/// Time limit for a new connection to authenticate.
const AUTHENTICATION_LIMIT: Duration = Duration::from_secs(5);

/// Runs a manager's process until it is killed.
#[procs::task]
pub(super) fn serve(listener: Descriptor, server: Server) {
    let listener = UnixListener::from(listener.into_inner());
    let objects = Arc::new(Mutex::new(Objects::default()));
    loop {
        let Ok((stream, _)) = listener.accept() else {
            // No descriptor is left: wait until a client disconnects.
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        let objects = Arc::clone(&objects);
        let handler = thread::Builder::new()
            .name("handler".to_owned())
            .stack_size(256 * 1024);
        // If no thread can be made, the connection is closed and the client tries again.
        let _ = handler.spawn(move || serve_connection(&stream, server, &objects));
    }
}

/// Answers one connection until it is closed.
fn serve_connection(
    stream: &UnixStream,
    server: Server,
    objects: &Mutex<Objects>,
) -> io::Result<()> {
    let mut secret = [0; 16];
    stream.set_read_timeout(Some(AUTHENTICATION_LIMIT))?;
    (&*stream).read_exact(&mut secret)?;
    if !server.is_secret(secret) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    stream.set_read_timeout(None)?;
    (&*stream).write_all(&[1])?;
    let mut client = Client {
        objects,
        number: None,
    };
    loop {
        let request = read_message(stream)?;
        if let Some(reply) = client.dispatch(request) {
            write_message(stream, &reply)?;
        }
    }
}

/// One connection, and the client that is registered by it, if any.
struct Client<'a> {
    objects: &'a Mutex<Objects>,
    number: Option<u64>,
}

impl Client<'_> {
    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Executes a request. `None`: the request has no reply.
    fn dispatch(&mut self, request: Request) -> Option<Reply> {
        let mut objects = self.objects();
        Some(match request {
            Request::Begin => {
                let number = objects.begin_client();
                drop(objects);
                self.number = Some(number);
                Reply::Made(number)
            }
            Request::Make(client, new) => objects.make(client, new),
            Request::Send(object) => objects.send(object),
            Request::Receive {
                client,
                object,
                token,
            } => objects.receive(client, object, token),
            Request::Release(client, object) => {
                objects.release(client, object);
                return None;
            }
            Request::Count => Reply::Made(objects.entries.len() as u64),
            Request::Do(number, kind, operation) => objects.operate(number, kind, operation),
        })
    }
}

/// Drops the client's references. The kernel closes the connections of a process however it ends.
impl Drop for Client<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.objects().end_client(number);
        }
    }
}

/// The objects, and the references to them.
///
/// | reference | begins | ends |
/// |---|---|---|
/// | of a client | with an object, or with a proxy that is received | with the proxy, or with the client's process |
/// | token, in transit | with a proxy that is sent | when it is received for the first time |
/// | token, stored | with a value that is put into an object | with that object |
///
/// A token in transit outlives its sender: a process may end before its result is read. An object without references is
/// freed. No number is used again.
#[derive(Default)]
struct Objects {
    entries: HashMap<u64, Entry>,
    /// Number of references of each client to each object.
    clients: HashMap<u64, HashMap<u64, u64>>,
    /// The object of each token, and whether the token is stored.
    tokens: HashMap<u64, (u64, bool)>,
    last: u64,
}

struct Entry {
    object: Object,
    references: u64,
    /// Tokens of proxies that were stored in it.
    stored: Vec<u64>,
}

impl Objects {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn begin_client(&mut self) -> u64 {
        let number = self.next();
        self.clients.insert(number, HashMap::new());
        number
    }

    fn end_client(&mut self, number: u64) {
        for (object, count) in self.clients.remove(&number).unwrap_or_default() {
            self.forget(object, count);
        }
    }

    fn make(&mut self, client: u64, new: NewObject) -> Reply {
        let number = self.next();
        let Some(references) = self.clients.get_mut(&client) else {
            return Reply::Gone;
        };
        references.insert(number, 1);
        let (object, tokens) = Object::new(new);
        let entry = Entry {
            object,
            references: 1,
            stored: Vec::new(),
        };
        self.entries.insert(number, entry);
        self.store(number, tokens);
        Reply::Made(number)
    }

    fn send(&mut self, object: u64) -> Reply {
        let token = self.next();
        let Some(entry) = self.entries.get_mut(&object) else {
            return Reply::Gone;
        };
        entry.references += 1;
        self.tokens.insert(token, (object, false));
        Reply::Made(token)
    }

    fn receive(&mut self, client: u64, object: u64, token: u64) -> Reply {
        let (Some(references), Some(entry)) =
            (self.clients.get_mut(&client), self.entries.get_mut(&object))
        else {
            return Reply::Gone;
        };
        *references.entry(object).or_default() += 1;
        match self.tokens.get(&token) {
            // The token's reference becomes the client's.
            Some((sent, false)) if *sent == object => drop(self.tokens.remove(&token)),
            _ => entry.references += 1,
        }
        Reply::Made(object)
    }

    /// Marks tokens as stored in an object: their objects are kept as long as that object.
    fn store(&mut self, container: u64, tokens: Vec<u64>) {
        let Some(entry) = self.entries.get_mut(&container) else {
            return;
        };
        for token in tokens {
            if let Some((_, stored @ false)) = self.tokens.get_mut(&token) {
                *stored = true;
                entry.stored.push(token);
            }
        }
    }

    fn release(&mut self, client: u64, object: u64) {
        let Some(references) = self.clients.get_mut(&client) else {
            return;
        };
        if let Some(count) = references.get_mut(&object) {
            *count -= 1;
            if *count == 0 {
                references.remove(&object);
            }
            self.forget(object, 1);
        }
    }

    /// Removes references of an object, and frees it with the last one.
    fn forget(&mut self, object: u64, count: u64) {
        let mut forgotten = vec![(object, count)];
        while let Some((object, count)) = forgotten.pop() {
            let Some(entry) = self.entries.get_mut(&object) else {
                continue;
            };
            entry.references -= count;
            if entry.references > 0 {
                continue;
            }
            let stored = self.entries.remove(&object).map(|entry| entry.stored);
            for token in stored.into_iter().flatten() {
                forgotten.extend(self.tokens.remove(&token).map(|(object, _)| (object, 1)));
            }
        }
    }

    fn operate(&mut self, number: u64, kind: Kind, mut operation: Operation) -> Reply {
        let Some(entry) = self.entries.get_mut(&number) else {
            return Reply::Gone;
        };
        if entry.object.kind() != kind {
            return Reply::TypeMismatch;
        }
        let tokens = operation.take_tokens();
        let reply = entry.object.operate(operation);
        self.store(number, tokens);
        reply.unwrap_or(Reply::TypeMismatch)
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
    /// Makes an object. Also returns the tokens of the proxies in it.
    fn new(new: NewObject) -> (Self, Vec<u64>) {
        let object = match new {
            NewObject::Dict => Self::Dict(Table::default()),
            NewObject::List => Self::List(Vec::new()),
            NewObject::Counter(number) => Self::Counter(number),
            NewObject::Value(mut bytes) => {
                let tokens = std::mem::take(&mut bytes.1);
                let mut table = Table::default();
                table.insert(Bytes::default(), bytes);
                return (Self::Value(table), tokens);
            }
        };
        (object, Vec::new())
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

/// A dictionary that keeps the order in which its keys were inserted.
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
