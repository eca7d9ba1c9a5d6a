//! An array that processes share.

use std::fmt;
use std::marker::PhantomData;
use std::slice;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::SystemError;
use crate::sys::SharedMap;

use super::plain::Plain;
use super::{allocate, pack, unpack};

/// Numbers that processes share.
///
/// A clone is the same array, and so is what another process gets (see [`SharedMemory`](crate::SharedMemory)). Each element is read and
/// written in one step.
///
/// ```
/// use procs::SharedArray;
///
/// #[procs::task]
/// fn double(numbers: SharedArray<f64>) {
///     for index in 0..numbers.len() {
///         numbers.update(index, |n| 2.0 * n);
///     }
/// }
///
/// #[procs::main]
/// fn main() {
///     let numbers = SharedArray::from_slice(&[1.0, 2.5]).unwrap();
///     procs::spawn(double, numbers.clone()).unwrap().join().unwrap();
///     assert_eq!(numbers.to_vec(), [2.0, 5.0]);
/// }
/// ```
#[doc(alias = "Array")]
#[must_use = "shared memory that is dropped by all its users is gone"]
pub struct SharedArray<T> {
    map: Arc<SharedMap>,
    length: usize,
    elements: PhantomData<T>,
}

impl<T: Plain> SharedArray<T> {
    /// Creates an array of `length` zeroes.
    ///
    /// # Errors
    ///
    /// When the system refuses: too many open files, no address space.
    pub fn new(length: usize) -> Result<Self, SystemError> {
        Ok(Self {
            map: allocate(length, size_of::<T>())?,
            length,
            elements: PhantomData,
        })
    }

    /// Creates an array of these numbers.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn from_slice(values: &[T]) -> Result<Self, SystemError> {
        let array = Self::new(values.len())?;
        for (index, value) in values.iter().enumerate() {
            array.set(index, *value);
        }
        Ok(array)
    }

    /// Returns the number of elements.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Returns whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Returns the address of an element: aligned, since the map begins at a page, and in the map as long as self
    /// lives.
    fn at(&self, index: usize) -> *mut u8 {
        assert!(
            index < self.length,
            "index {index} is outside a shared array of {} elements",
            self.length
        );
        self.map.at(index * size_of::<T>(), size_of::<T>())
    }

    /// Returns an element.
    ///
    /// # Panics
    ///
    /// When there is none of this index.
    pub fn get(&self, index: usize) -> T {
        // SAFETY: `at` gives an aligned and living place; the map's safe users access it atomically in this size.
        unsafe { T::load(self.at(index)) }
    }

    /// Sets an element.
    ///
    /// # Panics
    ///
    /// When there is none of this index.
    pub fn set(&self, index: usize, value: T) {
        // SAFETY: as in `get`.
        unsafe { T::store(self.at(index), value) }
    }

    /// Replaces an element by a function of it, in one step; returns what it was. The function runs again when another
    /// process has been faster.
    ///
    /// # Panics
    ///
    /// When there is no element of this index.
    pub fn update(&self, index: usize, change: impl FnMut(T) -> T) -> T {
        // SAFETY: as in `get`.
        unsafe { T::update(self.at(index), change) }
    }

    /// Returns a copy of all elements.
    pub fn to_vec(&self) -> Vec<T> {
        (0..self.length).map(|index| self.get(index)).collect()
    }

    /// Returns the elements as a slice.
    ///
    /// # Safety
    ///
    /// During the life of the slice no thread writes to this array, in this process or in another.
    pub unsafe fn as_slice(&self) -> &[T] {
        let start = self.map.at(0, self.length * size_of::<T>()).cast();
        // SAFETY: the map holds so many elements, aligned, of a type for which all bits are valid, and lives as long as
        // self; the caller answers for the writers.
        unsafe { slice::from_raw_parts(start, self.length) }
    }

    /// Returns the elements as a slice that can be changed.
    ///
    /// # Safety
    ///
    /// During the life of the slice no other thread reads or writes this array, in this process or in another, also through a
    /// clone.
    pub unsafe fn as_mut_slice(&mut self) -> &mut [T] {
        let start = self.map.at(0, self.length * size_of::<T>()).cast();
        // SAFETY: as above; the caller guarantees that no other thread uses them.
        unsafe { slice::from_raw_parts_mut(start, self.length) }
    }
}

impl<T> Clone for SharedArray<T> {
    fn clone(&self) -> Self {
        Self {
            map: Arc::clone(&self.map),
            length: self.length,
            elements: PhantomData,
        }
    }
}

impl<T> fmt::Debug for SharedArray<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedArray")
            .field("len", &self.length)
            .finish_non_exhaustive()
    }
}

impl<T> Serialize for SharedArray<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        pack(&self.map, self.length, serializer)
    }
}

impl<'de, T: Plain> Deserialize<'de> for SharedArray<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (map, length) = unpack(deserializer, size_of::<T>())?;
        Ok(Self {
            map,
            length,
            elements: PhantomData,
        })
    }
}
