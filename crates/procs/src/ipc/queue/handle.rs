//! A queue of values with many writers and many readers, in several processes.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::{EncodeError, GetError, PutError, SystemError, WaitError};
use crate::ipc::queue::ring::{Ring, RingError};
use crate::ipc::queue::timeout::Timeout;
use crate::ipc::shm::Packed;
use crate::wire::attachments::{self, Descriptor};
use crate::wire::codec;

/// Default size of a queue in bytes. The kernel provides memory for the used part only.
const DEFAULT_BYTES: usize = 64 << 20;

/// Largest buffer that a thread keeps from one call to the next, in bytes.
const MAX_KEPT_BUFFER: usize = 4 << 20;

thread_local! {
    /// Encoded values before they are put and after they are got. Kept from one call to the next.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Calls a function with the thread's buffer, which may have any content. Frees a buffer that has become large.
fn with_buffer<R>(f: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut buffer = BUFFER.take();
    let result = f(&mut buffer);
    if buffer.capacity() > MAX_KEPT_BUFFER {
        buffer = Vec::new();
    }
    BUFFER.set(buffer);
    result
}

/// A first-in first-out queue whose writers and readers may be in several processes and threads.
///
/// A clone is the same queue. A queue can be sent to another process: in the arguments of [`spawn`](crate::spawn) and of a
/// pool's initializer, and in a message of a [`Connection`](crate::Connection). Each value goes to one reader. Values of one
/// writer keep their order.
///
/// The queue lies in shared memory, and no process serves it: a value that was put stays when its writer ends. Processes
/// may be killed at any moment, also in the middle of a put or a get. At most the one value that the dead process was about
/// to put or had just got is lost. If a process is killed between its change and the wake-up, other waits end up to about
/// 1 second late. A queue does not close by itself: if writers may die, call [`close`](Self::close) or wait with a time
/// limit.
///
/// A value that is too large for the free room takes a turn. Once another value has overtaken it, later writers wait until
/// it has been put. If its writer is killed or stopped, they wait for at most 1 second.
///
/// Dropping a handle does not close the queue and keeps the values for the other handles. The memory is freed with the
/// last handle in any process.
///
/// All processes that have a queue can overwrite its memory. A process with wild writes can break the queue for the
/// others ([`PutError::Broken`], [`GetError::Broken`]) and forge values, but cannot crash them.
///
/// ```
/// use procs::{GetError, Queue};
///
/// #[procs::task]
/// fn write(queue: Queue<String>) {
///     for word in ["one", "two"] {
///         queue.put(&word.to_owned()).unwrap();
///     }
///     queue.close().unwrap();
/// }
///
/// #[procs::main]
/// fn main() {
///     let queue = Queue::new(100).unwrap();
///     let _writer = procs::spawn(write, queue.clone()).unwrap();
///     assert_eq!(queue.get().unwrap(), "one");
///     assert_eq!(queue.get().unwrap(), "two");
///     assert_eq!(queue.get(), Err(GetError::Closed));
/// }
/// ```
#[doc(alias = "channel")]
#[doc(alias = "SimpleQueue")]
#[must_use = "a queue does nothing unless values are put and got"]
pub struct Queue<T> {
    ring: Ring,
    values: PhantomData<fn(T) -> T>,
}

impl<T> Queue<T> {
    /// Makes a queue for up to `capacity` values that together take up to 64 MiB.
    ///
    /// # Errors
    ///
    /// When the capacity is zero ([`io::ErrorKind::InvalidInput`]), or the system refuses: too many open files, no address
    /// space, a file-size limit (`RLIMIT_FSIZE`) below 64 MiB.
    pub fn new(capacity: usize) -> Result<Self, SystemError> {
        Self::with_bytes(capacity, DEFAULT_BYTES)
    }

    /// Makes a queue for up to `capacity` values that together take up to `bytes` bytes, rounded up to a multiple of 4096.
    ///
    /// Each value takes the size of its encoding and up to 23 bytes more. A value larger than the whole queue cannot be put.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_bytes(capacity: usize, bytes: usize) -> Result<Self, SystemError> {
        Self::make_ring(capacity, bytes)
            .map(Self::from_ring)
            .map_err(SystemError::new("make memory for a queue"))
    }

    fn make_ring(capacity: usize, bytes: usize) -> io::Result<Ring> {
        if capacity == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a bounded queue needs room for at least one item",
            ));
        }
        let size = bytes.max(4096).checked_next_multiple_of(4096);
        Ring::new(capacity, size.ok_or(io::ErrorKind::OutOfMemory)?)
    }

    fn from_ring(ring: Ring) -> Self {
        Self {
            ring,
            values: PhantomData,
        }
    }

    pub(super) fn ring(&self) -> &Ring {
        &self.ring
    }

    /// Returns the current number of values.
    pub fn len(&self) -> usize {
        self.ring.count() as usize
    }

    /// Returns whether the queue is currently empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the largest number of values.
    pub fn capacity(&self) -> usize {
        self.ring.limit()
    }

    /// Closes the queue: no more values can be put, and the values in it can still be got. Wakes all waiting threads. Closing
    /// a closed queue has no effect.
    ///
    /// # Errors
    ///
    /// [`Broken`](WaitError::Broken) when a process has overwritten the queue's memory.
    #[doc(alias = "shutdown")]
    pub fn close(&self) -> Result<(), WaitError> {
        self.ring.close().map_err(|_| WaitError::Broken)
    }

    /// Returns whether the queue is closed.
    pub fn is_closed(&self) -> bool {
        self.ring.is_closed()
    }
}

impl<T: Serialize> Queue<T> {
    /// Puts a value. Blocks while the queue is full.
    ///
    /// # Errors
    ///
    /// When the queue is closed, or the value cannot be encoded or is too large.
    #[doc(alias = "send")]
    #[doc(alias = "push")]
    pub fn put(&self, value: &T) -> Result<(), PutError> {
        self.put_with(value, Timeout::Unlimited)
    }

    /// Puts a value if there is room.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put), and [`Full`](PutError::Full) when there is no room or another writer has the turn.
    #[doc(alias = "put_nowait")]
    #[doc(alias = "try_send")]
    pub fn try_put(&self, value: &T) -> Result<(), PutError> {
        self.put_with(value, Timeout::Immediate)
    }

    /// Puts a value. Blocks while the queue is full, for `time` at most.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put), and [`TimedOut`](PutError::TimedOut).
    #[doc(alias = "send_timeout")]
    pub fn put_for(&self, value: &T, time: Duration) -> Result<(), PutError> {
        self.put_with(value, Timeout::after(time))
    }

    /// Puts a value. Blocks while the queue is full, until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put), and [`TimedOut`](PutError::TimedOut).
    #[doc(alias = "send_deadline")]
    pub fn put_until(&self, value: &T, deadline: Instant) -> Result<(), PutError> {
        self.put_with(value, Timeout::Until(deadline))
    }

    fn put_with(&self, value: &T, timeout: Timeout) -> Result<(), PutError> {
        with_buffer(|bytes| {
            bytes.clear();
            codec::encode(value, bytes).map_err(PutError::Encode)?;
            let (needs, has) = (bytes.len(), self.ring.largest());
            if needs > has {
                let reason = format!("it takes {needs} bytes, and the queue has {has}");
                let error = EncodeError::new(std::any::type_name::<T>(), reason);
                return Err(PutError::Encode(error));
            }
            self.ring.put(bytes, timeout).map_err(|error| match error {
                RingError::TimedOut if matches!(timeout, Timeout::Immediate) => PutError::Full,
                RingError::TimedOut => PutError::TimedOut,
                RingError::Closed => PutError::Closed,
                RingError::Broken => PutError::Broken,
            })
        })
    }
}

impl<T: DeserializeOwned> Queue<T> {
    /// Gets the oldest value. Blocks while there is none.
    ///
    /// # Errors
    ///
    /// When the queue is closed and empty, or the value cannot be decoded. That value is then lost.
    #[doc(alias = "recv")]
    #[doc(alias = "receive")]
    #[doc(alias = "pop")]
    pub fn get(&self) -> Result<T, GetError> {
        self.get_with(Timeout::Unlimited)
    }

    /// Gets the oldest value if there is one.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), and [`Empty`](GetError::Empty).
    #[doc(alias = "get_nowait")]
    #[doc(alias = "try_recv")]
    pub fn try_get(&self) -> Result<T, GetError> {
        self.get_with(Timeout::Immediate)
    }

    /// Gets the oldest value. Blocks while there is none, for `time` at most.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), and [`TimedOut`](GetError::TimedOut).
    #[doc(alias = "recv_timeout")]
    pub fn get_for(&self, time: Duration) -> Result<T, GetError> {
        self.get_with(Timeout::after(time))
    }

    /// Gets the oldest value. Blocks while there is none, until `deadline` at most.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), and [`TimedOut`](GetError::TimedOut).
    #[doc(alias = "recv_deadline")]
    pub fn get_until(&self, deadline: Instant) -> Result<T, GetError> {
        self.get_with(Timeout::Until(deadline))
    }

    fn get_with(&self, timeout: Timeout) -> Result<T, GetError> {
        with_buffer(|bytes| {
            self.ring
                .take(bytes, timeout)
                .map_err(|error| match error {
                    RingError::TimedOut if matches!(timeout, Timeout::Immediate) => GetError::Empty,
                    RingError::TimedOut => GetError::TimedOut,
                    RingError::Closed => GetError::Closed,
                    RingError::Broken => GetError::Broken,
                })?;
            codec::decode(bytes).map_err(GetError::Decode)
        })
    }

    /// Returns an iterator that gets values and blocks while there is none. It ends when the queue is closed and empty.
    ///
    /// A value that cannot be decoded gives an error in its place. After [`Broken`](GetError::Broken) the iterator ends.
    ///
    /// ```
    /// #[procs::main]
    /// fn main() {
    ///     let queue = procs::Queue::new(10).unwrap();
    ///     queue.put(&1).unwrap();
    ///     queue.put(&2).unwrap();
    ///     queue.close().unwrap();
    ///     let values: Result<Vec<i32>, _> = queue.iter().collect();
    ///     assert_eq!(values, Ok(vec![1, 2]));
    /// }
    /// ```
    pub fn iter(&self) -> Iter<'_, T> {
        Iter {
            queue: self,
            is_over: false,
        }
    }

    /// Returns an iterator that gets values without blocking. It ends when the queue is empty.
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter {
            queue: self,
            is_over: false,
        }
    }
}

/// Iterator over the values of a [`Queue`]; see [`Queue::iter`].
#[derive(Debug)]
#[must_use = "iterators get nothing unless consumed"]
pub struct Iter<'a, T> {
    queue: &'a Queue<T>,
    is_over: bool,
}

/// Iterator over the values of a [`Queue`] that does not block; see [`Queue::try_iter`].
#[derive(Debug)]
#[must_use = "iterators get nothing unless consumed"]
pub struct TryIter<'a, T> {
    queue: &'a Queue<T>,
    is_over: bool,
}

/// Converts the result of a get into an item, and sets `is_over` if it is the last one.
fn item<T>(result: Result<T, GetError>, is_over: &mut bool) -> Option<Result<T, GetError>> {
    match result {
        Err(GetError::Closed | GetError::Empty | GetError::TimedOut) => {
            *is_over = true;
            None
        }
        Err(GetError::Broken) => {
            *is_over = true;
            Some(Err(GetError::Broken))
        }
        other => Some(other),
    }
}

impl<T: DeserializeOwned> Iterator for Iter<'_, T> {
    type Item = Result<T, GetError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        item(self.queue.get(), &mut self.is_over)
    }
}

impl<T: DeserializeOwned> FusedIterator for Iter<'_, T> {}

impl<T: DeserializeOwned> Iterator for TryIter<'_, T> {
    type Item = Result<T, GetError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        item(self.queue.try_get(), &mut self.is_over)
    }
}

impl<T: DeserializeOwned> FusedIterator for TryIter<'_, T> {}

impl<'a, T: DeserializeOwned> IntoIterator for &'a Queue<T> {
    type Item = Result<T, GetError>;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self::from_ring(self.ring.clone())
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

impl<T> Serialize for Queue<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (Packed(self.ring.map()), self.ring.size() as u64).serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Queue<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (file, size) = <(Descriptor, u64)>::deserialize(deserializer)?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        match Ring::attach(file.into_inner(), size) {
            Ok(ring) => Ok(Self::from_ring(ring)),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(attachments::refuse("a descriptor in it is no queue"))
            }
            Err(error) => Err(de::Error::custom(error)),
        }
    }
}
