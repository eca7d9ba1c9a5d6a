//! Two functions at once.

use super::Pool;
use crate::error::JobError;

impl Pool {
    /// Runs `a` in the calling thread and `b` in the pool, or here too if no worker has taken it by then.
    ///
    /// Both may borrow. Both have ended when `fork_join` returns, also if one panics: a panic of `a` continues
    /// here, one of `b` is its error. (rayon's name for it, `join`, is that of the wait for the pool's end.)
    ///
    /// # Examples
    ///
    /// ```
    /// fn sum(pool: &threads::Pool, numbers: &[u64]) -> u64 {
    ///     if numbers.len() < 1000 {
    ///         return numbers.iter().sum();
    ///     }
    ///     let (left, right) = numbers.split_at(numbers.len() / 2);
    ///     let (left, right) = pool.fork_join(|| sum(pool, left), || sum(pool, right));
    ///     left + right.expect("sums do not panic")
    /// }
    ///
    /// let pool = threads::Pool::new(2)?;
    /// let numbers: Vec<u64> = (0..10_000).collect();
    /// assert_eq!(sum(&pool, &numbers), 49_995_000);
    /// # Ok::<(), threads::SpawnError>(())
    /// ```
    #[doc(alias = "join")]
    pub fn fork_join<A, B, RA, RB>(&self, a: A, b: B) -> (RA, Result<RB, JobError>)
    where
        A: FnOnce() -> RA,
        B: FnOnce() -> RB + Send,
        RB: Send,
    {
        self.scope(|scope| {
            let other = scope.submit(b);
            let here = a();
            other.run_if_queued();
            (here, other.result())
        })
    }
}
