//! A list that processes share through a manager.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::ManagerError;
use crate::wire::codec;

use super::client::{Proxy, unexpected};
use super::protocol::{Bytes, Kind, Operation, Reply, encoded};

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
pub struct List<T> {
    proxy: Proxy,
    types: PhantomData<fn(T) -> T>,
}

impl<T> List<T> {
    pub(super) fn new(proxy: Proxy) -> Self {
        Self {
            proxy,
            types: PhantomData,
        }
    }

    /// The same list, but each call waits for its answer no longer than `time`.
    #[must_use]
    pub fn timeout(self, time: Duration) -> Self {
        Self::new(self.proxy.timed(time))
    }

    /// How many elements there are.
    ///
    /// # Errors
    ///
    /// When the manager has ended or does not answer in time.
    pub fn len(&self) -> Result<usize, ManagerError> {
        self.number(Operation::Length)
    }

    /// Whether there are no elements.
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
        self.proxy.ask(Kind::List, Operation::Clear).map(drop)
    }

    fn number(&self, operation: Operation) -> Result<usize, ManagerError> {
        match self.proxy.ask(Kind::List, operation)? {
            Reply::Number(number) => Ok(number as usize),
            reply => Err(unexpected(&reply)),
        }
    }
}

impl<T: Serialize + DeserializeOwned> List<T> {
    /// The element at an index, if there is one.
    ///
    /// # Errors
    ///
    /// When the manager has ended or does not answer in time, a value cannot be encoded, or what is there is of another
    /// type.
    pub fn get(&self, index: usize) -> Result<Option<T>, ManagerError> {
        self.taken(Operation::At(index as u64))
    }

    /// Sets the element at an index.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), and [`OutOfRange`](ManagerError::OutOfRange).
    pub fn set(&self, index: usize, value: &T) -> Result<(), ManagerError> {
        let operation = Operation::Set(index as u64, encoded(value)?);
        self.proxy.ask(Kind::List, operation).map(drop)
    }

    /// Replaces an element by a function of it, in one step. The function runs again when another process has been faster.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn update(&self, index: usize, mut change: impl FnMut(T) -> T) -> Result<(), ManagerError> {
        loop {
            let old = self
                .bytes(Operation::At(index as u64))?
                .ok_or(ManagerError::OutOfRange)?;
            let new = encoded(&change(codec::decode(&old.0)?))?;
            match self
                .proxy
                .ask(Kind::List, Operation::ExchangeAt(index as u64, old, new))?
            {
                Reply::Done(true) => return Ok(()),
                Reply::Done(false) => {}
                reply => return Err(unexpected(&reply)),
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
        self.proxy.ask(Kind::List, operation).map(drop)
    }

    /// Removes the element at an index, and returns it if there was one.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn remove(&self, index: usize) -> Result<Option<T>, ManagerError> {
        self.taken(Operation::RemoveAt(index as u64))
    }

    /// Appends an element. Returns how many there are now.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn push(&self, value: &T) -> Result<usize, ManagerError> {
        self.number(Operation::Append(vec![encoded(value)?]))
    }

    /// Appends elements, all at once. Returns how many there are now.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn extend(&self, values: impl IntoIterator<Item = T>) -> Result<usize, ManagerError> {
        let encode = |value| encoded(&value);
        let values = values.into_iter().map(encode).collect::<Result<_, _>>()?;
        self.number(Operation::Append(values))
    }

    /// Removes the last element, and returns it if there was one.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn pop(&self) -> Result<Option<T>, ManagerError> {
        self.taken(Operation::Pop)
    }

    /// All elements.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn to_vec(&self) -> Result<Vec<T>, ManagerError> {
        match self.proxy.ask(Kind::List, Operation::All)? {
            Reply::List(items) => items
                .iter()
                .map(|item| Ok(codec::decode(&item.0)?))
                .collect(),
            reply => Err(unexpected(&reply)),
        }
    }

    fn bytes(&self, operation: Operation) -> Result<Option<Bytes>, ManagerError> {
        match self.proxy.ask(Kind::List, operation)? {
            Reply::Bytes(bytes) => Ok(bytes),
            reply => Err(unexpected(&reply)),
        }
    }

    fn taken(&self, operation: Operation) -> Result<Option<T>, ManagerError> {
        let value = self.bytes(operation)?.map(|bytes| codec::decode(&bytes.0));
        Ok(value.transpose()?)
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
