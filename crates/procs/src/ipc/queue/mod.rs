//! A queue of values with many writers and many readers, in several processes.

mod ring;

use std::cell::Cell;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::ops::Deref;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::{EncodeError, GetError, PutError, SystemError, TaskDoneError, WaitError};
use crate::ipc::queue::ring::{Ring, Stop};
use crate::ipc::shm::Packed;
use crate::wire::attachments::{self, Descriptor};
use crate::wire::codec;

/// How many bytes wait in a queue at most, unless it is made otherwise. The kernel gives memory to what is used only.
const BYTES: usize = 64 << 20;

/// How much memory a thread keeps from one call to the next.
const KEPT: usize = 4 << 20;

thread_local! {
    /// Where values become bytes and bytes values, kept from one call to the next.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends the thread's buffer, with whatever is in it. A large value does not hold its memory for ever.
fn with_buffer<R>(use_it: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut buffer = BUFFER.take();
    let result = use_it(&mut buffer);
    if buffer.capacity() > KEPT {
        buffer = Vec::new();
    }
    BUFFER.set(buffer);
    result
}

/// A queue: who puts and who gets may be in any process that has it, and in any thread.
///
/// A clone is the same queue, and so is what another process gets: among the arguments of [`spawn`](crate::spawn) and of
/// a pool's initializer, or in a message of a [`Connection`](crate::Connection). Each value goes to one reader. Values of
/// one writer keep their order.
///
/// The queue lies in shared memory, and no process serves it: a value that was put stays when its writer ends. Processes
/// may be killed at any moment, also in the middle of a put or a get: the others go on at once, and what is lost is at
/// most the one value that the dead process was just about to put or had just got. A queue knows no end by itself: call
/// [`close`](Self::close), or wait with a time limit, if the writers may die.
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
pub struct Queue<T> {
    ring: Ring,
    values: PhantomData<fn(T) -> T>,
}

impl<T> Queue<T> {
    /// A new queue, in which up to `capacity` values wait (at least 1), of together up to 64 MiB.
    ///
    /// # Errors
    ///
    /// When the system refuses: too many open files, no address space.
    pub fn new(capacity: usize) -> Result<Self, SystemError> {
        Self::with_bytes(capacity, BYTES)
    }

    /// A new queue, in which up to `capacity` values wait (at least 1), of together up to `bytes` bytes: each takes what
    /// its encoding takes and up to 31 more. A value that needs more than all of that cannot be put.
    ///
    /// # Errors
    ///
    /// When the system refuses: too many open files, no address space.
    pub fn with_bytes(capacity: usize, bytes: usize) -> Result<Self, SystemError> {
        let size = bytes.max(4096).checked_next_multiple_of(4096);
        size.ok_or_else(|| io::ErrorKind::OutOfMemory.into())
            .and_then(|size| Ring::new(capacity.max(1), size))
            .map(Self::from_ring)
            .map_err(SystemError::new("make memory for a queue"))
    }

    fn from_ring(ring: Ring) -> Self {
        Self {
            ring,
            values: PhantomData,
        }
    }

    /// How many values wait at this moment.
    pub fn len(&self) -> usize {
        self.ring.count() as usize
    }

    /// Whether no value waits at this moment.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values may wait.
    pub fn capacity(&self) -> usize {
        self.ring.limit()
    }

    /// Lets nobody put anything more; what is there can still be got. Wakes all who wait. Closing again does nothing.
    ///
    /// # Errors
    ///
    /// [`Broken`](WaitError::Broken): a process has overwritten the queue's memory.
    pub fn close(&self) -> Result<(), WaitError> {
        self.ring.close().map_err(|_| WaitError::Broken)
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.ring.is_closed()
    }
}

impl<T: Serialize> Queue<T> {
    /// Puts a value; waits while the queue is full.
    ///
    /// # Errors
    ///
    /// The queue is closed, or the value cannot be encoded or is too large.
    pub fn put(&self, value: &T) -> Result<(), PutError> {
        self.put_by(value, None)
    }

    /// Puts a value if there is room.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put), and [`Full`](PutError::Full).
    pub fn try_put(&self, value: &T) -> Result<(), PutError> {
        self.put_by(value, Some(Instant::now()))
    }

    /// Puts a value; waits while the queue is full, but no longer than `time`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put), and [`Full`](PutError::Full).
    pub fn put_for(&self, value: &T, time: Duration) -> Result<(), PutError> {
        self.put_by(value, Instant::now().checked_add(time))
    }

    /// Puts a value; waits while the queue is full, but not beyond `deadline`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put), and [`Full`](PutError::Full).
    pub fn put_until(&self, value: &T, deadline: Instant) -> Result<(), PutError> {
        self.put_by(value, Some(deadline))
    }

    fn put_by(&self, value: &T, deadline: Option<Instant>) -> Result<(), PutError> {
        with_buffer(|bytes| {
            bytes.clear();
            codec::encode(value, bytes).map_err(PutError::Encode)?;
            let (needs, has) = (bytes.len(), self.ring.largest());
            if needs > has {
                let reason = format!("it takes {needs} bytes, and the queue has {has}");
                let error = EncodeError::new(std::any::type_name::<T>(), reason);
                return Err(PutError::Encode(error));
            }
            self.ring.put(bytes, deadline).map_err(|stop| match stop {
                Stop::Late => PutError::Full,
                Stop::Closed => PutError::Closed,
                Stop::Broken => PutError::Broken,
            })
        })
    }
}

impl<T: DeserializeOwned> Queue<T> {
    /// Gets the oldest value; waits while there is none.
    ///
    /// # Errors
    ///
    /// The queue is closed and empty, or what was got cannot be decoded.
    pub fn get(&self) -> Result<T, GetError> {
        self.get_by(None)
    }

    /// Gets the oldest value if there is one.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), and [`Empty`](GetError::Empty).
    pub fn try_get(&self) -> Result<T, GetError> {
        self.get_by(Some(Instant::now()))
    }

    /// Gets the oldest value; waits while there is none, but no longer than `time`.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), and [`Empty`](GetError::Empty).
    pub fn get_for(&self, time: Duration) -> Result<T, GetError> {
        self.get_by(Instant::now().checked_add(time))
    }

    /// Gets the oldest value; waits while there is none, but not beyond `deadline`.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), and [`Empty`](GetError::Empty).
    pub fn get_until(&self, deadline: Instant) -> Result<T, GetError> {
        self.get_by(Some(deadline))
    }

    fn get_by(&self, deadline: Option<Instant>) -> Result<T, GetError> {
        with_buffer(|bytes| {
            self.ring.take(bytes, deadline).map_err(|stop| match stop {
                Stop::Late => GetError::Empty,
                Stop::Closed => GetError::Closed,
                Stop::Broken => GetError::Broken,
            })?;
            codec::decode(bytes).map_err(GetError::Decode)
        })
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
        match Ring::attach(file.into_inner(), size as usize) {
            Ok(ring) => Ok(Self::from_ring(ring)),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(attachments::refuse("a descriptor in it is no queue"))
            }
            Err(error) => Err(de::Error::custom(error)),
        }
    }
}

/// A [`Queue`] that knows when everything that was put is done.
///
/// Whoever gets a value calls [`task_done`](Self::task_done) after the work on it. A reader that dies before leaves its
/// task undone for ever: wait with a time limit if readers may die.
///
/// ```
/// use procs::JoinableQueue;
///
/// #[procs::task]
/// fn work(queue: JoinableQueue<u32>) {
///     while let Ok(_number) = queue.get() {
///         queue.task_done().unwrap();
///     }
/// }
///
/// #[procs::main]
/// fn main() {
///     let queue = JoinableQueue::new(10).unwrap();
///     let _reader = procs::spawn(work, queue.clone()).unwrap();
///     for number in 0..100 {
///         queue.put(&number).unwrap();
///     }
///     queue.join().unwrap();
///     assert!(queue.is_empty());
/// }
/// ```
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct JoinableQueue<T>(Queue<T>);

impl<T> JoinableQueue<T> {
    /// A new queue; see [`Queue::new`].
    ///
    /// # Errors
    ///
    /// When the system refuses: too many open files, no address space.
    pub fn new(capacity: usize) -> Result<Self, SystemError> {
        Queue::new(capacity).map(Self)
    }

    /// Says that the work on one value that was got is done.
    ///
    /// # Errors
    ///
    /// It was said as often as values were got.
    pub fn task_done(&self) -> Result<(), TaskDoneError> {
        match self.0.ring.done() {
            Ok(true) => Ok(()),
            Ok(false) => Err(TaskDoneError::TooMany),
            Err(_) => Err(TaskDoneError::Broken),
        }
    }

    /// Waits until everything that was put is done.
    ///
    /// # Errors
    ///
    /// A process has overwritten the queue's memory.
    pub fn join(&self) -> Result<(), WaitError> {
        self.join_by(None)
    }

    /// Waits until everything that was put is done, but no longer than `time`.
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join), and [`TimedOut`](WaitError::TimedOut).
    pub fn join_for(&self, time: Duration) -> Result<(), WaitError> {
        self.join_by(Instant::now().checked_add(time))
    }

    fn join_by(&self, deadline: Option<Instant>) -> Result<(), WaitError> {
        self.0.ring.join(deadline).map_err(|stop| match stop {
            Stop::Late => WaitError::TimedOut,
            Stop::Closed | Stop::Broken => WaitError::Broken,
        })
    }
}

impl<T> Clone for JoinableQueue<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// It puts, gets and closes as the queue that it is.
impl<T> Deref for JoinableQueue<T> {
    type Target = Queue<T>;

    fn deref(&self) -> &Queue<T> {
        &self.0
    }
}
