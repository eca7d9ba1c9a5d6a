//! A number that processes count with through a manager.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::ManagerError;

use super::client::Proxy;
use super::protocol::{Operation, kinds};

/// A number in a [`Manager`](crate::Manager)'s process.
///
/// A [`SharedValue`](crate::SharedValue) does the same a thousand times faster where descriptors can travel; a counter
/// also travels in the arguments of a pool's jobs.
///
/// ```
/// use procs::Manager;
///
/// #[procs::main]
/// fn main() {
///     let manager = Manager::start().unwrap();
///     let tickets = manager.counter(100).unwrap();
///     assert_eq!(tickets.add(-1).unwrap(), 99);
///     assert_eq!(tickets.set(5).unwrap(), 99);
///     assert_eq!(tickets.get().unwrap(), 5);
/// }
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[must_use = "a proxy does nothing unless its methods are called"]
pub struct Counter {
    proxy: Proxy<kinds::Counter>,
}

impl Counter {
    pub(super) fn new(proxy: Proxy<kinds::Counter>) -> Self {
        Self { proxy }
    }

    /// Returns the same counter with a limit: each call waits at most `time` for its reply.
    pub fn timeout(self, time: Duration) -> Self {
        Self::new(self.proxy.timed(time))
    }

    /// Adds to the number (wrapping around at its ends). Returns what it is then.
    ///
    /// # Errors
    ///
    /// When the manager has ended or does not answer in time.
    pub fn add(&self, more: i64) -> Result<i64, ManagerError> {
        self.proxy.number(Operation::Add(more))
    }

    /// Returns the number.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub fn get(&self) -> Result<i64, ManagerError> {
        self.add(0)
    }

    /// Sets the number. Returns what it was.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub fn set(&self, number: i64) -> Result<i64, ManagerError> {
        self.proxy.number(Operation::SetNumber(number))
    }
}
