//! A function that may run in another process: its name, its entry in the binary's table, its call on bytes.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{DecodeError, EncodeError};
use crate::wire::codec;
use crate::wire::journal::TaskTimer;

/// A function that can be called in another process.
///
/// Only [`#[procs::task]`](macro@crate::task) implements this trait: it also writes the function into the table by which
/// the other process finds it.
///
/// ```
/// use procs::Task;
///
/// #[procs::task]
/// fn add(a: u32, b: u32) -> u32 {
///     a + b
/// }
///
/// fn name_of<T: Task>(_task: T) -> &'static str {
///     T::NAME
/// }
///
/// procs::init();
/// assert!(name_of(add).ends_with("::add"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a task: another process would not find it",
    label = "this is not a task",
    note = "write `#[procs::task]` above the function and pass the function's name; if it has `#[procs::task(value = Name)]`, pass `Name`"
)]
pub trait Task: Copy + Send + Sync + 'static {
    /// The arguments: `()` for none, the type itself for one, a tuple for several.
    type Args: Serialize + DeserializeOwned + 'static;
    /// The type of the result.
    type Output: Serialize + DeserializeOwned + 'static;
    /// The function's path, such as `my_crate::module::function`.
    const NAME: &'static str;
    /// The types of the arguments and of the result, as they are written.
    const SIGNATURE: &'static str;
    /// Place of the function in the source: distinguishes functions of one name in several function bodies.
    #[doc(hidden)]
    const PLACE: &'static str;
    /// Calls the function in this process.
    fn call(args: Self::Args) -> Self::Output;
}

/// Identifier of a task on the wire: a hash of name, signature and place.
pub(crate) const fn id_of<T: Task>() -> u64 {
    let hash = hash(FNV_OFFSET, T::NAME.as_bytes());
    let hash = self::hash(hash, T::SIGNATURE.as_bytes());
    self::hash(hash, T::PLACE.as_bytes())
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, with a separator after each piece.
const fn hash(mut state: u64, bytes: &[u8]) -> u64 {
    let mut index = 0;
    while index < bytes.len() {
        state = (state ^ bytes[index] as u64).wrapping_mul(0x0100_0000_01b3);
        index += 1;
    }
    (state ^ 0xff).wrapping_mul(0x0100_0000_01b3)
}

/// Error of a call on bytes.
pub(crate) enum CallError {
    Arguments(DecodeError),
    Output(EncodeError),
}

/// Calls a task: its encoded arguments, where to append the encoded result, the clock of the call.
type CallOnBytes = fn(&[u8], &mut Vec<u8>, TaskTimer<'_>) -> Result<(), CallError>;

/// A task in the binary's table.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub(crate) id: u64,
    pub(crate) name: &'static str,
    pub(crate) signature: &'static str,
    pub(crate) call: CallOnBytes,
}

impl Entry {
    /// The entry of one task; the attribute puts it into the table.
    pub const fn of<T: Task>() -> Self {
        Self {
            id: id_of::<T>(),
            name: T::NAME,
            signature: T::SIGNATURE,
            call: call_on_bytes::<T>,
        }
    }
}

/// Every task of the binary, collected by the linker: visible even before `main`.
#[linkme::distributed_slice]
pub static TASKS: [Entry];

/// Decodes the arguments, calls the function, and appends the encoded result.
fn call_on_bytes<T: Task>(
    args: &[u8],
    output: &mut Vec<u8>,
    timer: TaskTimer<'_>,
) -> Result<(), CallError> {
    let args = codec::decode::<T::Args>(args).map_err(CallError::Arguments)?;
    timer.begin();
    let value = T::call(args);
    timer.end();
    codec::encode(&value, output).map_err(CallError::Output)
}

/// Finds a task by its id.
pub(crate) fn find(id: u64) -> Option<&'static Entry> {
    static TABLE: OnceLock<HashMap<u64, &'static Entry>> = OnceLock::new();
    TABLE
        .get_or_init(|| TASKS.iter().map(|entry| (entry.id, entry)).collect())
        .get(&id)
        .copied()
}

/// Returns whether two tasks answer to one id (a macro wrote both in one place): then neither can be meant.
pub(crate) fn is_ambiguous(id: u64) -> bool {
    TASKS.iter().filter(|entry| entry.id == id).count() > 1
}

/// A fingerprint of the whole table: equal in two processes that run the same tasks.
pub(crate) fn table_hash() -> u64 {
    TASKS
        .iter()
        .fold(0, |sum: u64, entry| sum.wrapping_add(entry.id | 1))
}
