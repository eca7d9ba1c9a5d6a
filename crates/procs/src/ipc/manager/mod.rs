//! Objects that live in a process of their own and are used from others.

use std::fmt;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{ManagerError, ProcessError, SpawnError, SystemError};
use crate::process::Process;
use crate::sys;
use crate::wire::START_DEADLINE;
use crate::wire::attachments::Descriptor;

mod client;
mod counter;
mod dict;
mod list;
mod protocol;
mod server;
mod value;

pub use counter::Counter;
pub use dict::Dict;
pub use list::List;
pub use value::Value;

use client::{Proxy, Server};
use protocol::{Bytes, NewObject, encoded};

/// A process that holds objects: [`Dict`], [`List`], [`Counter`], [`Value`].
///
/// Programs use the objects through proxies. A proxy is a small value that serde can serialize: it can be part of the
/// arguments and results of processes and of a pool's jobs, of messages, and of other objects. A call of a proxy is a
/// message to the manager's process and its answer (some ten microseconds); calls of all processes happen one after the
/// other, each as a whole.
///
/// An object is freed when its last proxy is gone, in whatever process; a killed process loses its proxies.
///
/// | proxy | keeps the object |
/// |---|---|
/// | in a process, with its clones | until the last one is dropped, or the process ends |
/// | in transit | from the moment when it is sent until it is received for the first time; for ever, if it is never received |
/// | stored in another object of the manager | as long as that one lives |
///
/// A proxy that is decoded more than once (a task that a pool retries, an untagged enum) finds the object only if another
/// proxy has kept it. A call of an object that was freed is [`ManagerError::Gone`]. Objects that are stored in each other in a circle stay.
///
/// Dropping the manager ends the process, and its objects with it; so does the end of the program, in whatever way.
/// Calls then fail with [`ManagerError::ServerDied`]. Numbers and arrays are far faster in a
/// [`SharedArray`](crate::SharedArray).
///
/// ```
/// use procs::Manager;
/// use procs::manager::Dict;
///
/// #[procs::task]
/// fn count(word: String, counts: Dict<String, u32>) {
///     counts.update(&word, |old| Some(old.unwrap_or(0) + 1)).unwrap();
/// }
///
/// #[procs::main]
/// fn main() {
///     let manager = Manager::start().unwrap();
///     let counts = manager.dict::<String, u32>().unwrap();
///     let pool = procs::Pool::new(2).unwrap();
///     let words = ["to", "be", "or", "not", "to", "be"].map(str::to_owned);
///     pool.map_collect(count, words.map(|word| (word, counts.clone()))).unwrap();
///     assert_eq!(counts.get(&"be".to_owned()).unwrap(), Some(2));
///     assert_eq!(counts.len().unwrap(), 4);
/// }
/// ```
#[must_use = "dropping the manager ends its process and its objects"]
pub struct Manager {
    process: Process<()>,
    server: Server,
}

impl Manager {
    /// Starts the process, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// When [`init`](crate::init) was not called, or the process does not start.
    pub fn start() -> Result<Self, SpawnError> {
        let refused = SystemError::new("make a manager's socket");
        let made = Server::new().and_then(|server| {
            let address = SocketAddr::from_abstract_name(server.name())?;
            let listener = sys::above_standard(UnixListener::bind_addr(&address)?)?;
            Ok((server, listener))
        });
        let (server, listener) = made.map_err(refused)?;
        let mut process = Process::builder()
            .name("Manager")
            .daemon(true)
            .spawn(server::serve, (Descriptor::new(listener), server))?;
        match server.greet(START_DEADLINE) {
            Ok(()) => Ok(Self { process, server }),
            Err(error) => Err(match process.join_for(START_DEADLINE) {
                Err(ProcessError::Start(error)) => error.into(),
                _ => SystemError::new("talk to a manager")(error).into(),
            }),
        }
    }

    /// Creates an empty dictionary.
    ///
    /// # Errors
    ///
    /// [`ServerDied`](ManagerError::ServerDied).
    pub fn dict<K, V>(&self) -> Result<Dict<K, V>, ManagerError> {
        self.make(NewObject::Dict).map(Dict::new)
    }

    /// Creates an empty list.
    ///
    /// # Errors
    ///
    /// [`ServerDied`](ManagerError::ServerDied).
    pub fn list<T>(&self) -> Result<List<T>, ManagerError> {
        self.make(NewObject::List).map(List::new)
    }

    /// Creates a counter.
    ///
    /// # Errors
    ///
    /// [`ServerDied`](ManagerError::ServerDied).
    pub fn counter(&self, number: i64) -> Result<Counter, ManagerError> {
        self.make(NewObject::Counter(number)).map(Counter::new)
    }

    /// Creates a value.
    ///
    /// # Errors
    ///
    /// [`ServerDied`](ManagerError::ServerDied), or the value cannot be encoded.
    pub fn value<T: Serialize + DeserializeOwned>(
        &self,
        value: &T,
    ) -> Result<Value<T>, ManagerError> {
        let bytes: Bytes = encoded(value)?;
        self.make(NewObject::Value(bytes)).map(Value::new)
    }

    fn make<K>(&self, new: NewObject) -> Result<Proxy<K>, ManagerError> {
        Proxy::make(self.server, new)
    }

    /// Returns the number of objects that are not freed.
    ///
    /// # Errors
    ///
    /// When the manager has ended or does not answer in time.
    ///
    /// ```
    /// use procs::Manager;
    ///
    /// #[procs::main]
    /// fn main() {
    ///     let manager = Manager::start().unwrap();
    ///     let (first, second) = (manager.counter(1).unwrap(), manager.counter(2).unwrap());
    ///     assert_eq!(manager.object_count().unwrap(), 2);
    ///     drop((first, second));
    ///     assert_eq!(manager.object_count().unwrap(), 0);
    /// }
    /// ```
    pub fn object_count(&self) -> Result<usize, ManagerError> {
        self.server.count()
    }

    /// Returns the process id of the manager's process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager")
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        // A drop cannot return an error. A manager that cannot be killed, because this process has changed its user, ends
        // with this process.
        let _ = self.process.kill();
        // The process was killed: only the kernel's clean-up remains.
        let _ = self.process.join_for(Duration::from_secs(2));
        self.server.close();
    }
}

/// Returns random bytes of the kernel's.
fn random() -> std::io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    sys::fill_random(&mut bytes)?;
    Ok(bytes)
}
