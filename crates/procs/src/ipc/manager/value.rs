//! One value that processes share through a manager.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{DecodeError, ManagerError};

use super::client::Proxy;
use super::protocol::{Bytes, Operation, encoded, kinds};

/// A value of any type in a [`Manager`](crate::Manager)'s process. With a struct it is what Python calls a namespace.
///
/// ```
/// use procs::Manager;
///
/// #[procs::main]
/// fn main() {
///     let manager = Manager::start().unwrap();
///     let best = manager.value(&("nobody".to_owned(), 0)).unwrap();
///     best.update(|old| if old.1 < 7 { ("Ann".to_owned(), 7) } else { old }).unwrap();
///     assert_eq!(best.get().unwrap().0, "Ann");
/// }
/// ```
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
#[must_use = "a proxy does nothing unless its methods are called"]
pub struct Value<T> {
    proxy: Proxy<kinds::Value>,
    types: PhantomData<fn(T) -> T>,
}

impl<T> Value<T> {
    pub(super) fn new(proxy: Proxy<kinds::Value>) -> Self {
        Self {
            proxy,
            types: PhantomData,
        }
    }

    /// Returns the same value with a limit: each call waits at most `time` for its reply.
    pub fn timeout(self, time: Duration) -> Self {
        Self::new(self.proxy.timed(time))
    }
}

impl<T: Serialize + DeserializeOwned> Value<T> {
    /// Returns the value.
    ///
    /// # Errors
    ///
    /// When the manager has ended or does not answer in time, the value cannot be encoded, or what is there is of another
    /// type.
    pub fn get(&self) -> Result<T, ManagerError> {
        self.read()?.decode()
    }

    /// Sets it.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn set(&self, value: &T) -> Result<(), ManagerError> {
        let operation = Operation::Insert(Bytes::default(), encoded(value)?);
        self.proxy.run(operation)
    }

    /// Replaces it by a function of it, in one step. The function runs again when another process has been faster.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn update(&self, mut change: impl FnMut(T) -> T) -> Result<(), ManagerError> {
        loop {
            let old = self.read()?;
            let new = encoded(&change(old.decode()?))?;
            let operation = Operation::Exchange(Bytes::default(), Some(old), Some(new));
            if self.proxy.exchange(operation)? {
                return Ok(());
            }
        }
    }

    fn read(&self) -> Result<Bytes, ManagerError> {
        let missing = || DecodeError::from_text("the manager's object has no value".to_owned());
        let bytes = self.proxy.bytes(Operation::Get(Bytes::default()))?;
        bytes.ok_or_else(|| missing().into())
    }
}

impl<T> Clone for Value<T> {
    fn clone(&self) -> Self {
        Self::new(self.proxy.clone())
    }
}

impl<T> fmt::Debug for Value<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").finish_non_exhaustive()
    }
}
