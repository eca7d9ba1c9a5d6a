//! Conjunction in the manner of Icon: a chain of generators, each made for what the ones before it have found, backing up
//! when one runs dry.

use coroutines::{Boxed, Co, generator};

/// Makes the generator of values for the next place, given the ones so far.
type Goal<'g> = Box<dyn Fn(&[u32]) -> Boxed<'static, u32> + 'g>;

fn conjoin(goals: Vec<Goal<'_>>) -> Boxed<'_, Vec<u32>> {
    generator(async move |mut co: Co<'_, Vec<u32>>| {
        let mut found = Vec::new();
        let mut open: Vec<Boxed<'static, u32>> = Vec::new();
        loop {
            // Forwards: open the next goal, or hand out a full set.
            if found.len() == open.len() {
                match goals.get(found.len()) {
                    Some(goal) => open.push(goal(&found)),
                    None => {
                        co.yield_(found.clone()).await;
                        found.pop();
                    }
                }
            }
            // The next value of the last open goal; backwards when it has none.
            match open.last_mut().map(Iterator::next) {
                Some(Some(value)) => found.push(value),
                Some(None) => {
                    open.pop();
                    if open.is_empty() {
                        return;
                    }
                    found.pop();
                }
                // No goals at all: the empty set has been handed out.
                None => return,
            }
        }
    })
    .boxed()
}

fn values(list: Vec<u32>) -> Boxed<'static, u32> {
    generator(async move |mut co: Co<'_, u32>| co.yield_all(list).await).boxed()
}

fn bits<'g>() -> Goal<'g> {
    Box::new(|_| values(vec![0, 1]))
}

#[test]
fn three_bits_count_to_eight() {
    let all: Vec<_> = conjoin(vec![bits(), bits(), bits()]).collect();
    let numbers: Vec<_> = all.iter().map(|b| b[0] * 4 + b[1] * 2 + b[2]).collect();
    assert_eq!(numbers, (0..8).collect::<Vec<_>>());
}

#[test]
fn no_goals_have_one_empty_solution_and_a_dry_goal_none() {
    assert_eq!(conjoin(Vec::new()).collect::<Vec<_>>(), [Vec::<u32>::new()]);
    assert_eq!(
        conjoin(vec![bits(), Box::new(|_| values(Vec::new())), bits()]).count(),
        0
    );
}

#[test]
fn later_goals_see_what_earlier_ones_found() {
    // Pythagorean triples: the third place is computed from the first two.
    let up_to = 20;
    let goals: Vec<Goal<'_>> = vec![
        Box::new(|_| values((1..=up_to).collect())),
        Box::new(|so_far| values((so_far[0]..=up_to).collect())),
        Box::new(|so_far| {
            let square = so_far[0].pow(2) + so_far[1].pow(2);
            values((1..=up_to).filter(|c| c * c == square).collect())
        }),
    ];
    let triples: Vec<_> = conjoin(goals).collect();
    let expected = [
        [3, 4, 5],
        [5, 12, 13],
        [6, 8, 10],
        [8, 15, 17],
        [9, 12, 15],
        [12, 16, 20],
    ];
    assert_eq!(triples, expected);
}

#[test]
fn six_queens_by_conjunction() {
    let row = |so_far: &[u32]| {
        let free = |column: &u32| {
            let at = so_far.len();
            let clash = |(row, other): (usize, &u32)| {
                other == column || other.abs_diff(*column) as usize == at - row
            };
            !so_far.iter().enumerate().any(clash)
        };
        values((0..6).filter(free).collect())
    };
    let goals = (0..6).map(|_| Box::new(row) as Goal<'_>).collect();
    assert_eq!(conjoin(goals).count(), 4);
}
