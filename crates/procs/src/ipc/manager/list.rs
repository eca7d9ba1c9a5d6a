//! A list that processes share through a manager.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::ManagerError;

use super::client::Proxy;
use super::protocol::{Bytes, Operation, encoded, kinds};

/// A list in a [`Manager`](crate::Manager)'s process.
///
/// Each call happens as a whole. A read and a write that belong together are one [`update`](Self::update).
///
/// ```
/// use procs::Manager;
///
/// #[procs::main]
/// fn main() {
///     let manager = Manager::start().unwrap();
///     let words = manager.list().unwrap();
///     words.extend(["b", "c"].map(str::to_owned)).unwrap();
///     words.insert(0, &"a".to_owned()).unwrap();
///     words.update(2, |word| word + "!").unwrap();
///     assert_eq!(words.to_vec().unwrap(), ["a", "b", "c!"]);
///     assert_eq!(words.pop().unwrap().unwrap(), "c!");
/// }
/// ```
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
#[must_use = "a proxy does nothing unless its methods are called"]
pub struct List<T> {
    proxy: Proxy<kinds::List>,
    types: PhantomData<fn(T) -> T>,
}

impl<T> List<T> {
    pub(super) fn new(proxy: Proxy<kinds::List>) -> Self {
        Self {
            proxy,
            types: PhantomData,
        }
    }

    /// Returns the same list with a limit: each call waits at most `time` for its reply.
    pub fn timeout(self, time: Duration) -> Self {
        Self::new(self.proxy.timed(time))
    }

    /// Returns the number of elements.
    ///
    /// # Errors
    ///
    /// When the manager has ended or does not answer in time.
    pub fn len(&self) -> Result<usize, ManagerError> {
        self.count(Operation::Length)
    }

    /// Returns whether there are no elements.
    ///
    /// # Errors
    ///
    /// As [`len`](Self::len).
    pub fn is_empty(&self) -> Result<bool, ManagerError> {
        self.len().map(|length| length == 0)
    }

    /// Removes all elements.
    ///
    /// # Errors
    ///
    /// As [`len`](Self::len).
    pub fn clear(&self) -> Result<(), ManagerError> {
        self.proxy.run(Operation::Clear)
    }

    fn count(&self, operation: Operation) -> Result<usize, ManagerError> {
        self.proxy.number(operation).map(|count| count as usize)
    }
}

impl<T: Serialize + DeserializeOwned> List<T> {
    /// Returns the element at an index, if there is one.
    ///
    /// # Errors
    ///
    /// When the manager has ended or does not answer in time, a value cannot be encoded, or what is there is of another
    /// type.
    pub fn get(&self, index: usize) -> Result<Option<T>, ManagerError> {
        self.proxy.value(Operation::At(index as u64))
    }

    /// Sets the element at an index.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), and [`OutOfRange`](ManagerError::OutOfRange).
    pub fn set(&self, index: usize, value: &T) -> Result<(), ManagerError> {
        let operation = Operation::Set(index as u64, encoded(value)?);
        self.proxy.run(operation)
    }

    /// Replaces an element by a function of it, in one step. The function runs again when another process has been faster.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn update(&self, index: usize, mut change: impl FnMut(T) -> T) -> Result<(), ManagerError> {
        let index = index as u64;
        loop {
            let old = self.proxy.bytes(Operation::At(index))?;
            let old = old.ok_or(ManagerError::OutOfRange)?;
            let new = encoded(&change(old.decode()?))?;
            if self
                .proxy
                .exchange(Operation::ExchangeAt(index, old, new))?
            {
                return Ok(());
            }
        }
    }

    /// Puts an element before an index, or at the end.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn insert(&self, index: usize, value: &T) -> Result<(), ManagerError> {
        let operation = Operation::InsertAt(index as u64, encoded(value)?);
        self.proxy.run(operation)
    }

    /// Removes the element at an index, and returns it if there was one.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn remove(&self, index: usize) -> Result<Option<T>, ManagerError> {
        self.proxy.value(Operation::RemoveAt(index as u64))
    }

    /// Appends an element. Returns how many there are now.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn push(&self, value: &T) -> Result<usize, ManagerError> {
        self.count(Operation::Append(vec![encoded(value)?]))
    }

    /// Appends elements, all at once. Returns how many there are now.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn extend(&self, values: impl IntoIterator<Item = T>) -> Result<usize, ManagerError> {
        let encode = |value| encoded(&value);
        let values = values.into_iter().map(encode).collect::<Result<_, _>>()?;
        self.count(Operation::Append(values))
    }

    /// Removes the last element, and returns it if there was one.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn pop(&self) -> Result<Option<T>, ManagerError> {
        self.proxy.value(Operation::Pop)
    }

    /// Returns all elements.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn to_vec(&self) -> Result<Vec<T>, ManagerError> {
        self.proxy.list()?.iter().map(Bytes::decode).collect()
    }
}

impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        Self::new(self.proxy.clone())
    }
}

impl<T> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List").finish_non_exhaustive()
    }
}
