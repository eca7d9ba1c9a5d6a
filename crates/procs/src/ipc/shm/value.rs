//! One number that processes share.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Plain, SharedArray};
use crate::error::SystemError;

/// A number that processes share.
///
/// A clone is the same number, and so is what another process gets (see [`SharedMemory`](crate::SharedMemory)).
///
/// ```
/// use procs::SharedValue;
///
/// #[procs::task]
/// fn count(total: SharedValue<u64>) {
///     for _ in 0..1000 {
///         total.update(|n| n + 1);
///     }
/// }
///
/// #[procs::main]
/// fn main() {
///     let total = SharedValue::new(0).unwrap();
///     let start = |_| procs::spawn(count, total.clone()).unwrap();
///     let processes: Vec<_> = (0..2).map(start).collect();
///     for mut process in processes {
///         process.join().unwrap();
///     }
///     assert_eq!(total.get(), 2000);
/// }
/// ```
#[doc(alias = "Value")]
#[doc(alias = "Atomic")]
#[must_use = "shared memory that is dropped by all its users is gone"]
pub struct SharedValue<T>(SharedArray<T>);

impl<T: Plain> SharedValue<T> {
    /// Creates a number.
    ///
    /// # Errors
    ///
    /// When the system refuses: too many open files.
    pub fn new(value: T) -> Result<Self, SystemError> {
        SharedArray::from_slice(&[value]).map(Self)
    }

    /// Returns the value.
    pub fn get(&self) -> T {
        self.0.get(0)
    }

    /// Sets it.
    pub fn set(&self, value: T) {
        self.0.set(0, value);
    }

    /// Replaces it by a function of it, in one step; returns what it was. The function runs again when another process
    /// has been faster.
    pub fn update(&self, change: impl FnMut(T) -> T) -> T {
        self.0.update(0, change)
    }
}

impl<T> Clone for SharedValue<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Plain + fmt::Debug> fmt::Debug for SharedValue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedValue").field(&self.get()).finish()
    }
}

impl<T> Serialize for SharedValue<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Plain> Deserialize<'de> for SharedValue<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let array = SharedArray::deserialize(deserializer)?;
        if array.len() == 1 {
            Ok(Self(array))
        } else {
            Err(crate::wire::attachments::refuse(
                "a descriptor in it is no shared value",
            ))
        }
    }
}
