//! From a path to its handlers: a tree of segments.

use std::{borrow::Cow, collections::BTreeMap, ops::Range, rc::Rc};

use regex_lite::Regex;
use smallvec::SmallVec;

use super::text::percent_decode;
use crate::error::RouteError;

/// A pattern's value for each method, and the names of what it matches.
pub(crate) struct Leaf<T> {
    pub(crate) pattern: Rc<str>,
    pub(crate) names: Rc<[Box<str>]>,
    pub(crate) value: T,
}

/// Routes by segment: at each place a literal wins over `{name:regex}`, that over `{name}`, and that over `{name:*}`.
pub(crate) struct Router<T> {
    root: Node<T>,
}

struct Node<T> {
    /// Few, so comparing is quicker than hashing.
    literal: BTreeMap<Box<str>, Node<T>>,
    /// In the order in which they were added.
    shaped: Vec<(Regex, Node<T>)>,
    any: Option<Box<Node<T>>>,
    rest: Option<Leaf<T>>,
    leaf: Option<Leaf<T>>,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Node {
            literal: BTreeMap::new(),
            shaped: Vec::new(),
            any: None,
            rest: None,
            leaf: None,
        }
    }
}

/// A route that a path leads to.
pub(crate) struct Found<'a, T> {
    pub(crate) leaf: &'a Leaf<T>,
    pub(crate) values: Values,
    /// The whole path, where decoding has changed it.
    pub(crate) decoded: Option<String>,
}

/// What the pattern's names stand for, in its order. Few patterns have more than two.
pub(crate) type Values = SmallVec<[Value; 2]>;

/// What one name stands for.
#[derive(Clone)]
pub(crate) enum Value {
    /// This part of the path, as the client sent it.
    Plain(Range<usize>),
    /// A part in which something was percent-encoded, or whose path has changed since.
    Decoded(Box<str>),
}

impl Value {
    /// `path` is the one that was matched.
    pub(crate) fn text<'a>(&'a self, path: &'a str) -> &'a str {
        match self {
            Value::Plain(part) => path.get(part.clone()).unwrap_or_default(),
            Value::Decoded(text) => text,
        }
    }

    /// Makes it independent of the path.
    #[cfg(feature = "tower")]
    pub(crate) fn detach(&mut self, path: &str) {
        *self = Value::Decoded(self.text(path).into());
    }
}

enum Segment<'a> {
    Literal(&'a str),
    Shaped(&'a str, Regex),
    Any(&'a str),
    Rest(&'a str),
}

impl<T> Router<T> {
    pub(crate) fn new() -> Self {
        Router {
            root: Node::default(),
        }
    }

    /// The value at `pattern`, made with `default` if there is none yet.
    pub(crate) fn entry(
        &mut self,
        pattern: &str,
        default: impl FnOnce() -> T,
    ) -> Result<&mut T, RouteError> {
        let segments = parse(pattern)?;
        let mut names: Vec<Box<str>> = Vec::new();
        let mut node = &mut self.root;
        let mut rest = false;
        for segment in segments {
            match segment {
                Segment::Literal(text) => node = node.literal.entry(text.into()).or_default(),
                Segment::Shaped(name, shape) => {
                    names.push(name.into());
                    node = node.shaped(shape);
                }
                Segment::Any(name) => {
                    names.push(name.into());
                    node = node.any.get_or_insert_default();
                }
                Segment::Rest(name) => {
                    names.push(name.into());
                    rest = true;
                }
            }
        }
        let place = if rest { &mut node.rest } else { &mut node.leaf };
        let leaf = place.get_or_insert_with(|| Leaf {
            pattern: pattern.into(),
            names: names.clone().into(),
            value: default(),
        });
        if *leaf.names != *names {
            return Err(RouteError::Conflict {
                pattern: pattern.to_owned(),
                other: leaf.pattern.to_string(),
            });
        }
        Ok(&mut leaf.value)
    }

    /// The route of a path as the client sent it. `Err` when the path is not decodable.
    pub(crate) fn find(&self, path: &str) -> Result<Option<Found<'_, T>>, Undecodable> {
        let decoded = match percent_decode(path).ok_or(Undecodable)? {
            Cow::Borrowed(_) => None,
            Cow::Owned(decoded) => Some(decoded),
        };
        if !path.starts_with('/') {
            return Ok(None);
        }
        let mut walk = Walk {
            path,
            encoded: decoded.is_some(),
            values: Values::new(),
        };
        let leaf = self.root.find(1, &mut walk)?;
        Ok(leaf.map(|leaf| Found {
            leaf,
            values: walk.values,
            decoded,
        }))
    }
}

/// A path on its way through the tree.
struct Walk<'a> {
    path: &'a str,
    encoded: bool,
    values: Values,
}

impl<'a> Walk<'a> {
    fn decode(&self, part: Range<usize>) -> Result<Cow<'a, str>, Undecodable> {
        let text = &self.path[part];
        if self.encoded {
            percent_decode(text).ok_or(Undecodable)
        } else {
            Ok(Cow::Borrowed(text))
        }
    }

    fn push(&mut self, part: Range<usize>, decoded: Cow<'a, str>) {
        self.values.push(match decoded {
            Cow::Borrowed(_) => Value::Plain(part),
            Cow::Owned(decoded) => Value::Decoded(decoded.into()),
        });
    }
}

/// A broken percent-escape, a NUL, or bytes that are not UTF-8.
#[derive(Debug)]
pub(crate) struct Undecodable;

impl<T> Node<T> {
    /// Where segments of this shape lead.
    fn shaped(&mut self, shape: Regex) -> &mut Node<T> {
        let known = self
            .shaped
            .iter()
            .position(|(other, _)| other.as_str() == shape.as_str());
        let place = known.unwrap_or_else(|| {
            self.shaped.push((shape, Node::default()));
            self.shaped.len() - 1
        });
        &mut self.shaped[place].1
    }

    /// `at` is where what is left of the path begins, behind a slash.
    fn find(&self, at: usize, walk: &mut Walk<'_>) -> Result<Option<&Leaf<T>>, Undecodable> {
        let whole = walk.path.len();
        let left = &walk.path.as_bytes()[at..];
        let slash = left.iter().position(|byte| *byte == b'/');
        let slash = slash.map(|place| at + place);
        let segment = at..slash.unwrap_or(whole);
        let decoded = walk.decode(segment.clone())?;
        if let Some(next) = self.literal.get(&*decoded)
            && let Some(leaf) = next.go_on(slash, walk)?
        {
            return Ok(Some(leaf));
        }
        for (shape, next) in &self.shaped {
            if shape.is_match(&decoded) {
                walk.push(segment.clone(), decoded.clone());
                if let Some(leaf) = next.go_on(slash, walk)? {
                    return Ok(Some(leaf));
                }
                walk.values.pop();
            }
        }
        if let Some(next) = &self.any
            && !segment.is_empty()
        {
            walk.push(segment, decoded);
            if let Some(leaf) = next.go_on(slash, walk)? {
                return Ok(Some(leaf));
            }
            walk.values.pop();
        }
        let Some(leaf) = &self.rest else {
            return Ok(None);
        };
        let rest = walk.decode(at..whole)?;
        walk.push(at..whole, rest);
        Ok(Some(leaf))
    }

    fn go_on(
        &self,
        slash: Option<usize>,
        walk: &mut Walk<'_>,
    ) -> Result<Option<&Leaf<T>>, Undecodable> {
        match slash {
            Some(slash) => self.find(slash + 1, walk),
            None => Ok(self.leaf.as_ref()),
        }
    }
}

fn parse(pattern: &str) -> Result<Vec<Segment<'_>>, RouteError> {
    let bad = |why: &str| RouteError::BadPattern {
        pattern: pattern.to_owned(),
        why: why.to_owned(),
    };
    let path = pattern
        .strip_prefix('/')
        .ok_or_else(|| bad("it must begin with a slash"))?;
    let mut segments = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        let Some(inner) = part
            .strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'))
        else {
            if part.contains(['{', '}']) {
                return Err(bad(
                    "a {name} stands for a whole segment, between two slashes",
                ));
            }
            segments.push(Segment::Literal(part));
            continue;
        };
        let (name, segment) = match inner.split_once(':') {
            Some((name, "*")) => (name, Segment::Rest(name)),
            Some((name, shape)) => {
                // The whole segment must be of this shape, not a part of it. That it is one by itself comes first: brackets
                // that do not fit would open up what is put around it.
                let shape = Regex::new(shape)
                    .and_then(|_| Regex::new(&format!("^(?:{shape})$")))
                    .map_err(|error| bad(&format!("its regular expression is wrong: {error}")))?;
                (name, Segment::Shaped(name, shape))
            }
            None => (inner, Segment::Any(inner)),
        };
        if matches!(segment, Segment::Rest(_)) && parts.peek().is_some() {
            return Err(bad("{name:*} must be the last segment"));
        }
        let identifier = name
            .chars()
            .all(|character| character.is_alphanumeric() || character == '_');
        if name.is_empty() || !identifier {
            return Err(bad("a name is made of letters, digits and underscores"));
        }
        if names.contains(&name) {
            return Err(bad("a name occurs twice"));
        }
        names.push(name);
        segments.push(segment);
    }
    Ok(segments)
}
