//! A map whose results are collected at once.

use super::chunks::Results;
use crate::error::JobError;
use crate::pool::Pool;
use std::sync::Arc;
use std::time::Instant;

/// Chunks for each worker: enough to balance items that take unequal times.
const CHUNKS_PER_WORKER: usize = 4;

/// Submits all items, in a few chunks, and waits for all results.
pub(in crate::pool) fn collect<T, F, R>(
    pool: &Pool,
    function: F,
    items: impl IntoIterator<Item = T>,
    deadline: Option<Instant>,
) -> Result<Vec<R>, JobError>
where
    T: Send + 'static,
    F: Fn(T) -> R + Send + Sync + 'static,
    R: Send + 'static,
{
    let items: Vec<T> = items.into_iter().collect();
    let len = items.len();
    let size = len.div_ceil(CHUNKS_PER_WORKER * pool.max_workers()).max(1);
    let function = Arc::new(function);
    let mut items = items.into_iter();
    let mut jobs = Vec::with_capacity(len.div_ceil(size));
    while items.len() > 0 {
        let chunk: Vec<T> = items.by_ref().take(size).collect();
        let room = pool.reserve(|| deadline).map_err(|_| JobError::TimedOut)?;
        let function = Arc::clone(&function);
        jobs.push(pool.push(move || Results::of(chunk, &*function), room));
    }
    let mut values = Ok(Vec::with_capacity(len));
    for mut job in jobs {
        let chunk = match deadline {
            None => job.result(),
            Some(at) => job.result_until(at),
        };
        match (&mut values, chunk.and_then(Results::into_values)) {
            (_, Err(JobError::TimedOut)) => return Err(JobError::TimedOut),
            (Ok(values), Ok(chunk)) => values.extend(chunk),
            (Ok(_), Err(error)) => values = Err(error),
            (Err(_), _) => {}
        }
    }
    values
}
