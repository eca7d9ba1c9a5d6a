//! Permutations, eight queens and a knight's tour: searches that yield what they find.

use coroutines::{Boxed, Co, Rec, generator, recursive};

fn permutations(mut items: Vec<u32>) -> Boxed<'static, Vec<u32>> {
    generator(async move |mut co: Co<'_, Vec<u32>>| {
        // Heap's algorithm, without recursion: one exchange a permutation.
        let mut turns = vec![0; items.len()];
        co.yield_(items.clone()).await;
        let mut at = 1;
        while at < items.len() {
            if turns[at] == at {
                turns[at] = 0;
                at += 1;
                continue;
            }
            items.swap(at, if at % 2 == 0 { 0 } else { turns[at] });
            co.yield_(items.clone()).await;
            turns[at] += 1;
            at = 1;
        }
    })
    .boxed()
}

#[test]
fn permutations_are_all_there_and_differ() {
    let mut all: Vec<_> = permutations(vec![1, 2, 3, 4, 5]).collect();
    assert_eq!(all.len(), 120);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 120);
    assert!(all.iter().all(|one| one.iter().sum::<u32>() == 15));
    assert_eq!(
        permutations(Vec::new()).collect::<Vec<_>>(),
        [Vec::<u32>::new()]
    );
}

/// One queen a row: `columns[row]` says where.
async fn queens(mut co: Rec<'_, Vec<usize>>, columns: Vec<usize>, size: usize) {
    let row = columns.len();
    if row == size {
        return co.yield_(columns).await;
    }
    for column in 0..size {
        let attacked =
            |(at, other): (usize, &usize)| *other == column || other.abs_diff(column) == row - at;
        if !columns.iter().enumerate().any(attacked) {
            let mut more = columns.clone();
            more.push(column);
            co.call(|co| queens(co, more, size)).await;
        }
    }
}

#[test]
fn eight_queens_stand_in_ninety_two_ways() {
    let count = |size| recursive(move |co| queens(co, Vec::new(), size)).count();
    assert_eq!(
        [1, 2, 3, 4, 5, 6, 7, 8].map(count),
        [1, 0, 0, 2, 10, 4, 40, 92]
    );
}

#[test]
fn the_first_solution_costs_no_search_for_the_others() {
    let first = recursive(|co| queens(co, Vec::new(), 8)).next();
    assert_eq!(first, Some(vec![0, 4, 7, 5, 2, 6, 1, 3]));
}

const JUMPS: [(i32, i32); 8] = [
    (1, 2),
    (2, 1),
    (2, -1),
    (1, -2),
    (-1, -2),
    (-2, -1),
    (-2, 1),
    (-1, 2),
];

/// The squares that a knight reaches from one, and that are not on the path.
fn reachable(side: i32, from: (i32, i32), path: &[(i32, i32)]) -> Vec<(i32, i32)> {
    let squares = JUMPS.iter().map(|(x, y)| (from.0 + x, from.1 + y));
    squares
        .filter(|to| (0..side).contains(&to.0) && (0..side).contains(&to.1) && !path.contains(to))
        .collect()
}

async fn tour(mut co: Rec<'_, Vec<(i32, i32)>>, path: Vec<(i32, i32)>, side: i32) {
    let Some(&here) = path.last() else { return };
    if path.len() == (side * side) as usize {
        return co.yield_(path).await;
    }
    // The square with the fewest ways on comes first.
    let mut next = reachable(side, here, &path);
    next.sort_by_key(|to| reachable(side, *to, &path).len());
    for to in next {
        let mut longer = path.clone();
        longer.push(to);
        co.call(|co| tour(co, longer, side)).await;
    }
}

#[test]
fn a_knight_visits_every_square_once() {
    let path = recursive(|co| tour(co, vec![(0, 0)], 5))
        .next()
        .expect("a board of five has tours from its corner");
    assert_eq!(path.len(), 25);
    for (at, square) in path.iter().enumerate() {
        assert!(!path[..at].contains(square));
    }
    for pair in path.windows(2) {
        let (x, y) = (pair[0].0.abs_diff(pair[1].0), pair[0].1.abs_diff(pair[1].1));
        assert_eq!((x.min(y), x.max(y)), (1, 2));
    }
}

#[test]
fn a_board_of_four_has_no_tour() {
    assert_eq!(recursive(|co| tour(co, vec![(0, 0)], 4)).next(), None);
}
