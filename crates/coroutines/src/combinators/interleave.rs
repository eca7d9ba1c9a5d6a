//! Round robin without a heap.

use core::iter::FusedIterator;

/// An iterator that takes one item of each in turn: `interleave!(a, b, c)`, for two to eight iterators of one item type.
///
/// One that has ended is left out from then on; the end is reached when all have ended. Nothing is allocated and nothing
/// is called through a pointer: the types stay known, so pinned generators are inlined.
///
/// # Examples
///
/// ```
/// use coroutines::{Co, generator, interleave};
/// use std::pin::pin;
///
/// let digits = pin!(generator(async |mut co: Co<'_, &str>| co.yield_all(["0", "1", "2"]).await));
/// let letters = pin!(generator(async |mut co: Co<'_, &str>| co.yield_all(["a", "b"]).await));
/// assert_eq!(interleave!(digits, letters).collect::<String>(), "0a1b2");
/// ```
#[macro_export]
macro_rules! interleave {
    ($($lane:expr),+ $(,)?) => {
        $crate::Interleave::new(($(::core::iter::IntoIterator::into_iter($lane),)+))
    };
}

/// Takes one item of each of several iterators in turn; made by [`interleave!`](crate::interleave!).
#[derive(Clone, Debug)]
#[must_use = "iterators do nothing unless they are asked"]
pub struct Interleave<L: Lanes> {
    lanes: L::Fused,
    /// Whose turn it is.
    turn: usize,
}

impl<L: Lanes> Interleave<L> {
    /// Takes turns among the iterators of a tuple.
    #[inline]
    pub fn new(lanes: L) -> Self {
        Self {
            lanes: lanes.fuse(),
            turn: 0,
        }
    }
}

/// Tuples of two to eight iterators with the same item.
pub trait Lanes: sealed::Sealed {
    /// What they all yield.
    type Item;
    #[doc(hidden)]
    type Fused;
    #[doc(hidden)]
    const LEN: usize;
    #[doc(hidden)]
    fn fuse(self) -> Self::Fused;
    #[doc(hidden)]
    fn next(fused: &mut Self::Fused, lane: usize) -> Option<Self::Item>;
    #[doc(hidden)]
    fn size_hint(fused: &Self::Fused) -> (usize, Option<usize>);
    /// One item of each lane, until none has any.
    #[doc(hidden)]
    fn fold<T>(fused: Self::Fused, init: T, each: impl FnMut(T, Self::Item) -> T) -> T;
}

mod sealed {
    pub trait Sealed {}
}

/// An iterator, and whether it has ended: not an `Option`, since a pointer to a pinned generator that may be null would
/// keep the optimiser from seeing through it.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct Lane<I> {
    iter: I,
    ended: bool,
}

impl<I: Iterator> Lane<I> {
    #[inline(always)]
    fn new(iter: I) -> Self {
        Self { iter, ended: false }
    }

    #[inline(always)]
    fn next(&mut self) -> Option<I::Item> {
        if self.ended {
            return None;
        }
        let item = self.iter.next();
        self.ended = item.is_none();
        item
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.ended {
            (0, Some(0))
        } else {
            self.iter.size_hint()
        }
    }
}

macro_rules! lanes {
    ($len:literal: $first:ident $first_at:tt $(, $lane:ident $at:tt)*) => {
        impl<$first: Iterator $(, $lane: Iterator<Item = $first::Item>)*> sealed::Sealed for ($first, $($lane,)*) {}

        impl<$first: Iterator $(, $lane: Iterator<Item = $first::Item>)*> Lanes for ($first, $($lane,)*) {
            type Item = $first::Item;
            type Fused = (Lane<$first>, $(Lane<$lane>,)*);
            const LEN: usize = $len;

            #[inline]
            fn fuse(self) -> Self::Fused {
                (Lane::new(self.$first_at), $(Lane::new(self.$at),)*)
            }

            #[inline(always)]
            fn next(fused: &mut Self::Fused, lane: usize) -> Option<Self::Item> {
                match lane {
                    $($at => fused.$at.next(),)*
                    _ => fused.$first_at.next(),
                }
            }

            fn size_hint(fused: &Self::Fused) -> (usize, Option<usize>) {
                let sum = fused.$first_at.size_hint();
                $(
                    let more = fused.$at.size_hint();
                    let sum = (
                        sum.0.saturating_add(more.0),
                        sum.1.zip(more.1).and_then(|(a, b)| a.checked_add(b)),
                    );
                )*
                sum
            }

            #[inline]
            fn fold<T>(mut fused: Self::Fused, init: T, mut each: impl FnMut(T, Self::Item) -> T) -> T {
                let mut sum = init;
                loop {
                    let mut ended = true;
                    if let Some(item) = fused.$first_at.next() {
                        sum = each(sum, item);
                        ended = false;
                    }
                    $(
                        if let Some(item) = fused.$at.next() {
                            sum = each(sum, item);
                            ended = false;
                        }
                    )*
                    if ended {
                        return sum;
                    }
                }
            }
        }
    };
}

lanes!(2: A 0, B 1);
lanes!(3: A 0, B 1, C 2);
lanes!(4: A 0, B 1, C 2, D 3);
lanes!(5: A 0, B 1, C 2, D 3, E 4);
lanes!(6: A 0, B 1, C 2, D 3, E 4, F 5);
lanes!(7: A 0, B 1, C 2, D 3, E 4, F 5, G 6);
lanes!(8: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);

impl<L: Lanes> Iterator for Interleave<L> {
    type Item = L::Item;

    #[inline]
    fn next(&mut self) -> Option<L::Item> {
        for _ in 0..L::LEN {
            let lane = self.turn;
            self.turn = if lane + 1 == L::LEN { 0 } else { lane + 1 };
            if let Some(item) = L::next(&mut self.lanes, lane) {
                return Some(item);
            }
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        L::size_hint(&self.lanes)
    }

    #[inline]
    fn fold<T, G>(mut self, init: T, mut each: G) -> T
    where
        G: FnMut(T, L::Item) -> T,
    {
        let mut sum = init;
        // The round that has begun, so that the rest begins with the first lane.
        while self.turn != 0 {
            let lane = self.turn;
            self.turn = if lane + 1 == L::LEN { 0 } else { lane + 1 };
            if let Some(item) = L::next(&mut self.lanes, lane) {
                sum = each(sum, item);
            }
        }
        L::fold(self.lanes, sum, each)
    }
}

impl<L: Lanes> FusedIterator for Interleave<L> {}
