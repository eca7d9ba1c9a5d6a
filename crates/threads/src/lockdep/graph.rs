//! Which lock was waited for while which was held.

use super::cycle::{Cycle, Step};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A lock's number; 0 is none.
pub(super) type Id = u64;

/// What a thread does: it holds one lock and wants the other.
#[derive(Clone, Copy)]
pub(super) struct Order {
    pub(super) held: Id,
    pub(super) wanted: Id,
}

#[derive(Default)]
struct Node {
    /// The locks wanted while this one was held, and by whom first.
    after: BTreeMap<Id, Step>,
    /// The locks held while this one was wanted.
    before: BTreeSet<Id>,
}

/// The locks that are alive and were part of an order.
static GRAPH: Mutex<BTreeMap<Id, Node>> = Mutex::new(BTreeMap::new());

/// Notes the order. The first time it is seen, returns the shortest cycle that it closes, if any.
pub(super) fn note(order: Order, step: impl FnOnce() -> Step) -> Option<Cycle> {
    let Order { held, wanted } = order;
    let mut graph = GRAPH.lock();
    let node = graph.entry(held).or_default();
    if node.after.contains_key(&wanted) {
        return None;
    }
    let step = step();
    node.after.insert(wanted, step.clone());
    graph.entry(wanted).or_default().before.insert(held);
    let mut steps = path(&graph, wanted, held)?;
    steps.insert(0, step);
    Some(Cycle { steps })
}

/// The steps of a shortest way; none from a lock to itself.
fn path(graph: &BTreeMap<Id, Node>, from: Id, to: Id) -> Option<Vec<Step>> {
    let mut came_from = BTreeMap::from([(from, from)]);
    let mut next = VecDeque::from([from]);
    while let Some(id) = next.pop_front().filter(|id| *id != to) {
        for &other in graph[&id].after.keys() {
            came_from.entry(other).or_insert_with(|| {
                next.push_back(other);
                id
            });
        }
    }
    let mut steps = Vec::new();
    let mut id = to;
    while id != from {
        let former = *came_from.get(&id)?;
        steps.push(graph[&former].after[&id].clone());
        id = former;
    }
    steps.reverse();
    Some(steps)
}

/// Forgets a lock that is no more.
pub(super) fn forget(id: Id) {
    let mut graph = GRAPH.lock();
    let Some(node) = graph.remove(&id) else {
        return;
    };
    for other in node.after.keys() {
        if let Some(other) = graph.get_mut(other) {
            other.before.remove(&id);
        }
    }
    for other in node.before {
        if let Some(other) = graph.get_mut(&other) {
            other.after.remove(&id);
        }
    }
}
