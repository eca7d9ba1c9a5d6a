//! Walks through trees: in order, by levels, two at a time.

use coroutines::{Boxed, Co, Rec, generator, recursive};
use std::collections::VecDeque;

struct Node {
    value: u32,
    left: Tree,
    right: Tree,
}

type Tree = Option<Box<Node>>;

fn insert(tree: &mut Tree, value: u32) {
    match tree {
        None => {
            *tree = Some(Box::new(Node {
                value,
                left: None,
                right: None,
            }))
        }
        Some(node) => insert(
            if value < node.value {
                &mut node.left
            } else {
                &mut node.right
            },
            value,
        ),
    }
}

fn tree(values: &[u32]) -> Tree {
    let mut root = None;
    for value in values {
        insert(&mut root, *value);
    }
    root
}

async fn in_order<'t>(mut co: Rec<'t, u32>, tree: &'t Tree) {
    if let Some(node) = tree {
        co.call(|co| in_order(co, &node.left)).await;
        co.yield_(node.value).await;
        co.call(|co| in_order(co, &node.right)).await;
    }
}

/// The same with plain delegation: a generator for each node, each passing on what the ones below it yield.
fn delegating(tree: &Tree) -> Boxed<'_, u32> {
    generator(async move |mut co: Co<'_, u32>| {
        if let Some(node) = tree {
            co.yield_from(delegating(&node.left), ()).await;
            co.yield_(node.value).await;
            co.yield_from(delegating(&node.right), ()).await;
        }
    })
    .boxed()
}

fn by_levels(tree: &Tree) -> Boxed<'_, u32> {
    generator(async move |mut co: Co<'_, u32>| {
        let mut queue: VecDeque<_> = tree.iter().collect();
        while let Some(node) = queue.pop_front() {
            co.yield_(node.value).await;
            queue.extend(node.left.iter().chain(&node.right));
        }
    })
    .boxed()
}

const VALUES: [u32; 9] = [5, 2, 8, 1, 4, 7, 9, 3, 6];

#[test]
fn in_order_sorts() {
    let tree = tree(&VALUES);
    let sorted: Vec<_> = (1..=9).collect();
    assert_eq!(
        recursive(|co| in_order(co, &tree)).collect::<Vec<_>>(),
        sorted
    );
    assert_eq!(delegating(&tree).collect::<Vec<_>>(), sorted);
}

#[test]
fn levels_come_from_the_root_down() {
    assert_eq!(
        by_levels(&tree(&VALUES)).collect::<Vec<_>>(),
        [5, 2, 8, 1, 4, 7, 9, 3, 6]
    );
}

#[test]
fn trees_of_other_shapes_have_the_same_fringe() {
    let (a, b, c) = (
        tree(&[1, 2, 3, 4]),
        tree(&[3, 1, 4, 2]),
        tree(&[3, 1, 5, 2]),
    );
    let same =
        |a: &Tree, b: &Tree| recursive(|co| in_order(co, a)).eq(recursive(|co| in_order(co, b)));
    assert!(same(&a, &b));
    assert!(!same(&a, &c));
}

#[test]
fn a_tree_that_is_a_list_is_no_deeper_than_memory() {
    // 20,000 nodes, each to the right of the one before.
    let mut root: Tree = None;
    for value in (0..20_000).rev() {
        root = Some(Box::new(Node {
            value,
            left: None,
            right: root,
        }));
    }
    assert!(recursive(|co| in_order(co, &root)).eq(0..20_000));
    // Taken apart in a loop: a tree of boxes drops recursively.
    while let Some(mut node) = root {
        root = node.right.take();
    }
}
