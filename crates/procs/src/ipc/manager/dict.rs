//! A dictionary that processes share through a manager.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::ManagerError;

use super::client::Proxy;
use super::protocol::{Bytes, Operation, encoded, kinds};

/// A dictionary in a [`Manager`](crate::Manager)'s process, in the order in which its keys came first.
///
/// Keys are the same if their bytes are: do not use types such as `HashMap`, whose equal values have no order, as keys.
/// Each call happens as a whole. A read and a write that belong together are one [`update`](Self::update).
///
/// ```
/// use procs::Manager;
///
/// #[procs::main]
/// fn main() {
///     let manager = Manager::start().unwrap();
///     let ages = manager.dict().unwrap();
///     ages.insert(&"Ann".to_owned(), &7).unwrap();
///     assert_eq!(ages.update(&"Ann".to_owned(), |age| age.map(|n| n + 1)).unwrap(), Some(8));
///     assert_eq!(ages.items().unwrap(), [("Ann".to_owned(), 8)]);
///     assert_eq!(ages.remove(&"Bob".to_owned()).unwrap(), None);
/// }
/// ```
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
#[must_use = "a proxy does nothing unless its methods are called"]
pub struct Dict<K, V> {
    proxy: Proxy<kinds::Dict>,
    types: PhantomData<fn(K) -> V>,
}

impl<K, V> Dict<K, V> {
    pub(super) fn new(proxy: Proxy<kinds::Dict>) -> Self {
        Self {
            proxy,
            types: PhantomData,
        }
    }

    /// Returns the same dictionary with a limit: each call waits at most `time` for its reply.
    pub fn timeout(self, time: Duration) -> Self {
        Self::new(self.proxy.timed(time))
    }

    /// Returns the number of entries.
    ///
    /// # Errors
    ///
    /// When the manager has ended or does not answer in time.
    pub fn len(&self) -> Result<usize, ManagerError> {
        let length = self.proxy.number(Operation::Length)?;
        Ok(length as usize)
    }

    /// Returns whether there are no entries.
    ///
    /// # Errors
    ///
    /// As [`len`](Self::len).
    pub fn is_empty(&self) -> Result<bool, ManagerError> {
        self.len().map(|length| length == 0)
    }

    /// Removes all entries.
    ///
    /// # Errors
    ///
    /// As [`len`](Self::len).
    pub fn clear(&self) -> Result<(), ManagerError> {
        self.proxy.run(Operation::Clear)
    }
}

impl<K: Serialize + DeserializeOwned, V: Serialize + DeserializeOwned> Dict<K, V> {
    /// Returns the value at a key.
    ///
    /// # Errors
    ///
    /// When the manager has ended or does not answer in time, a key or value cannot be encoded, or what is there is of
    /// another type.
    pub fn get(&self, key: &K) -> Result<Option<V>, ManagerError> {
        self.proxy.value(Operation::Get(encoded(key)?))
    }

    /// Returns whether there is a value at a key.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn contains_key(&self, key: &K) -> Result<bool, ManagerError> {
        self.proxy
            .bytes(Operation::Get(encoded(key)?))
            .map(|bytes| bytes.is_some())
    }

    /// Puts a value at a key; returns the one that was there.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn insert(&self, key: &K, value: &V) -> Result<Option<V>, ManagerError> {
        self.proxy
            .value(Operation::Insert(encoded(key)?, encoded(value)?))
    }

    /// Removes a key and its value, which it returns.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn remove(&self, key: &K) -> Result<Option<V>, ManagerError> {
        self.proxy.value(Operation::Remove(encoded(key)?))
    }

    /// Replaces what is at a key by a function of it, in one step; `None` is no entry. Returns the new value. The function
    /// runs again when another process has been faster.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn update(
        &self,
        key: &K,
        mut change: impl FnMut(Option<V>) -> Option<V>,
    ) -> Result<Option<V>, ManagerError> {
        let key = encoded(key)?;
        loop {
            let old = self.proxy.bytes(Operation::Get(key.clone()))?;
            let new = change(old.as_ref().map(Bytes::decode).transpose()?);
            let bytes = new.as_ref().map(encoded).transpose()?;
            let operation = Operation::Exchange(key.clone(), old, bytes);
            if self.proxy.exchange(operation)? {
                return Ok(new);
            }
        }
    }

    /// Returns all entries, in the order in which their keys were inserted.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn items(&self) -> Result<Vec<(K, V)>, ManagerError> {
        let pairs = self.proxy.pairs()?;
        let pair = |(key, value): &(Bytes, Bytes)| Ok((key.decode()?, value.decode()?));
        pairs.iter().map(pair).collect()
    }

    /// Returns all keys, in the order in which they were inserted.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn keys(&self) -> Result<Vec<K>, ManagerError> {
        let items = self.items()?;
        Ok(items.into_iter().map(|(key, _)| key).collect())
    }

    /// Returns all values, in the order of their keys.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn values(&self) -> Result<Vec<V>, ManagerError> {
        let items = self.items()?;
        Ok(items.into_iter().map(|(_, value)| value).collect())
    }
}

impl<K, V> Clone for Dict<K, V> {
    fn clone(&self) -> Self {
        Self::new(self.proxy.clone())
    }
}

impl<K, V> fmt::Debug for Dict<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dict").finish_non_exhaustive()
    }
}
